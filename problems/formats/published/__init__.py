"""Row forms of further published sets: contests, and functions in Python."""
