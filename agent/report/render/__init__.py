"""Pages, tables and figures of what was counted."""
