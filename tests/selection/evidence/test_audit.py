"""Tests written against the likeliest program: their inputs are run, their outputs are guesses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Execution, Status
from sstar_code.selection import METHODS
from sstar_code.selection.evidence.audit import AUDIT, weigh_audit
from sstar_code.selection.evidence.clustering import Behaviour, cluster_programs
from sstar_code.selection.evidence.harness import WrittenTest

pytestmark = pytest.mark.anyio

SUMS = Problem(
    "sums", "Add the numbers. -9 <= a[i] <= 9", Kind.FUNCTION, "f", "def f(a: list[int]):\n",
    (Test("[1, 2]", "3"), Test("[4]", "4")),
)  # fmt: skip
WRONG = "def f(a):\n    # surely right\n    return sum(a) if a != [7, 7, 7, 7, 7, 7, 7] else 0"
RIGHT = "def f(a):\n    return sum(a)"
LATE = "def f(a):\n    return sum(a) if len(a) < 4 else 0"
FIRST = "def f(a):\n    return sum(a[:4])"
FOUND = "```python\nassert f([7, 7, 7, 7, 7, 7, 7]) == 49\nassert f([1, 2]) == 3\n```"


def variants(code, count):
    return [f"{code}\nunused_{place} = 0" for place in range(count)]


async def test_the_likeliest_program_is_read_and_its_tests_are_run(make_pool, scripted_ask):
    """One call, with the code of the leader without comments; its input splits what was one cluster."""
    codes = [*variants(WRONG, 2), *variants(RIGHT, 2), LATE, FIRST]
    ask = scripted_ask(audit=FOUND)
    before = await METHODS["adaptive"](make_pool(codes, scripted_ask(), SUMS))
    assert (0, 1, 2, 3) in before.clusters
    selection = await METHODS["adaptive"](replace(make_pool(codes, ask, SUMS), audit=True))
    assert ask.count("audit") == 1
    ((_, ordinal, values),) = [one for one in ask.asked if one[0] == "audit"]
    assert (ordinal, values["count"]) == ("audit", 5)
    assert "7, 7, 7" in values["code"]
    assert "surely right" not in values["code"]
    assert {(0, 1), (2, 3)} <= set(selection.clusters)
    assert selection.chosen in (2, 3)
    terms = [item.terms["audit"] for item in selection.evidence]
    assert [terms[selection.clusters.index(cluster)] for cluster in ((0, 1), (2, 3))] == [0.0, AUDIT]


async def test_nothing_is_read_unless_it_is_asked_for(make_pool, scripted_ask):
    """Off by default; where it is on, neither without a model nor where all programs do the same."""
    codes, ask = [WRONG, RIGHT, LATE, FIRST], scripted_ask(audit=FOUND)
    selection = await METHODS["adaptive"](make_pool(codes, ask, SUMS))
    await METHODS["adaptive"](replace(make_pool([RIGHT, WRONG], ask, SUMS), audit=True))
    assert ask.count("audit") == 0
    assert all("audit" not in item.terms for item in selection.evidence)
    free = await METHODS["adaptive"](replace(make_pool(codes, None, SUMS), audit=True))
    assert free.calls == 0


async def test_a_wrong_guess_overturns_no_clear_choice(make_pool, scripted_ask):
    """All that the model guesses is what the one other program gives: the many still win."""
    lies = "```python\nassert f([1, 2, 3, 4]) == 0\nassert f([2, 2, 2, 2]) == 0\n```"
    codes = [*variants(RIGHT, 3), FIRST, LATE]
    for audit in (False, True):
        pool = replace(make_pool(codes, scripted_ask(audit=lies), SUMS), audit=audit)
        assert (await METHODS["adaptive"](pool)).chosen in (0, 1, 2)


@pytest.mark.parametrize(
    ("reply", "note"), [(None, "audit: the call failed"), ("Fine.", "audit: no new test could be read")]
)
async def test_a_reply_without_a_test_changes_nothing(make_pool, scripted_ask, reply, note):
    """A failed call and prose are no evidence; a note says which."""
    codes = [*variants(RIGHT, 2), LATE, FIRST]
    plain = await METHODS["adaptive"](make_pool(codes, scripted_ask(), SUMS))
    pool = replace(make_pool(codes, scripted_ask(audit=reply), SUMS), audit=True)
    selection = await METHODS["adaptive"](pool)
    assert note in selection.notes
    assert (selection.chosen, selection.evidence) == (plain.chosen, plain.evidence)


def test_a_guess_counts_where_it_tells_clusters_apart(make_pool):
    """Not where all or none give it, nor where its input was not run; on a doubtful input half."""
    outputs = {"[1]": "12", "[2]": "12", "[3]": "33", "[4]": "45"}  # input: what each of two programs gives
    runs = {
        place: [Execution(Status.OK, result=both[place]) for both in outputs.values()] for place in (0, 1)
    }
    found = cluster_programs(SUMS, list(outputs), runs)
    pool = make_pool([RIGHT, LATE], None, SUMS)
    guesses = [("[1]", "1"), ("[2]", "2"), ("[3]", "3"), ("[4]", "9"), ("[5]", "1")]
    tests = [WrittenTest(*guess) for guess in guesses]
    assert Behaviour(Status.OK, "1") in found.behaviours[0]
    assert weigh_audit(pool, tests, found, ()) == [{"audit": AUDIT / 2}] * 2
    assert weigh_audit(pool, tests, found, {"[2]"}) == [{"audit": AUDIT / 1.5}, {"audit": AUDIT * 0.5 / 1.5}]
    assert weigh_audit(pool, tests[2:], found, ()) == [{}, {}]
