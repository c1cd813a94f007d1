"""Reads run folders and counts."""
