from __future__ import annotations

import pytest

from benchmarks.recorded.pools import PoolProblem
from benchmarks.recorded.selection import sweeps
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Execution, Status
from sstar_code.selection import Candidate

pytestmark = pytest.mark.anyio


class Halver:
    """Program "b" is wrong on the inputs that end in 0 to 4."""

    name, workers = "halver", 1

    async def run(self, program, inputs, limits, *, stop_on_failure=False):
        wrong = [program.code == "b" and int(text) % 10 < 5 for text in inputs]
        return [
            Execution(Status.OK, stdout="no" if off else text)
            for text, off in zip(inputs, wrong, strict=True)
        ]


async def test_fewer_inputs_are_a_chance_part_of_more(monkeypatch):
    """A count is not filled up with the inputs that are known afterwards to tell most."""
    telling_first = sorted((f"{number}\n" for number in range(100)), key=lambda text: int(text) % 10)
    shown = []

    async def find(pool, members, ledger, *, max_runs):
        return list(telling_first)

    async def observe(pool, members, inputs, ledger):
        shown.append(list(inputs))
        return await really_observe(pool, members, inputs, ledger)

    really_observe = sweeps.observe
    monkeypatch.setattr(sweeps, "find_model_free_inputs", find)
    monkeypatch.setattr(sweeps, "observe", observe)
    problem = Problem("p", "s", Kind.STDIN, public_tests=(Test("3\n", "3"),))
    candidates = tuple(Candidate(code, 1, 1, hidden_pass=code != "b") for code in "abcd")
    rows = await sweeps._sweep("pool", PoolProblem(problem, candidates), Halver(), (10, 40, 100))
    assert [row.trial for row in rows] == ["10 inputs", "40 inputs", "100 inputs"]
    assert [row.executions for row in rows] == [40, 160, 400]
    assert shown[1][:10] == shown[0]
    assert shown[2][:40] == shown[1]
    telling = [sum(int(text) % 10 < 5 for text in inputs) / len(inputs) for inputs in shown]
    assert telling[2] == 0.5
    assert telling[0] < 1
    assert telling[1] < 0.8
