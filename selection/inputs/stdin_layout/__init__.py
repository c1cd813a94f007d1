"""How the text on standard input is laid out."""
