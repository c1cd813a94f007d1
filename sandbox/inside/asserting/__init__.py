"""Assert-style tests: the test runs in one process, the candidate in another, and plain values go between."""
