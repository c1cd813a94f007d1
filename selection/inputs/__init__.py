"""Inputs to try programs on: inferred, mutated, read from a reply, and shrunk."""
