"""Runs candidates in the repository's own tests."""
