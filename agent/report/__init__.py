"""Reads run folders and shows what they came to: numbers, comparisons, a page, a figure."""
