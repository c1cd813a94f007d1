"""Rules that compare returned values; `registry` names them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sstar_code.problems import values
from sstar_code.problems.checkers.text import DEFAULT_TOLERANCE, close

__all__ = [
    "apps_value",
    "close_value",
    "exact_value",
    "livecodebench_value",
    "python_value",
    "same_item_multiset",
]


def exact_value(expected: Any, got: Any, _: float | None = None) -> bool:
    """Equal, where a plain JSON array is met by a list or a tuple."""
    return _matches(expected, got, None, loose=True)


def close_value(expected: Any, got: Any, tolerance: float | None) -> bool:
    """As exact_value, but floats at any depth may differ by `tolerance`."""
    return _matches(expected, got, tolerance, loose=True)


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
    numbers = isinstance(expected, int | float) and isinstance(got, int | float)
    if not numbers or (isinstance(expected, int) and isinstance(got, int)):
        return False
    try:
        return close(float(expected), float(got), tolerance or 0.0)
    except OverflowError:  # an integer beyond the range of floats
        return False


def _close_sets(
    expected: set[Any] | frozenset[Any], got: set[Any] | frozenset[Any], tolerance: float
) -> bool:
    wanted, given = sorted(expected - got, key=_order), sorted(got - expected, key=_order)
    return len(wanted) == len(given) and all(
        _is_close(one, other, tolerance) for one, other in zip(wanted, given, strict=True)
    )


def _order(item: Any) -> tuple[str, Any]:
    return ("number", item) if isinstance(item, int | float) else (type(item).__name__, repr(item))


def same_item_multiset(expected: Any, got: Any, _: float | None) -> bool:
    """The same top-level items in any order."""
    sequences = (list, tuple, set, frozenset)
    if not (isinstance(expected, sequences) and isinstance(got, sequences)):
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
        return ("dict", frozenset(values.spread((key, _freeze(item)) for key, item in value.items())))
    if isinstance(value, set | frozenset):
        return ("set", frozenset(values.spread(map(_freeze, value))))
    return value
