"""Strategies for models that were trained for them."""
