"""Makes a task of an open function: what verifies it, and the problem for the model."""
