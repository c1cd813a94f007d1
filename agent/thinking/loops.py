"""Thinking that repeats itself: the same words over and over until the tokens are spent."""

from __future__ import annotations

_LOOKED_AT = 6_000
"""Characters at the end of a text in which a loop is looked for."""
_TIMES = 4
"""A text is a loop where its end is so many copies of one piece."""
_LEAST = 600
"""Characters that these have together: short repetitions are tables, or programs."""
PIECE = 1_024
"""Tokens after which thinking is looked at."""


def is_looping(text: str) -> bool:
    """Whether `text` ends with `_TIMES` copies of one piece or more, `_LEAST` characters in all.

    The smallest period of each end of the text, by the failure function of Knuth, Morris and Pratt; the time
    is linear in the characters looked at.
    """
    tail = text[-_LOOKED_AT:].rstrip()[::-1]
    borders = [0] * len(tail)
    for place in range(1, len(tail)):
        border = borders[place - 1]
        while border and tail[place] != tail[border]:
            border = borders[border - 1]
        borders[place] = border + (tail[place] == tail[border])
        length = place + 1
        if length >= _LEAST and length >= _TIMES * (length - borders[place]):
            return True
    return False
