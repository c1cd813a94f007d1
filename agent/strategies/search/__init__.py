"""Searches over programs that are repaired: which of them is worth another repair."""
