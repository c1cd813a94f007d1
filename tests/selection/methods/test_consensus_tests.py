from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.selection import METHODS
from sstar_code.selection.evidence.harness import Outcomes, WrittenTest
from sstar_code.selection.methods.consensus_tests import _score_b4

pytestmark = pytest.mark.anyio

RIGHT = "def f(n): return n in (16, 25, 36, 49)"
BLUNT = "def f(n): return n == 16"
ODD = "def f(n): return n % 2 == 0"
TESTS = "assert f(16) == True\nassert f(25) == True\nassert f(36) == True\nassert f(15) == False\n"


@pytest.mark.parametrize("name", ["tests", "codet", "b4"])
async def test_right_tests_find_the_right_program(make_pool, scripted_ask, name):
    """With right tests every one of the three takes a program that passes them all, at one call."""
    selection = await METHODS[name](make_pool([BLUNT, RIGHT, ODD], scripted_ask(tests=TESTS)))
    assert (selection.chosen, selection.calls, selection.method) == (1, 1, name)


@pytest.mark.parametrize("name", ["tests", "codet", "b4"])
@pytest.mark.parametrize("reply", [None, "", "sorry", "assert f(", "```python\n```", "\x00"])
async def test_no_readable_test_is_no_evidence(make_pool, scripted_ask, name, reply):
    """A failed call or an unreadable reply is said, and the choice is by seed, not the first."""
    chosen = set()
    for seed in range(12):
        selection = await METHODS[name](make_pool([BLUNT, RIGHT, ODD], scripted_ask(tests=reply), seed=seed))
        chosen.add(selection.chosen)
        assert any(note.startswith("tests: ") for note in selection.notes)
    assert chosen == {0, 1, 2}


async def test_agreement_of_programs_outweighs_one_test(make_pool, scripted_ask):
    """`codet` takes four programs that agree on three tests before one that passes four; `tests` does not."""
    crowd = [f"def f(n): return n in (16, 25, 36)  # {number}" for number in range(4)]
    one = "def f(n): return n in (16, 25, 36, 7)"
    reply = "".join(f"assert f({n}) == True\n" for n in (16, 25, 36, 7))
    pool = make_pool([*crowd, one], scripted_ask(tests=reply))
    assert (await METHODS["codet"](pool)).chosen in range(4)
    assert (await METHODS["tests"](pool)).chosen == 4


@pytest.mark.parametrize("name", ["tests", "codet", "b4"])
async def test_one_program_needs_no_test(make_pool, scripted_ask, name):
    """Candidates that are the same program cost nothing."""
    ask = scripted_ask(tests=TESTS)
    selection = await METHODS[name](make_pool([RIGHT, RIGHT + "  # again"], ask))
    assert (selection.calls, selection.executions, ask.asked) == (0, 0, [])


@given(st.lists(st.frozensets(st.integers(0, 5)), min_size=1, max_size=8))
def test_b4_prefers_more_of_both(passed):
    """A consensus set that has at least the programs and all the tests of another scores at least as much."""
    tests = tuple(WrittenTest(str(place), "1") for place in range(6))
    outcomes = Outcomes(tuple(range(len(passed))), tests, tuple(passed))
    groups = {one: [place for place, other in enumerate(passed) if other == one] for one in passed}
    scores = _score_b4(outcomes, groups)
    for small, few in groups.items():
        for large, many in groups.items():
            if small < large and len(few) <= len(many):
                assert scores[small] < scores[large]
