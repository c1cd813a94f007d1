"""A whole set given more hidden tests."""
