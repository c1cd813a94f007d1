"""Asks a model which behaviour is right, and how far to believe it."""
