"""A checker for problems with many right answers: any factorisation of the number that is expected.

`"checker": "divisors"` accepts two whole numbers whose product is right; `"divisors:3"` three of them.
"""

from __future__ import annotations

import math


def is_right(expected, got, argument):
    """Whether `got` (a text, or for functions a value) are that many numbers above 1 with the right product.

    A ValueError says that what the candidate gave cannot be read: it counts as wrong.
    """
    numbers = [int(word) for word in got.split()] if isinstance(got, str) else list(got)
    return len(numbers) == int(argument or 2) and min(numbers) > 1 and math.prod(numbers) == int(expected)
