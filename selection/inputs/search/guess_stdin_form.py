"""Finds out what standard input looks like where neither a test nor the statement shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from sstar_code.sandbox.outcome import Execution

__all__ = ["find_form"]

_FORMS: tuple[tuple[str, ...], ...] = (
    ("abc\n", "Hello World\n", "aabb c\n"),
    ("ab\nabcab\n", "a b\nabba\n"),
    ("7\n", "12\n", "1\n"),
    ("2.5\n", "3\n"),
    ("7\n3\n", "2\n5\n"),
    ("3 5\n", "7 2\n"),
    ("4 1 2 3\n", "2 2\n", "5\n"),
    ("[3, 1, 2]\n", "[5]\n", "[2, 2, 1, 7]\n"),
    ("[3, 1, 2]\n2\n", "[5, 5]\n1\n"),
    ("[3, 1, 2]\n[2, 4]\n", "[5]\n[5]\n"),
    ("abc\n2\n", "Hello World\n5\n"),
    ("[[1, 2], [3, 4]]\n", "[[5, 1]]\n"),
    ("[[1, 2], [3, 4]]\n[[2, 2], [1, 4]]\n", "[[5, 1]]\n[[1, 1]]\n"),
    ('["ab", "c"]\n', '["a"]\n'),
    ("3\n1 2 3\n", "2\n5 5\n"),
)
"""Samples of common inputs. Text comes first: a program that reads text also reads all that follows."""


async def find_form(
    run: Callable[[Sequence[str]], Awaitable[dict[int, list[Execution]] | None]], copies: Mapping[int, int]
) -> tuple[str, ...]:
    """The samples of the first common form that more than half of the candidates read without failing.

    `copies` says of how many candidates each program of `run` is the text. `run` gives None where there is
    nothing left to spend. Empty where there is none.
    """
    total = sum(copies.values())
    for samples in _FORMS:
        if (runs := await run(samples)) is None:
            break
        fine = [program for program, found in runs.items() if all(one.status is Status.OK for one in found)]
        if 2 * sum(copies[program] for program in fine) > total:
            return samples
    return ()
