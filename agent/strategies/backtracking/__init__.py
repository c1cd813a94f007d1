"""Rolls a wrong program back to where it went wrong, and continues it from there."""
