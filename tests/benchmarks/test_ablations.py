from __future__ import annotations

import pytest

from benchmarks.recorded.selection.ablations import ablate
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Execution, Status
from sstar_code.selection import METHODS, Candidate, Pool
from sstar_code.selection.judging import preparation
from sstar_code.selection.methods import adaptive

pytestmark = pytest.mark.anyio


class Echo:
    """Every program prints its input."""

    name, workers = "echo", 1

    def __init__(self):
        self.inputs = set()

    async def run(self, program, inputs, limits, *, stop_on_failure=False):
        self.inputs |= set(inputs)
        return [Execution(Status.OK, stdout=text) for text in inputs]


async def test_without_fuzz_only_public_inputs_run():
    """As long as the ablation lasts, no input is made; afterwards everything is as before."""
    problem = Problem("p", "s", Kind.STDIN, public_tests=(Test("3\n", "3"),))
    pool = Pool(problem, (Candidate("a", 1, 1), Candidate("b", 1, 1)), Echo())
    before = adaptive.find_model_free_inputs, preparation.shrink_input
    with ablate(["fuzz", "shrink", "trust"]):
        await METHODS["mbr"](pool)
        await METHODS["adaptive"](pool)
        assert await preparation.shrink_input(problem, "12\n", None, max_tries=3) == "12\n"
    assert pool.board._sandbox.inputs == {"3\n"}
    assert (adaptive.find_model_free_inputs, preparation.shrink_input) == before
