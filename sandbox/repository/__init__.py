"""Runs the code and the tests of a repository in isolation."""
