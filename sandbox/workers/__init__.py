"""The workers of every backend: start, protocol, pool, and what an execution's end means."""
