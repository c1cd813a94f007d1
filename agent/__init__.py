"""Samples, debugs, decides how much to spend, stores runs and reports; holds the models and the commands."""
