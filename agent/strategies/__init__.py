"""How candidates come to be: one protocol, a table of names, and a file for each strategy."""
