"""Statements in the forms of many sites: no right program is refused, wrong ones where tests are read."""

from __future__ import annotations

import contextlib
import io
import sys
import tomllib
from pathlib import Path

import pytest

from sstar_code.problems import Kind
from sstar_code.problems.checkers import accepts
from sstar_code.problems.statements.parse import read_statement
from sstar_code.problems.values import decode_lines, encode

FOLDER = Path(__file__).parent / "sites"
CASES = [
    {"language": "en", "says": "", **case}
    for file in sorted(FOLDER.glob("*.toml"))
    for case in tomllib.loads(file.read_text(encoding="utf-8"))["statement"]
]


def run(problem, code, test):
    """Whether `code` passes `test`; the programs are this repository's own."""
    space = {"__name__": "__main__"}
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
        patch.setattr(sys, "stdin", io.StringIO(test.input if problem.kind is Kind.STDIN else ""))
        try:
            exec(code, space)
            if test.program is not None:
                exec(test.program, space)
                return True
            got = output.getvalue()
            if problem.kind is Kind.FUNCTION:
                owner, _, name = problem.entry_point.rpartition(".")
                target = getattr(space[owner](), name) if owner else space[name]
                got = encode(target(*decode_lines(test.input)))
        except (AssertionError, EOFError, ValueError, IndexError):
            return False
    return accepts(problem.checker, problem.kind, test.output, got)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['site']}, {case['form']}")
def test_a_right_program_is_accepted_and_a_wrong_one_refused(case):
    """The examples of a statement are read as what they are, or it says that they are not."""
    reading = read_statement(case["text"], id="p")
    problem = reading.problem
    said = [*reading.notes, *(["no example found"] if not problem.public_tests else [])]
    assert len(problem.public_tests) == case["tests"], (problem.public_tests, said)
    assert all(run(problem, case["right"], test) for test in problem.public_tests), problem.public_tests
    assert any(case["says"] in note for note in said) or not case["says"], said
    if problem.public_tests and not case.get("unsure"):
        assert not all(run(problem, case["wrong"], test) for test in problem.public_tests)
    for key, value in case.get("facts", {}).items():
        assert getattr(problem, key) == value, key


def test_the_statements_cover_what_they_promise():
    """At least 60 statements, in the forms of 20 sites and in 6 languages; four of five are understood."""
    assert len(CASES) >= 60
    assert len({case["site"] for case in CASES}) >= 20
    assert len({case["language"] for case in CASES}) >= 6
    assert sum(case["tests"] > 0 for case in CASES) >= 0.8 * len(CASES)
