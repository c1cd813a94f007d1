"""Runs programs for others over HTTP, like training loops that take their rewards from what programs do."""
