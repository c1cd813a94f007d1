"""The repository helper: finds functions left open, has them written, verifies them, and shows a diff."""
