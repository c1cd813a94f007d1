"""What the inputs of a problem may be."""
