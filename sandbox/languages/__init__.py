"""The languages that programs may be written in: their names, their tools, the words for what goes wrong."""
