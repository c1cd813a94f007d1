"""Whatever programs and tools do, a method spends at most five CPU seconds a problem on runs."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection import METHODS, Pool
from sstar_code.selection.evidence.board import MOST_CPU_S, Ledger
from sstar_code.selection.evidence.cpu_budget import CpuBudget

pytestmark = pytest.mark.anyio

STEPS = Problem(
    "steps", "The number of ways. 1 <= n <= 10^6", Kind.FUNCTION, "f", public_tests=(Test("1", "1"),)
)
SLOW = "def f(n):\n    if n > {limit}:\n        raise TimeoutError\n    return n + {add} * (n > 2)"
ENDLESS = "def {name}(data):\n    if data != [1]:\n        raise TimeoutError\n    return {value}"
KIT = (
    "def generate(seed, size):\n    if size == 'worst':\n        raise TimeoutError\n    return [3 + seed]\n"
)
TESTS = "\n".join(f"assert f({number}) == {number}" for number in range(40))
INPUTS = "```json\n" + str([[number] for number in range(30, 50)]) + "\n```"


def block(code):
    return f"```python\n{code}\n```"


def spend(sandbox):
    """What every run of `sandbox` took, in CPU seconds, as a list that grows."""
    spent, inner = [], sandbox.run

    async def run(program, inputs, limits, **options):
        runs = await inner(program, inputs, limits, **options)
        spent.extend(run.cpu_s or 0.002 for run in runs)
        return runs

    sandbox.run = run
    return spent


@pytest.mark.parametrize("limit", [0, 3, 40, 10**5], ids=lambda limit: f"slow above {limit}")
@pytest.mark.parametrize("method", ["adaptive", "majority", "mbr", "sstar", "codet"])
async def test_no_method_spends_more(make_pool, trusting_sandbox, scripted_ask, method, limit):
    """Candidates that never end, a generator of worst cases, a validator and a brute force that never end."""
    valid, solve = ENDLESS.format(name="valid", value=True), ENDLESS.format(name="solve", value=1)
    ask = scripted_ask(
        kit=block(KIT + valid),
        reference=block(solve),
        choose="ANSWER: A",
        judge="ANSWER: 1",
        inputs=INPUTS,
        distinguish=INPUTS,
        tests=TESTS,
    )
    spent = spend(trusting_sandbox)
    codes = [SLOW.format(limit=limit, add=number % 4) + f"\nx = {number}" for number in range(12)]
    selection = await METHODS[method](make_pool(codes, ask, STEPS))
    assert selection.chosen is not None
    assert sum(spent) <= MOST_CPU_S + 1e-9
    assert MOST_CPU_S == 5.0


async def test_a_tool_that_never_ends_is_given_up(make_pool, trusting_sandbox):
    """After two runs that use up their limit the rest is left out, so that others may run."""
    pool, ledger = make_pool([SLOW.format(limit=9, add=0)], None, STEPS), Ledger()
    program = pool.board.again(0)
    runs = await CpuBudget(pool, ledger).run_tool(program, ["2", "10", "3", "11", "4", "5", "6", "12", "7"])
    assert [run is None for run in runs] == [False] * 7 + [True] * 2
    assert ledger.left_s == pytest.approx(MOST_CPU_S - 2 * 0.5 - 5 * 0.0025)


async def test_inputs_are_tried_in_order_as_far_as_the_seconds_last(make_pool):
    """What has not run on every program is left out, and a note says how much; what is known is free."""
    pool, ledger = make_pool([SLOW.format(limit=9, add=add) for add in (0, 1)], None, STEPS), Ledger()
    budget = CpuBudget(pool, ledger, 1.05)
    texts, runs = await budget.run_most([0, 1], ["1", "2", "10", "11", "12", "3"])
    assert texts == ["1", "2", "10", "11"]
    assert {len(mine) for mine in runs.values()} == {len(texts)}
    assert "left out" in ledger.notes[-1]
    before = ledger.left_s
    assert (await budget.run_most([0, 1], texts))[0] == texts
    assert ledger.left_s == before


async def test_a_ledger_is_shared_by_all_stages(square_problem, trusting_sandbox):
    """A share never holds more than what the ledger has left."""
    pool, ledger = Pool(square_problem, (), trusting_sandbox), Ledger()
    first, second = CpuBudget(pool, ledger, 3.0), CpuBudget(pool, ledger, 4.0)
    first.spend(2.5)
    assert (first.left_s, second.left_s) == (0.5, 2.5)
