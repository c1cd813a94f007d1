"""What a wave looks at: a few inputs, always the same, each run once."""

from __future__ import annotations

import pytest

from sstar_code.agent.allocation.sample import LOOK_INPUTS, count_alike, list_inputs
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Execution, Status
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.sandbox.memo import MemoSandbox

PROBLEM = Problem(
    "sum", "Read two integers and print their sum.", Kind.STDIN, public_tests=(Test("1 2\n", "3"),)
)


def happen(program, text):
    """By name: `sum`, `abs` (of the sum), `never` (out of time), `crash`."""
    first, second = map(int, text.split())
    if "never" in program.code:
        return Execution(Status.TLE)
    if "crash" in program.code and first > second:
        return Execution(Status.RE)
    return str(abs(first + second) if "abs" in program.code else first + second)


def test_inputs_are_the_same_for_all_waves_and_never_public():
    """They depend on problem and seed alone."""
    found = list_inputs(PROBLEM, 0)
    assert found == list_inputs(PROBLEM, 0) != list_inputs(PROBLEM, 1)
    assert len(set(found)) == len(found) == LOOK_INPUTS
    assert "1 2\n" not in found
    assert list_inputs(Problem("bare", "Do it.", Kind.STDIN), 0) == []


@pytest.mark.anyio
async def test_groups_are_behaviours_and_copies_count():
    """Three texts, two behaviours: sizes count samples, largest first."""
    codes = ["print('sum')", "print('sum')  # again", "print('sum', 2)", "print('abs')"]
    inputs = ["4 5\n", "-4 1\n", "0 0\n"]
    assert await count_alike(PROBLEM, codes, FakeSandbox(happen), inputs) == (3, 1)
    assert await count_alike(PROBLEM, codes[:2], FakeSandbox(happen), inputs) == (2,)
    assert await count_alike(PROBLEM, codes, FakeSandbox(happen), []) == (2, 1, 1)


@pytest.mark.anyio
async def test_a_later_wave_runs_only_what_is_new():
    """A program that was looked at before is not run again."""
    sandbox, inputs = MemoSandbox(FakeSandbox(happen)), ["4 5\n", "-4 1\n"]
    await count_alike(PROBLEM, ["print('sum')", "print('abs')"], sandbox, inputs)
    before = sandbox.executed
    await count_alike(PROBLEM, ["print('sum')", "print('abs')", "print('sum', 3)"], sandbox, inputs)
    assert (before, sandbox.executed) == (4, 6)


@pytest.mark.anyio
async def test_slow_programs_cost_little():
    """A program that runs out of time twice is run no further, and behaves like none that answers."""
    sandbox, inputs = MemoSandbox(FakeSandbox(happen)), [f"{number} 1\n" for number in range(16)]
    codes = ["print('sum')", "print('never')", "print('sum', 2)"]
    assert await count_alike(PROBLEM, codes, sandbox, inputs) == (2, 1)
    assert sandbox.executed <= 16 + 16 + 4
    only = await count_alike(PROBLEM, ["print('never')", "print('never', 2)"], sandbox, inputs)
    assert only == (1, 1), "where no input is left, the text decides"
