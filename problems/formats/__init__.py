"""Reads and writes the published file formats of problems and samples."""
