"""Reads and writes samples: programs that answer problems, of any tool."""
