"""What a run was: the command that wrote it, its starts, and methods that were added later."""
