"""Decides whether an output is right, by named rules that compare it with the expected one.

A rule never runs anything. Outputs are untrusted: no text makes a rule raise or take more than about
linear time. Equal text is accepted by every rule, so a NaN that is expected can be met.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sstar_code.problems import values
from sstar_code.problems.checkers.text import (
    DEFAULT_TOLERANCE,
    close_tokens,
    contest_tokens,
    exact_text,
    livecodebench_text,
    same_line_multiset,
    same_lines,
)
from sstar_code.problems.checkers.values import (
    apps_value,
    close_value,
    exact_value,
    livecodebench_value,
    python_value,
    same_item_multiset,
)
from sstar_code.problems.plugins import Plugin, list_plugins
from sstar_code.problems.problem import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CHECKERS", "accepts", "find_package", "validate_checker"]

CHECKERS = {
    "exact": "stdin: equal text, but for blanks at line ends and empty lines at the end; "
    "function: equal values, where a plain JSON array is met by a list or a tuple",
    "lines": "stdin: the same whitespace-separated tokens on every line; function: as exact",
    "floats": "floats:TOLERANCE; tokens (stdin) or values at any depth (function), where a number written "
    "with a point or exponent may differ by TOLERANCE, absolute or relative; default 1e-6",
    "unordered": "as a multiset of lines (stdin) or of top-level items (function)",
    "python": "functions only: Python's ==, types of containers included, as an assert would do; "
    "python:TOLERANCE lets floats differ",
    "livecodebench": "the rule of LiveCodeBench's own grader",
    "codecontests": "stdin: as floats:1e-5, and letter case does not count; function: as exact",
    "apps": "as floats:1e-6, and a returned list of one item may stand for the item, as in APPS's own grader",
}
"""Name -> what it accepts; installed packages may bring more (`list_checker_plugins`)."""

_LONGEST_WRONG = 100
"""A right output is never this many times as long as the expected one (a float may be written with 309 digits
where 1e308 was expected, a character as an escape of 6), and reading it costs up to 70 times its length."""
_SHORT = 64 * 1024
_TAKES_TOLERANCE = ("floats", "python")


def validate_checker(spec: str, kind: Kind | None = None) -> None:
    """Promise that `accepts` knows `spec` (and that it suits `kind`, where given).

    Raises:
        ValueError: it does not; the message lists the names.
    """
    if _find_plugin(spec):
        return
    _parse(spec)
    if kind is Kind.STDIN and spec.partition(":")[0] == "python":
        raise ValueError(
            "checker `python` compares returned values; for stdin use exact, lines or floats:1e-6"
        )


def _parse(spec: str) -> tuple[str, float | None]:
    name, colon, argument = spec.partition(":")
    if name not in CHECKERS:
        names = ", ".join([*CHECKERS, *list_checker_plugins()])
        raise ValueError(f'unknown checker {spec!r}; there are {names}, or {{"program": source}}')
    if not colon:
        return name, DEFAULT_TOLERANCE if name == "floats" else None
    if name not in _TAKES_TOLERANCE:
        raise ValueError(f"checker {name!r} takes no argument, got {spec!r}")
    try:
        tolerance = float(argument)
    except ValueError:
        tolerance = math.nan
    if not 0 <= tolerance < 1:
        raise ValueError(f"checker {spec!r}: the tolerance must be a number from 0 to 1, like {name}:1e-6")
    return name, tolerance


def accepts(checker: str, kind: Kind, expected: str, got: str) -> bool:
    """Whether `got` is right by the rule `checker` where `expected` is the right output.

    For `Kind.STDIN` both are standard output; for `Kind.FUNCTION` encoded values (`problems.values`).
    What cannot be decoded in `got` is wrong.

    Raises:
        ValueError: `checker` is unknown, or `expected` is not an encoded value.
        UserError: `checker` is of another package, which is broken.
    """
    too_long = len(got) > _SHORT + _LONGEST_WRONG * len(expected)
    if (plugin := _find_plugin(checker)) is not None:
        return not too_long and (expected == got or _ask_plugin(plugin, checker, kind, expected, got))
    name, tolerance = _parse(checker)
    if too_long:
        return False
    if kind is Kind.STDIN:
        validate_checker(checker, kind)
        return expected == got or _STDIN[name](expected, got, tolerance or DEFAULT_TOLERANCE)
    if expected == got:
        return True
    wanted = values.decode(expected)
    try:
        return _FUNCTION[name](wanted, values.decode(got), tolerance)
    except (ValueError, RecursionError):
        return False


def list_checker_plugins() -> Mapping[str, Plugin]:
    """The checkers that installed packages bring.

    Each is a callable that takes what was expected, what the candidate gave (texts, or for functions the
    values) and the text behind the colon of `NAME:text` (None without one), and returns whether that is
    right. It is not asked about equal texts. A ValueError means that what the candidate gave is wrong.

        [project.entry-points."sstar_code.checkers"]
        mine = "my_package:is_right"
    """
    return list_plugins("checker", "sstar_code.checkers")


def find_package(checker: str | Mapping[str, str]) -> str | None:
    """The package and version that bring `checker`, like `my-checkers 1.2`; None where none does."""
    plugin = _find_plugin(checker) if isinstance(checker, str) else None
    return plugin.package if plugin else None


def _find_plugin(spec: str) -> Plugin | None:
    name = spec.partition(":")[0]
    return None if name in CHECKERS else list_checker_plugins().get(name)


def _ask_plugin(plugin: Plugin, checker: str, kind: Kind, expected: str, got: str) -> bool:
    rule = plugin.load()
    _, colon, argument = checker.partition(":")
    wanted, given = expected, got
    if kind is Kind.FUNCTION:
        wanted = values.decode(expected)
        try:
            given = values.decode(got)
        except ValueError:
            return False
    with plugin.blamed():
        try:
            answer = rule(wanted, given, argument if colon else None)
        except ValueError:
            return False
        if answer not in (True, False):
            raise TypeError(f"answers {answer!r} where True or False is expected")
        return bool(answer)


_STDIN: dict[str, Callable[[str, str, float], bool]] = {
    "exact": exact_text,
    "lines": same_lines,
    "floats": close_tokens,
    "unordered": same_line_multiset,
    "livecodebench": livecodebench_text,
    "codecontests": contest_tokens,
    "apps": close_tokens,
}
_FUNCTION: dict[str, Callable[[Any, Any, float | None], bool]] = {
    "exact": exact_value,
    "lines": exact_value,
    "floats": close_value,
    "unordered": same_item_multiset,
    "python": python_value,
    "livecodebench": livecodebench_value,
    "codecontests": exact_value,
    "apps": apps_value,
}
