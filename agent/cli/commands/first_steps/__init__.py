"""Commands of the first minutes: help, a settings file, completion in a shell."""
