"""The layout of a statement: its text without markup, its headings, and the samples below them."""
