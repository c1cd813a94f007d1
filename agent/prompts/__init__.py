"""Every word that a model reads."""
