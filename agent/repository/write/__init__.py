"""Puts a program into its file."""
