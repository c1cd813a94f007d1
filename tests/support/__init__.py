"""What several test folders share."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ROOT", "list_children", "mark_slow_but", "skip_unless_required"]

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""


def mark_slow_but(quick: Iterable[object], values: Iterable[object]) -> list[object]:
    """The values as parameters of a test, all of them slow but the quick ones, which show it in part.

    A tuple is several parameters.
    """
    kept, values = {*quick}, [*values]
    assert kept <= {*values}, kept
    return [value if value in kept else _mark_slow(value) for value in values]


def _mark_slow(value: object) -> object:
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, marks=pytest.mark.slow)


def skip_unless_required(what: str, reason: str) -> NoReturn:
    """Skip the test, or fail it where `SSTAR_REQUIRE_` and `what` (`DOCKER`, `DATA`) is 1."""
    variable = f"SSTAR_REQUIRE_{what}"
    if os.environ.get(variable) == "1":
        pytest.fail(f"{variable}=1, but {reason}")
    pytest.skip(reason)


def list_children(pid: int | str) -> list[int]:
    """The processes that `pid` started and that are there; any of them may end while it is looked at."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found
