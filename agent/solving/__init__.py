"""One problem from end to end: sample, then select."""
