"""Decides whether an output is right."""
