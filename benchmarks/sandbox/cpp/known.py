"""A program and what has to become of it."""

from __future__ import annotations

from dataclasses import dataclass

ALL = "#include <bits/stdc++.h>\nusing namespace std;\n"


@dataclass(frozen=True, slots=True)
class Case:
    """One program with inputs."""

    name: str
    kind: str
    """`right`, `wrong` (on some input), or the verdict on every input, as `TLE`."""
    code: str
    tests: tuple[tuple[str, str], ...]
    """Inputs and right outputs."""
    failure: str = ""
    """How it ends where that is an error: a signal or an exit status."""
    language: str = "cpp17"
    memory_mb: int = 256
