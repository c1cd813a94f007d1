"""Evidence for each candidate that needs no verdict."""
