"""Strategies whose models were trained for them, or are trained while they are asked."""
