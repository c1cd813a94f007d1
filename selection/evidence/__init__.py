"""What speaks for each candidate without asking for a verdict."""
