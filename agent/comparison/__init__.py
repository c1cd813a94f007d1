"""Strategies at equal tokens: what is compared, how a budget is shared, and the work."""
