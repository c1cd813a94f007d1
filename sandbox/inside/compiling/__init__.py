"""Programs of languages that are compiled before they run."""
