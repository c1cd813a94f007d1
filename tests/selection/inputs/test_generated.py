"""Inputs that a problem's own generator makes, beside those that are made without it."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem
from sstar_code.selection import Candidate, Pool
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.inputs.search import generated
from sstar_code.selection.inputs.search.explore import find_model_free_inputs

PRINTS = {"program": "import sys\nprint(sys.argv[1])", "commands": "4 \n-5\n123456\n7"}


@pytest.fixture
def find(sandbox_local):
    """The inputs for two programs of a problem with these parts, and the notes."""

    def run(**parts):
        problem = Problem("p", "Print the number.", Kind.STDIN, **parts)
        codes = ("print(int(input()))", "print(min(int(input()), 100000))")

        async def go():
            pool = Pool(problem, tuple(Candidate(code, 0, 0) for code in codes), sandbox_local.sandbox)
            ledger = Ledger()
            return await find_model_free_inputs(pool, [0, 1], ledger, max_runs=60), ledger.notes

        return sandbox_local.call(go)

    return run


def test_they_come_with_the_others_the_telling_ones_first(find):
    """They stand for public tests where there are none, and what the validator refuses is left out."""
    inputs, notes = find(generator=PRINTS, validator={"program": "assert int(input()) > 0"})
    assert "123456\n" in inputs[:3]
    assert {"4\n", "7\n"} <= set(inputs)
    assert "-5\n" not in inputs
    assert "1 of 4 inputs of the problem's generator left out: its validator refuses them" in notes
    assert "3 inputs are of the problem's own generator" in notes


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"generator": {"program": '#include "testlib.h"', "language": "cpp"}}, "testlib.h was not named"),
        ({"generator": {"program": "int main() {}", "language": "cpp"}}, "the sandbox has no cpp17"),
        ({"generator": {"program": "1 / 0"}}, "made no input that can be used"),
        ({"generator": {"program": "print('1' * 20000)"}}, "made no input that can be used"),
        ({"interactor": {"program": ""}}, "programs that talk to an interactor are not compared"),
    ],
)
def test_where_there_are_none_a_note_says_why(find, monkeypatch, parts, told):
    """It cannot be run here, fails, or makes too much; the search goes on without it."""
    monkeypatch.setattr(generated, "_MOST_RUNS", 2)
    assert any(told in note for note in find(**parts)[1])
