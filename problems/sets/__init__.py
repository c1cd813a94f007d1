"""Problem sets by name: where they come from, which release, which of their problems."""
