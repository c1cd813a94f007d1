"""Decides whether an output is right, by named rules that compare it with the expected one.

A rule never runs anything. Outputs are untrusted: one that is much longer than what is expected is wrong
without being read, and no text makes a rule raise or take more than about n log n time and memory. Equal
text is accepted by every rule, so a NaN that is expected can be met.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sstar_code.problems import values
from sstar_code.problems.plugins import Plugin, list_plugins
from sstar_code.problems.problem import Kind

CHECKERS = {
    "exact": "stdin: equal text, but for blanks at line ends and empty lines at the end; "
    "function: equal values, where a plain JSON array is met by a list or a tuple",
    "lines": "stdin: the same whitespace-separated tokens on every line; function: as exact",
    "floats": "floats:TOLERANCE; tokens (stdin) or values at any depth (function), where a number written "
    "with a point or exponent may differ by TOLERANCE, absolute or relative; default 1e-6. Of an "
    "expected integer of 0.5/TOLERANCE or more (500,000) only the absolute difference counts",
    "unordered": "as a multiset of lines (stdin) or of top-level items (function)",
    "any-case": "as exact, and letter case does not count",
    "python": "functions only: Python's ==, types of containers included, as an assert would do; "
    "python:TOLERANCE lets floats differ",
    "livecodebench": "the rule of LiveCodeBench's own grader",
    "codecontests": "stdin: as floats:1e-5, and letter case does not count; function: as exact",
    "apps": "as floats:1e-6, and a returned list of one item may stand for the item, as in APPS's own grader",
}
"""Name -> what it accepts; installed packages may bring more (`list_checker_plugins`)."""

DEFAULT_TOLERANCE = 1e-6
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


def longest_right(expected: str) -> int:
    """Characters of the longest output that can be right where `expected` is: a longer one need not be read.

    64 K characters and 100 times as many as expected (a float may be written with 309 digits where 1e308 was
    expected); beyond a million, 8 times as many: a character as an escape of 6, a float with all its digits.
    """
    return _SHORT + max(min(100 * len(expected), 1 << 20), 8 * len(expected))


def accepts(checker: str, kind: Kind, expected: str, got: str) -> bool:
    """Whether `got` is right by the rule `checker` where `expected` is the right output.

    For `Kind.STDIN` both are standard output; for `Kind.FUNCTION` encoded values (`problems.values`).
    What is longer than `longest_right` or cannot be decoded in `got` is wrong.

    Raises:
        ValueError: `checker` is unknown, or `expected` is not an encoded value.
        UserError: `checker` is of another package, which is broken.
    """
    too_long = len(got) > longest_right(expected)
    if (plugin := _find_plugin(checker)) is not None:
        return not too_long and (expected == got or _ask_plugin(plugin, checker, kind, expected, got))
    name, tolerance = _parse(checker)
    if too_long:
        return False
    if kind is Kind.STDIN:
        validate_checker(checker, kind)
        return expected == got or _STDIN[name](
            expected, got, DEFAULT_TOLERANCE if tolerance is None else tolerance
        )
    if expected == got:
        return True
    wanted = values.decode(expected)
    try:
        return _FUNCTION[name](wanted, values.decode(got), tolerance)
    except Exception:  # noqa: BLE001 - no value of a candidate may end more than its own test
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


_NUMBERS = (int, float, Decimal, Fraction)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_SPECIAL = {"nan", "+nan", "-nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}


def _stripped_lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def exact_text(expected: str, got: str, _: float) -> bool:
    """Equal but for blanks at line ends and empty lines at the end."""
    return _stripped_lines(expected) == _stripped_lines(got)


def _line_tokens(text: str) -> list[list[str]]:
    return [line.split() for line in _stripped_lines(text)]


def same_lines(expected: str, got: str, _: float) -> bool:
    """The same tokens on every line."""
    return _line_tokens(expected) == _line_tokens(got)


def same_line_multiset(expected: str, got: str, _: float) -> bool:
    """The same lines in any order, compared by tokens."""
    return Counter(map(tuple, _line_tokens(expected))) == Counter(map(tuple, _line_tokens(got)))


def close_tokens(expected: str, got: str, tolerance: float) -> bool:
    """The same tokens; a number with a point or exponent may differ by `tolerance`."""
    wanted = expected.split()
    given = got.split(maxsplit=len(wanted))
    return len(wanted) == len(given) and all(
        _close_token(one, other, tolerance) for one, other in zip(wanted, given, strict=True)
    )


def _close_token(expected: str, got: str, tolerance: float) -> bool:
    if expected == got:
        return True
    if _INTEGER.fullmatch(expected) and _INTEGER.fullmatch(got):
        return _plain_integer(expected) == _plain_integer(got)
    if expected.lower() in _SPECIAL and got.lower() in _SPECIAL:
        return close(float(expected), float(got), tolerance)
    if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(got)):
        return False
    one, other = float(expected), float(got)
    if not (math.isfinite(one) and math.isfinite(other) and close(one, other, tolerance)):
        return False
    return not _INTEGER.fullmatch(expected) or _is_met(int(Decimal(expected)), got, tolerance)


def _is_met(expected: int, got: Any, tolerance: float) -> bool:
    """Whether a close number meets an integer: not by `tolerance` of its size where others are as near."""
    if abs(expected) * tolerance < 0.5:
        return True
    gap: Any = expected - got if isinstance(got, Fraction) else Decimal(expected) - Decimal(got)
    return bool(abs(gap) <= tolerance)


def _plain_integer(token: str) -> str:
    """A canonical spelling: as text, because converting many digits is slow and Python refuses it."""
    digits = token.lstrip("+-").lstrip("0") or "0"
    return f"-{digits}" if token.startswith("-") and digits != "0" else digits


def close(expected: float, got: float, tolerance: float) -> bool:
    """Whether two numbers differ by at most `tolerance`, absolute or relative; NaN is close to NaN."""
    if math.isnan(expected) or math.isnan(got):
        return math.isnan(expected) and math.isnan(got)
    return math.isclose(expected, got, rel_tol=tolerance, abs_tol=tolerance)


def same_text_in_any_case(expected: str, got: str, tolerance: float) -> bool:
    """As exact_text, and letter case does not count."""
    return exact_text(expected.lower(), got.lower(), tolerance)


def livecodebench_text(expected: str, got: str, _: float) -> bool:
    """Lines equal after stripping, or equal token by token as decimal numbers.

    Source: `grade_stdio` in LiveCodeBench's lcb_runner/evaluation/testing_util.py.
    """
    wanted = [line.strip() for line in expected.strip().split("\n")]
    given = [line.strip() for line in got.strip().split("\n")]
    return len(wanted) == len(given) and all(
        one == other or _equal_decimals(one, other) for one, other in zip(wanted, given, strict=True)
    )


def _equal_decimals(expected: str, got: str) -> bool:
    wanted = expected.split()
    given = got.split(maxsplit=len(wanted))
    try:
        return len(wanted) == len(given) and list(map(Decimal, wanted)) == list(map(Decimal, given))
    except ArithmeticError:  # not a number, an exponent out of range, or a signalling NaN
        return False


def contest_tokens(expected: str, got: str, _: float) -> bool:
    """Tokens in any layout and letter case, numbers within 1e-5.

    Source: `OutputsMatch` in code_contests' execution/tester_sandboxer.cc, whose tolerance is absolute only;
    long integers, which it compares as floats, are exact here.
    """
    return close_tokens(expected.lower(), got.lower(), 1e-5)


def exact_value(expected: Any, got: Any, _: float | None = None) -> bool:
    """Equal, where a plain JSON array is met by a list or a tuple."""
    return _matches(expected, got, None, loose=True)


def close_value(expected: Any, got: Any, tolerance: float | None) -> bool:
    """As exact_value, but floats at any depth may differ by `tolerance`."""
    return _matches(expected, got, tolerance, loose=True)


def same_value_in_any_case(expected: Any, got: Any, _: float | None) -> bool:
    """Texts, or sequences of texts, that differ in letter case at most; all else as exact_value."""
    return exact_value(_lower(expected), _lower(got))


def _lower(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(item.lower() if isinstance(item, str) else item for item in value)
    return value.lower() if isinstance(value, str) else value


def python_value(expected: Any, got: Any, tolerance: float | None) -> bool:
    """Python's ==, types of containers included; floats may differ by `tolerance` where it is given."""
    if tolerance is None:
        return bool(expected == got)
    return _matches(expected, got, tolerance, loose=False)


