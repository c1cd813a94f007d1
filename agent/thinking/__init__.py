"""Thinking models led from outside: forced to go on or to end, kept on a thought, given up when unsure."""
