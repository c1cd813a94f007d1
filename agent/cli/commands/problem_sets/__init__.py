"""Commands that make or change sets."""
