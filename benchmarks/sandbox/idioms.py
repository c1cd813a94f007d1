"""Programs that read and write in the ways that people do, made from a seed.

Every program prints numbers that it has read. A part is chosen for each of four places: how input is read,
what is done, how output is written, and how the program ends.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

_FOLDER = Path(__file__).parent / "idiom_parts"


def _read_parts(place: str) -> list[str]:
    """The parts for a place in a program: in its file they stand between lines of two dashes."""
    text = (_FOLDER / f"{place}.txt").read_text(encoding="utf-8")
    return text.removesuffix("\n").split("\n--\n")


_READ, _DO, _WRITE, _END = map(_read_parts, ("read", "do", "write", "end"))
_FRONT = (
    "",
    "\ufeff",
    "# -*- coding: utf-8 -*-\n",
    "#!/usr/bin/env python3\n",
    "from __future__ import annotations\n",
)


def make_programs(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """`count` programs with an input each; the same for the same seed. Every part is in one of the first."""
    draw = random.Random(seed)
    longest = max(map(len, (_READ, _DO, _WRITE, _END)))
    for number in range(count):
        parts = [
            kinds[number % len(kinds)] if number < longest else draw.choice(kinds)
            for kinds in (_READ, _DO, _WRITE, _END)
        ]
        front = draw.choice(_FRONT)
        words = [str(draw.randint(-(10**9), 10**9)) for _ in range(draw.randint(1, 30))]
        yield front + "\n".join(parts) + "\n", " ".join(words) + draw.choice(("\n", "", "\r\n", "\n\n"))
