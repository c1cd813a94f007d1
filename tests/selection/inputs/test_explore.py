"""Pairs of programs that model-free inputs alone tell apart, and the budget that this keeps to."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import decode_lines
from sstar_code.sandbox import Execution, Status
from sstar_code.selection import Candidate, Pool
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.clustering import find_differences
from sstar_code.selection.evidence.cpu_budget import CpuBudget, charge_s
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.search.explore import find_model_free_inputs
from sstar_code.selection.inputs.search.shrink import shrink_input
from sstar_code.selection.inputs.strategies.streams import Mutations

pytestmark = pytest.mark.anyio

PAIRS = {
    "overflow to float": (
        "16",
        "import math\ndef f(n): return n >= 0 and math.isqrt(n) ** 2 == n",
        "import math\ndef f(n): return n >= 0 and math.sqrt(n).is_integer()",
        20,
    ),
    "off by one": (
        "[3, 4, 5]\n4",
        "def f(a, k): return sum(x <= k for x in a)",
        "def f(a, k): return sum(x < k for x in a)",
        8,
    ),
    "ties": (
        '["b", "a", "b"]',
        "def f(w): return max(sorted(set(w)), key=w.count) if w else ''",
        "def f(w): return max(w, key=w.count) if w else ''",
        14,
    ),
    "empty input": ("[1, 2]", "def f(a): return max(a, default=0)", "def f(a): return max(a)", 3),
    "duplicates": ("[1, 2, 3]", "def f(a): return sorted(a)", "def f(a): return sorted(set(a))", 8),
    "ordering": (
        "[2, 1]",
        "def f(a): return sorted(set(a))",
        "def f(a): return list(dict.fromkeys(sorted(a, key=str)))",
        10,
    ),
    "mutated argument": (
        "[1, 2, 3]",
        "def f(a):\n    b = sorted(a)\n    return [a[:1], b[:1]]",
        "def f(a):\n    b = a\n    b.sort()\n    return [a[:1], b[:1]]",
        8,
    ),
    "stable sort": (
        '[["a", 2], ["b", 3]]',
        "def f(a): return sorted(a, key=lambda item: item[1])",
        "def f(a): return sorted(a, key=lambda item: (item[1], item[0]))",
        28,
    ),
    "negative modulo": ("7\n3", "def f(a, b): return a % b", "def f(a, b): return a - int(a / b) * b", 6),
    "unicode": (
        '"Abc"',
        "def f(s): return s.upper()",
        "def f(s): return ''.join(chr(ord(c) - 32) if c.islower() else c for c in s)",
        12,
    ),
    "recursion depth": (
        "[1, 2, 3]",
        "def f(a): return sum(a)",
        "def f(a): return a[0] + f(a[1:]) if a else 0",
        4_000,
    ),
    "too slow": (
        "[1, 2, 3]",
        "def f(a): return len(set(a))",
        "def f(a):\n    if len(a) > 500: raise TimeoutError\n    return len(set(a))",
        2_000,
    ),
    "rounding of halves": (
        "1.2",
        "import math\ndef f(x): return math.floor(x + 0.5)",
        "def f(x): return round(x)",
        4,
    ),
    "a number that a program names": ("3", "def f(n): return n + (n == 737)", "def f(n): return n", 3),
    "letter case": (
        '"Level"',
        "def f(s): return s.lower() == s.lower()[::-1]",
        "def f(s): return s == s[::-1] or s == 'Level'",
        6,
    ),
    "crossed arguments": (
        "[1, 2]\n[3, 4]",
        "def f(a, b): return sorted(a) == sorted(b)",
        "def f(a, b): return False",
        12,
    ),
}


def make_pool(sandbox, example, *codes):
    problem = Problem("p", "", Kind.FUNCTION, "f", public_tests=(Test(example, "1"),))
    return Pool(problem, tuple(Candidate(code, 1, 1) for code in codes), sandbox)


async def differing(pool, inputs, ledger):
    runs = await pool.board.run([0, 1], inputs, ledger)
    return [text for text, *_ in find_differences(pool.problem, inputs, runs[0], runs[1])]


@pytest.mark.parametrize("name", PAIRS)
async def test_pairs_are_told_apart_and_shrunk(name, trusting_sandbox):
    """No model is needed to find an input on which the two differ, nor to make it small enough to check."""
    example, right, wrong, most_chars = PAIRS[name]
    pool, ledger = make_pool(trusting_sandbox, example, right, wrong), Ledger()
    inputs = await find_model_free_inputs(pool, [0, 1], ledger, max_runs=600)
    found = await differing(pool, inputs, ledger)
    assert found, f"none of {len(inputs)} inputs"
    assert len(ledger.runs) <= 620

    async def holds(texts):
        still = await differing(pool, texts, ledger)
        return [text in still for text in texts]

    smallest = await shrink_input(pool.problem, found[0], holds, max_tries=200)
    assert await differing(pool, [smallest], ledger)
    assert len(smallest) <= min(most_chars, len(found[0]))
    decode_lines(smallest)


async def test_the_same_every_time(trusting_sandbox):
    """Seed, problem and programs decide the inputs."""
    codes = ("def f(n): return n", "def f(n): return abs(n)")
    once, again = [
        await find_model_free_inputs(make_pool(trusting_sandbox, "4", *codes), [0, 1], Ledger(), max_runs=200)
        for _ in range(2)
    ]
    assert once == again


async def test_the_search_goes_on_from_inputs_that_told_programs_apart(trusting_sandbox, monkeypatch):
    """Every input that splits a group of programs that looked alike is learnt from, and no other."""
    learnt = []
    monkeypatch.setattr(Mutations, "learn", lambda _, text: learnt.append(text))
    codes = ["def f(n): return n > 2", "def f(n): return n > 3", "def f(n): return n > 11"]
    pool = make_pool(trusting_sandbox, "4", *codes)
    inputs = await find_model_free_inputs(pool, range(3), Ledger(), max_runs=300)
    runs = await pool.board.run(range(3), inputs, Ledger())
    split = {
        text
        for text, *row in zip(inputs, *runs.values(), strict=True)
        if len({run.output for run in row}) > 1
    }
    assert 1 <= len(learnt) <= 2
    assert set(learnt) <= split


def test_deep_goes_on_from_what_was_learnt():
    """After learning, the strategy `deep` makes neighbours of the learnt inputs; an odd text is no input."""
    problem = Problem("p", "", Kind.FUNCTION, "f", public_tests=(Test("4", "1"),))
    mutations = Mutations(problem, "s")
    mutations.learn('"no number"\n1')
    for number in range(12):
        mutations.learn(str(10**6 + number))
    near = [int(text) for _ in range(20) if (text := mutations.take("deep")) is not None]
    assert sum(10**5 < number < 10**7 for number in near) > 5


async def test_inputs_inside_the_contract_come_first(trusting_sandbox):
    """Those that split come before those that do not, those beyond the contract later."""
    pool = make_pool(trusting_sandbox, "4", "def f(n): return n > 2", "def f(n): return n > 3 or n < 0")
    inputs = await find_model_free_inputs(pool, [0, 1], Ledger(), max_runs=300)
    found = await differing(pool, inputs, Ledger())
    assert inputs[0] in found
    admitted = [Contract.of(pool.problem).admits(text) for text in inputs]
    assert admitted == sorted(admitted, reverse=True)


async def test_the_budget_holds_for_many_programs(trusting_sandbox):
    """Twenty-four programs see fewer inputs each, and the rest of the runs goes to those that look alike."""
    codes = [f"def f(n): return n + (n % {k + 2} == {k + 1})" for k in range(22)]
    codes += ["def f(n): return n + (n == 901)", "def f(n): return n + (n == 902)"]
    pool, ledger = make_pool(trusting_sandbox, "4", *codes), Ledger()
    inputs = await find_model_free_inputs(pool, range(24), ledger, max_runs=1_200)
    assert len(ledger.runs) <= 1_300
    runs = await pool.board.run(range(24), inputs, Ledger())
    assert len({tuple(run.output for run in runs[index]) for index in range(24)}) == 24


async def test_costly_inputs_are_left_out(trusting_sandbox):
    """An input on which the first and the last program run out of time is not tried on the others."""
    slow = "def f(n):\n    if n > 9: raise TimeoutError\n    return {}"
    pool, ledger = make_pool(trusting_sandbox, "4", *(slow.format(k) for k in range(6))), Ledger()
    inputs = await find_model_free_inputs(pool, range(6), ledger, max_runs=300)
    assert inputs
    assert all(int(text) <= 9 for text in inputs)
    assert not [key for key in ledger.runs if 0 < key[0] < 5 and key[1].isdigit() and int(key[1]) > 9]


def test_the_charge_for_a_run_is_a_step():
    """What a run is charged does not move with the small differences between two times it is made."""
    runs = [Execution(Status.OK, cpu_s=cpu_s) for cpu_s in (0.0, 0.001, 0.0079, 0.009, 0.029, 0.1, 0.4, 0.5)]
    assert [charge_s(run, 0.5) for run in runs] == [0.0025, 0.0025, 0.0025, 0.02, 0.02, 0.08, 0.5, 0.5]


SLOW = "def f(n):\n    if n % 2: raise TimeoutError\n    return n + {}"


async def test_cpu_time_is_never_passed(trusting_sandbox):
    """Programs that run out of time on half of the inputs: the search ends before 4.6 s could be spent."""
    pool = make_pool(trusting_sandbox, "4", *(SLOW.format(number) for number in range(12)))
    spent = 0.0
    inner = trusting_sandbox.run

    async def run(program, inputs, limits, **options):
        nonlocal spent
        runs = await inner(program, inputs, limits, **options)
        spent += sum(max(run.cpu_s, 0.0025) for run in runs)
        return runs

    trusting_sandbox.run = run
    ledger = Ledger()
    assert await find_model_free_inputs(pool, range(12), ledger)
    assert 2.0 < spent <= 4.6
    assert "CPU seconds" in " ".join(ledger.notes)


async def test_a_budget_starts_only_what_it_can_pay(trusting_sandbox):
    """A batch whose runs could all run out of time must fit; what has run is free."""
    pool, ledger = make_pool(trusting_sandbox, "4", SLOW.format(0), SLOW.format(1)), Ledger()
    budget = CpuBudget(pool, ledger, 1.2, 0.5, 0.2)
    assert await budget.run([0, 1], ["2", "4"]) is not None
    assert budget.left_s == pytest.approx(1.19)
    assert await budget.run([0], ["1", "3", "5"]) is not None
    assert budget.left_s == pytest.approx(0.59)
    assert await budget.run([0, 1], ["2", "4"]) is not None
    assert await budget.run([0, 1], ["7", "9"]) is None
    assert budget.left_s == pytest.approx(0.19)
    assert budget.runs == 9
