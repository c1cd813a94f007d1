from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.clustering import cluster_programs
from sstar_code.selection.evidence.harness import ask_harness, ask_reference, find_doubtful, find_functions
from sstar_code.selection.evidence.weights import agreement, check_outputs

pytestmark = pytest.mark.anyio

DOUBLE = Problem(
    "double", "Double n, n >= 0.", Kind.FUNCTION, "f", public_tests=(Test("2", "4"), Test("5", "10"))
)
GOOD_KIT = """```python
def generate(seed, size):
    return [seed + {"tiny": 0, "boundary": 100, "random": 1000, "worst": 10**6}[size]]

def valid(data):
    return data[0] >= 0
```"""
GOOD_REFERENCE = """```python
def solve(data):
    return sum(2 for _ in range(data[0]))

def holds(data, output):
    return output % 2 == 0
```"""
RIGHT = "def f(n):\n    return 2 * n"
ODD = "def f(n):\n    return 2 * n if n < 6 else 2 * n + 1"
EVEN = "def f(n):\n    return 2 * n if n < 6 else 2 * n + 2"


def reply_with(**functions):
    return "```python\n" + "\n\n".join(functions.values()) + "\n```"


async def ask_both(pool):
    ledger = Ledger()
    harness = await ask_harness(pool, ledger)
    await ask_reference(pool, harness, ledger)
    return harness, ledger


@pytest.mark.parametrize(
    ("reply", "names"),
    [
        ("```python\ndef a(): pass\n```\n```py\ndef b(): pass\n```", {"a", "b"}),
        ("```\ndef a(): pass\n```", {"a"}),
        ("```python\ndef a(: pass\n```", set()),
        ("```python\nclass C:\n    def a(self): pass\n```", set()),
        ("def a(): pass", set()),
        ("", set()),
    ],
)
def test_functions_are_found_in_blocks_that_parse(reply, names):
    """Only top-level functions of readable blocks count."""
    assert set(find_functions(reply, ("a", "b"))) == names


async def test_a_sound_harness_is_kept_whole(make_pool, scripted_ask):
    """Two calls; inputs of every size that the validator takes, none public; brute force and check."""
    ask = scripted_ask(kit=GOOD_KIT, reference=GOOD_REFERENCE)
    harness, ledger = await ask_both(make_pool([RIGHT], ask, DOUBLE))
    assert len(ask.asked) == 2
    assert len(harness.inputs) > 30
    assert not {"2", "5"} & set(harness.inputs)
    assert harness.inputs[0] == "0"
    assert None not in (harness.valid, harness.solve, harness.holds)
    assert ledger.notes == []


@pytest.mark.parametrize(
    ("kit", "note"),
    [
        ("def valid(data): return data[0] < 5", "validator dropped: public inputs rejected"),
        ("def valid(data): return data.n", "validator dropped: it crashes"),
        ("def generate(seed, size): return seed", "generator dropped: it gave no input"),
        ("def generate(seed, size): raise ValueError", "generator dropped: it gave no input"),
        (
            "def generate(seed, size): return [-1 - seed]\ndef valid(data): return data[0] >= 0",
            "generator and validator dropped",
        ),
        ("nothing here", "no function could be read"),
    ],
)
async def test_what_contradicts_the_public_tests_is_dropped(make_pool, scripted_ask, kit, note):
    """A wrong validator or generator is not used, and a note says why."""
    got, ledger = await ask_both(make_pool([RIGHT], scripted_ask(kit=f"```python\n{kit}\n```"), DOUBLE))
    assert any(note in text for text in ledger.notes)
    assert (got.valid, got.inputs) == (None, [])


