"""One sample: ask, extract, run on the public tests, repair."""
