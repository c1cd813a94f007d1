"""Checks of this machine and of the endpoint."""