def apps_value(expected: Any, got: Any, _: float | None) -> bool:
    """Source: `run_test` in the APPS repository's eval/testing_util.py, which tries both readings."""
    return close_value(expected, got, DEFAULT_TOLERANCE) or close_value([expected], got, DEFAULT_TOLERANCE)


def livecodebench_value(expected: Any, got: Any, _: float | None) -> bool:
    """Equal, and a returned tuple counts as a list; tuples deeper inside do not.

    Source: `grade_call_based` in LiveCodeBench's lcb_runner/evaluation/testing_util.py.
    """
    return bool((list(got) if isinstance(got, tuple) else got) == expected)


def _matches(expected: Any, got: Any, tolerance: float | None, *, loose: bool) -> bool:
    """Equality by structure; `loose`: a tuple meets a list; `tolerance`: None compares floats exactly."""
    if isinstance(expected, list | tuple):
        same_type = type(got) is type(expected) or (loose and type(expected) is list and type(got) is tuple)
        if not same_type or len(expected) != len(got):
            return False
        pairs = zip(expected, got, strict=True)
    elif isinstance(expected, dict):
        if not isinstance(got, dict) or expected.keys() != got.keys():
            return False
        pairs = zip(expected.values(), map(got.get, expected), strict=True)
    else:
        return bool(expected == got) or _is_close(expected, got, tolerance)
    for one, other in pairs:  # noqa: SIM110 - a loop: `all` would take one more frame a level
        if not _matches(one, other, tolerance, loose=loose):
            return False
    return True


