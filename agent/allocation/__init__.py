"""How many samples a problem is worth."""