@pytest.mark.parametrize(
    ("reference", "note"),
    [
        ("def solve(data): return data[0]", "brute force dropped: 0 of 2 public tests passed"),
        ("def solve(data): return 1 / 0", "brute force dropped: it crashes"),
        ("def holds(data, output): return output > 4", "check of outputs dropped: 1 of 2"),
    ],
)
async def test_a_wrong_reference_is_dropped(make_pool, scripted_ask, reference, note):
    """A brute force that fails a public test, or a check that rejects a known output, is not used."""
    ask = scripted_ask(reference=f"```python\n{reference}\n```")
    harness, ledger = await ask_both(make_pool([RIGHT], ask, DOUBLE))
    assert any(note in text for text in ledger.notes)
    assert (harness.solve, harness.holds) == (None, None)


async def test_failed_calls_leave_an_empty_harness(make_pool, scripted_ask):
    """No answer is no evidence: nothing is rejected, nothing weighed, both failures are named."""
    pool = make_pool([RIGHT, ODD], scripted_ask(), DOUBLE)
    harness, ledger = await ask_both(pool)
    assert [note for note in ledger.notes if "failed" in note] == ledger.notes != []
    assert await find_doubtful(pool, harness, ["-7"], ledger) == frozenset()


async def test_the_validator_doubts_free_inputs(make_pool, scripted_ask):
    """Those that it does not take are named; where it crashes nothing is said of an input."""
    pool = make_pool([RIGHT], scripted_ask(kit=GOOD_KIT), DOUBLE)
    harness = await ask_harness(pool, Ledger())
    assert await find_doubtful(pool, harness, ["7", "-7", '"a"'], Ledger()) == {"-7"}


async def test_a_doubtful_input_weighs_less_and_is_not_lost(make_pool):
    """What programs do on it still tells them apart; agreement on it counts half, and it is checked last."""
    pool, ledger = make_pool([RIGHT, ODD], None, DOUBLE), Ledger()
    inputs = ["1", "7"]
    found = cluster_programs(DOUBLE, inputs, await pool.board.run([0, 1], inputs, ledger))
    assert len(found.clusters) == 2
    assert agreement(found, [1.0, 1.0]) == [0.75, 0.75]
    assert agreement(found, [1.0, 1.0], doubtful={"7"}) == pytest.approx([5 / 6, 5 / 6])
    assert agreement(found, [1.0, 1.0], doubtful={"1", "7"}) == [0.75, 0.75]


async def test_brute_force_and_rules_speak_for_the_right_cluster(make_pool, scripted_ask):
    """The cluster that does as the brute force does gains; one that breaks a rule loses."""
    pool = make_pool([ODD, RIGHT, EVEN], scripted_ask(kit=GOOD_KIT, reference=GOOD_REFERENCE), DOUBLE)
    harness, ledger = await ask_both(pool)
    inputs = ["1", "7", "8"]
    found = cluster_programs(DOUBLE, inputs, await pool.board.run([0, 1, 2], inputs, ledger))
    odd, right, even = await check_outputs(pool, harness, found, [1.0, 1.0, 1.0], ledger)
    assert right["brute force"] > max(odd["brute force"], even["brute force"])
    assert odd["rules"] < right["rules"] == even["rules"] == 0


async def test_rules_see_the_text_that_a_program_printed(make_pool, scripted_ask):
    """For standard input the check gets the input's and the output's text, not values."""
    problem = Problem("double", "Double n.", Kind.STDIN, public_tests=(Test("2", "4"), Test("5", "10")))
    reference = "```python\ndef holds(data, output):\n    return int(output.strip()) % 2 == 0\n```"
    right, odd = "print(2 * int(input()))", "n = int(input())\nprint(2 * n if n < 6 else 2 * n + 1)"
    pool = make_pool([right, odd], scripted_ask(reference=reference), problem)
    harness, ledger = await ask_both(pool)
    assert harness.holds is not None, ledger.notes
    found = cluster_programs(problem, ["7"], await pool.board.run([0, 1], ["7"], ledger))
    first, second = await check_outputs(pool, harness, found, [1.0, 1.0], ledger)
    assert first["rules"] == 0 > second["rules"]