def _is_close(expected: Any, got: Any, tolerance: float | None) -> bool:
    if isinstance(expected, set | frozenset) and isinstance(got, set | frozenset):
        return tolerance is not None and _close_sets(expected, got, tolerance)
    numbers = isinstance(expected, _NUMBERS) and isinstance(got, _NUMBERS)
    if not numbers or (isinstance(expected, int) and isinstance(got, int)):
        return False
    bound = tolerance or 0.0
    try:
        is_close = close(float(expected), float(got), bound)
    except OverflowError:  # an integer beyond the range of floats
        return False
    return is_close and (not isinstance(expected, int) or _is_met(expected, got, bound))


def _close_sets(expected: AbstractSet[Any], got: AbstractSet[Any], tolerance: float) -> bool:
    wanted, given = sorted(expected - got, key=_order), sorted(got - expected, key=_order)
    return len(wanted) == len(given) and all(
        _is_close(one, other, tolerance) for one, other in zip(wanted, given, strict=True)
    )


def _order(item: Any) -> tuple[str, Any]:
    return ("number", item) if isinstance(item, int | float) else (type(item).__name__, repr(item))


def same_item_multiset(expected: Any, got: Any, _: float | None) -> bool:
    """The same top-level items in any order."""
    if not all(isinstance(value, list | tuple | set | frozenset) for value in (expected, got)):
        return exact_value(expected, got)
    if len(expected) != len(got):
        return False
    left = Counter(map(_freeze, expected))
    for item in map(_freeze, got):  # looked up only: a table of untrusted items could be made slow
        if not left[item]:
            return False
        left[item] -= 1
    return True


def _freeze(value: Any) -> Any:
    """A hashable stand-in for `value`: equal where values are equal, list and tuple alike."""
    if isinstance(value, list | tuple):
        return ("sequence", *map(_freeze, value))
    if isinstance(value, dict):
        return ("dict", frozenset(values.spread(zip(value, map(_freeze, value.values()), strict=True))))
    if isinstance(value, set | frozenset):
        return ("set", frozenset(values.spread(map(_freeze, value))))
    return value


_STDIN: dict[str, Callable[[str, str, float], bool]] = {
    "exact": exact_text,
    "lines": same_lines,
    "floats": close_tokens,
    "unordered": same_line_multiset,
    "any-case": same_text_in_any_case,
    "livecodebench": livecodebench_text,
    "codecontests": contest_tokens,
    "apps": close_tokens,
}
_FUNCTION: dict[str, Callable[[Any, Any, float | None], bool]] = {
    "exact": exact_value,
    "lines": exact_value,
    "floats": close_value,
    "unordered": same_item_multiset,
    "any-case": same_value_in_any_case,
    "python": python_value,
    "livecodebench": livecodebench_value,
    "codecontests": exact_value,
    "apps": apps_value,
}
