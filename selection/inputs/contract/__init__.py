"""The contract of a problem's inputs: forms, domains, limits."""
