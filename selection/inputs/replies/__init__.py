"""Reads the inputs and the arguments that a model wrote."""
