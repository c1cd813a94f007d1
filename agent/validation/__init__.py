"""A whole set looked at by what it brings along: its references and its validators."""
