"""Reads a bare statement: its sections, examples, calls and asserts."""
