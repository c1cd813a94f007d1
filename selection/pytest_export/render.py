"""Renders pytest files: literals, imports, one function for each confirmed input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.selection.protocols import Derived

_MAX_CHARS = 20_000
"""Characters of one test's input and output together: a longer one is no test that a person reads."""


def literal(value: Any) -> str:
    """Python source of `value`.

    Raises:
        ValueError: there is none.
        RecursionError: it is nested too deeply.
    """
    kind = type(value)
    if kind is float:
        return repr(value) if value - value == 0 else f'float("{value}")'
    if value is None or kind in (bool, int, str, bytes, complex):
        return repr(value)
    if kind is dict:
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if kind is list:
        return f"[{', '.join(map(literal, value))}]"
    if kind is tuple:
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    if kind in (set, frozenset):
        return f"{kind.__name__}([{', '.join(sorted(map(literal, value)))}])"
    raise ValueError(f"no literal gives a {kind.__name__}")


def choose_tests(tests: Sequence[Derived]) -> list[Derived]:
    """The surest of those with one input, in order, without those too long to read."""
    best: dict[str, Derived] = {}
    for test in tests:
        if test.input not in best or test.confidence > best[test.input].confidence:
            best[test.input] = test
    return [test for test in best.values() if len(test.input) + len(test.output) <= _MAX_CHARS]


def flatten(text: str) -> str:
    """One line of what can be printed in `text`, so that it stays a comment."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def render_file(
    head: Sequence[str],
    imports: Iterable[str],
    definitions: Iterable[str],
    tests: Iterable[tuple[str, Derived, str]],
    *,
    when: str = "",
) -> str:
    """Source of a pytest file: comments, import statements in any order, definitions, and test functions.

    `tests` gives for each the subject's name as a part of a Python name, the test, and the statements that
    check it. Over each a comment says how its output was confirmed, and `when`.
    """
    ordered = sorted(set(imports), key=lambda line: (line.startswith("from"), line))
    parts = ["\n".join([*head, *ordered]), *definitions]
    numbers: Counter[str] = Counter()
    for name, test, body in tests:
        numbers[name] += 1
        said = f"# Confirmed by {flatten(test.why)} (probability {test.confidence:.2f}){when}."
        parts.append(f"{said}\ndef test_{name}_{numbers[name]}():\n{indent(body, '    ')}")
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def write_file(path: Path, text: str, *, overwrite: bool = False, advice: str) -> None:
    """Write `text` to `path`.

    Raises:
        UserError: `path` is there and `overwrite` is not set (then with `advice`), or it cannot be written.
    """
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UserError(f"{path} is there already; {advice}") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; the tests are not written") from error
