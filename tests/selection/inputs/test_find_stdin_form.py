from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Execution, Status
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.selection import Candidate, Pool
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.inputs.search.explore import find_form, find_model_free_inputs

pytestmark = pytest.mark.anyio


def reads_list(text):
    return text.startswith("[") and text.count("\n") == 1


def reads_numbers(text):
    return text.replace("\n", "").isdigit()


@pytest.mark.parametrize(
    ("reads", "first"),
    [(reads_list, "[3, 1, 2]\n"), (reads_numbers, "7\n"), (bool, "abc\n"), (lambda _: False, None)],
)
async def test_the_form_is_the_first_that_most_read(reads, first):
    """Samples are tried on the programs; one that reads all does not outvote two that do not."""

    async def run(texts):
        fine = [Execution(Status.OK if reads(text) else Status.RE) for text in texts]
        return {0: fine, 1: [Execution(Status.OK) for _ in texts]}

    found = await find_form(run, {0: 2, 1: 1})
    assert (found[0] if found else None) == first


async def test_inputs_without_any_example():
    """Where nothing shows the input, what most programs can read stands in for a public test."""

    def answer(program, text):
        if not reads_numbers(text):
            return Execution(Status.RE)
        return str(int(text.split()[0]) + (program.code == "wrong" and int(text.split()[0]) > 40))

    pool = Pool(
        Problem("p", "", Kind.STDIN),
        (Candidate("right", 0, 0), Candidate("wrong", 0, 0)),
        FakeSandbox(answer),
    )
    ledger = Ledger()
    inputs = await find_model_free_inputs(pool, [0, 1], ledger, max_runs=300)
    assert any(int(text.split()[0]) > 40 for text in inputs)
    assert any("guessed" in note for note in ledger.notes)


async def test_a_search_for_one_difference_ends_when_there_is_one():
    """An input on which a program fails is no end; the first on which both end well and differ is."""
    runs = {}

    def answer(program, text):
        runs[program.code] = runs.get(program.code, 0) + 1
        number = int(text)
        if program.code == "wrong" and number < 2:
            return Execution(Status.RE)
        return str(number + (program.code == "wrong" and number > 40))

    problem = Problem("p", "", Kind.STDIN, public_tests=(Test("7\n", "7"),))
    candidates = (Candidate("right", 0, 0), Candidate("wrong", 0, 0))
    pool = Pool(problem, candidates, FakeSandbox(answer))
    inputs = await find_model_free_inputs(pool, [0, 1], Ledger(), stops_at_split=True)
    assert any(int(text) > 40 for text in inputs)
    assert any(int(text) < 2 for text in inputs)
    assert max(runs.values()) <= 2 * len(inputs) < 60
