"""The live page of a run, served on the loopback address."""
