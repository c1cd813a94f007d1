"""The repository helper: finds functions left open, has them written, proves them, and shows a diff."""
