"""What the method knows of programs, as tools for coding agents."""
