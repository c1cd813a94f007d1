"""Events, spans and progress."""
