"""More hidden tests for a problem, from the search for inputs, agreed by programs that are trusted."""
