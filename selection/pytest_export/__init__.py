"""Writes confirmed inputs as pytest tests."""
