"""A set that is computed: one problem a power, `powers` for 2 and 3, `powers:FILE` for those in FILE."""

from __future__ import annotations

from pathlib import Path

from sstar_code.problems import Problem, Test


def read(path):
    """The problems; `path` is what the user wrote behind the colon, or None."""
    powers = [2, 3] if path is None else [int(line) for line in Path(path).read_text().split()]
    return [
        Problem(
            id=f"power-{power}",
            statement=f"Return x to the power of {power}.",
            kind="function",
            entry_point="f",
            public_tests=[Test("2", str(2**power))],
            hidden_tests=[Test(str(x), str(x**power)) for x in (0, 1, 3, -5)],
        )
        for power in powers
    ]
