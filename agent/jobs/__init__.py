"""What one command does to a whole set."""
