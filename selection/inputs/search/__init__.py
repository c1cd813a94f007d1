"""Looks for inputs on which programs differ, within a budget of CPU time."""
