"""Programs that judge: files for them to read, and one that talks to the candidate."""
