"""Attacks on solving and choosing, and what share of the chosen programs obeys them."""
