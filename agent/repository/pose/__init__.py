"""Makes a problem of an open function."""
