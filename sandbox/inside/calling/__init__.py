"""Calls of functions, methods and classes, and the nodes that they take and give."""
