"""Finds functions that are left open, and their examples."""
