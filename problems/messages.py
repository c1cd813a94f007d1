"""Pieces of messages: a long text cut short, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, of which the last three are dots where it is longer."""
    return text if len(text) <= limit else text[: max(0, limit - 3)] + "..."[:limit]


def suggest(name: str, known: Iterable[str]) -> str:
    """The words ` (did you mean 'x'?)` for the name of `known` that is like `name`; empty where none is."""
    by_lower = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), by_lower, 1)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""
