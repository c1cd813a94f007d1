"""Writes inputs whose right output is believed to be known as a pytest file that needs nothing of ours.

selection.emit.write_tests(problem, tests, Path("tests/test_f.py"), target="package.module")
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sstar_code.problems import Kind, UserError
from sstar_code.problems.values import decode, decode_lines
from sstar_code.selection.pytest_export.source import comparison, find_subject, literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sstar_code.problems import Problem
    from sstar_code.selection.protocols import Derived
    from sstar_code.selection.pytest_export.source import Comparison, Subject

__all__ = ["name_of", "render_tests", "write_tests"]

_MAX_CHARS = 20_000
"""Of one test's input and output: a longer one is no test that a person reads."""


def write_tests(
    problem: Problem, tests: Sequence[Derived], path: Path, *, target: str, overwrite: bool = False
) -> int:
    """Write `tests` to `path`; how many were written. No file is made where that is none.

    See `render_tests` for `target` and for which tests are left out.

    Raises:
        UserError: `path` is there and `overwrite` is not set, or it cannot be written.
        ValueError: `target` or the problem's entry point is no name.
    """
    text, count = render_tests(problem, tests, target=target)
    if count:
        try:
            with path.open("w" if overwrite else "x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError as error:
            raise UserError(f"{path} is there already; name another file, or say --overwrite") from error
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; the tests are not written") from error
    return count


def render_tests(problem: Problem, tests: Sequence[Derived], *, target: str) -> tuple[str, int]:
    """Source of a pytest file with one function a test, and how many these are.

    `target` is the program under test: a module to import the entry point from, or a file ending in `.py`,
    which is found relative to the test file. Over each function a comment says how its output was confirmed
    and how sure that is. Outputs are compared as the problem's checker would. Left out is a test with a
    value that no Python literal gives, or one longer than 20,000 characters.

    Raises:
        ValueError: `target` or the problem's entry point is no name.
    """
    how, subject = comparison(problem), find_subject(problem, target)
    checks = [(test, body) for test in _distinct(tests) if (body := _body(problem, test, subject, how))]
    needs_source = any("_same(" in body or "_shape(" in body for _, body in checks)
    imports = (*subject.imports, *(how.imports if needs_source else ()))
    head = [
        f"# Tests for {_flat(problem.id)}: inputs on which it is believed to be known what is right,",
        "# found while choosing among programs by what they do. Look at each before you rely on it.",
        "",
        *sorted({_import(name) for name in imports}, key=lambda line: (line.startswith("from"), line)),
    ]
    parts = ["\n".join(head), *filter(None, (subject.source, how.source if needs_source else ""))]
    slug = name_of(problem.id)
    for number, (test, body) in enumerate(checks, start=1):
        said = f"# Confirmed by {_flat(test.why)} (probability {test.confidence:.2f})."
        parts.append(f"{said}\ndef test_{slug}_{number}():\n    {body}")
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n", len(checks)


def _import(name: str) -> str:
    """`name` is a module, or a module and what to take from it."""
    module, _, item = name.rpartition(".")
    return f"from {module} import {item}" if module else f"import {item}"


def name_of(identifier: str) -> str:
    """`identifier` as a part of a Python name or of a file's name: `humaneval_3` for `HumanEval/3`."""
    return re.sub(r"[^a-z0-9]+", "_", identifier.lower()).strip("_") or "problem"


def _distinct(tests: Sequence[Derived]) -> list[Derived]:
    """The surest of those with one input, in order."""
    best: dict[str, Derived] = {}
    for test in tests:
        if test.input not in best or test.confidence > best[test.input].confidence:
            best[test.input] = test
    return [test for test in best.values() if len(test.input) + len(test.output) <= _MAX_CHARS]


def _flat(text: str) -> str:
    """One line of what can be printed, so that it stays a comment."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def _body(problem: Problem, test: Derived, subject: Subject, how: Comparison) -> str | None:
    """The assert; None where a value has no literal."""
    check = how.check
    try:
        if problem.kind is Kind.STDIN:
            given, wanted = repr(test.input), repr(test.output)
        else:
            given, value = ", ".join(map(literal, decode_lines(test.input))), decode(test.output)
            wanted = literal(value)
            if value is None or type(value) in (bool, int, str):
                check = how.of_plain or check
    except (ValueError, RecursionError):
        return None
    return check.format(wanted=wanted, got=f"{subject.call}({given})", text=repr(test.input))
