"""Rules that compare standard output; `registry` names them."""

from __future__ import annotations

import math
import re
from collections import Counter
from decimal import Decimal

__all__ = [
    "DEFAULT_TOLERANCE",
    "close",
    "close_tokens",
    "contest_tokens",
    "exact_text",
    "livecodebench_text",
    "same_line_multiset",
    "same_lines",
]

DEFAULT_TOLERANCE = 1e-6

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_SPECIAL = {"nan", "+nan", "-nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}


def _stripped_lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


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
    wanted, given = expected.split(), got.split()
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
    return math.isfinite(one) and math.isfinite(other) and close(one, other, tolerance)


def _plain_integer(token: str) -> str:
    """A canonical spelling: as text, because converting many digits is slow and Python refuses it."""
    digits = token.lstrip("+-").lstrip("0") or "0"
    return f"-{digits}" if token.startswith("-") and digits != "0" else digits


def close(expected: float, got: float, tolerance: float) -> bool:
    """Whether two numbers differ by at most `tolerance`, absolute or relative; NaN is close to NaN."""
    if math.isnan(expected) or math.isnan(got):
        return math.isnan(expected) and math.isnan(got)
    return math.isclose(expected, got, rel_tol=tolerance, abs_tol=tolerance)


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
    wanted, given = expected.split(), got.split()
    if len(wanted) != len(given):
        return False
    try:
        return list(map(Decimal, wanted)) == list(map(Decimal, given))
    except ArithmeticError:  # not a number, an exponent out of range, or a signalling NaN
        return False


def contest_tokens(expected: str, got: str, _: float) -> bool:
    """Tokens in any layout and letter case, numbers within 1e-5.

    Source: `OutputsMatch` in code_contests' execution/tester_sandboxer.cc, whose tolerance is absolute only;
    long integers, which it compares as floats, are exact here.
    """
    return close_tokens(expected.lower(), got.lower(), 1e-5)
