"""Commands that serve the method to other programs."""
