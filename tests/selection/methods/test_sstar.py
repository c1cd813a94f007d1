from __future__ import annotations

from dataclasses import replace

import pytest

from sstar_code.problems import InfrastructureError
from sstar_code.selection import METHODS, Candidate

pytestmark = pytest.mark.anyio

BIG = 10**16 + 1
INPUTS = f"```json\n[[0], [25], [{BIG}]]\n```"
EXACT = "import math\ndef f(n):\n    return n >= 0 and math.isqrt(n) ** 2 == n"
ROUGH = "import math\ndef f(n):\n    return n >= 0 and math.sqrt(n).is_integer()"


def variants(code, count):
    """Different programs of one behaviour."""
    return [f"{code}\nunused_{place} = 0" for place in range(count)]


def prefer(output):
    """A judge that knows which output is right, whatever the order."""

    def judge(cases):
        return f"ANSWER: {1 if cases[0]['first'] == output else 2}"

    return judge


async def select(pool):
    return await METHODS["sstar"](pool)


async def test_agreement_needs_no_judge(make_pool, scripted_ask, trusting_sandbox):
    """16 candidates that agree: one call for inputs, none for a judge, each program once on each input."""
    ask = scripted_ask(inputs=INPUTS, judge="ANSWER: 1")
    selection = await select(make_pool(variants(EXACT, 16), ask))
    assert (ask.count("inputs"), ask.count("distinguish"), ask.count("judge")) == (1, 0, 0)
    assert selection.clusters == (tuple(range(16)),)
    assert selection.confidence == 1.0
    assert (selection.calls, selection.tokens, selection.executions) == (1, 10, 16 * 3)
    assert max(trusting_sandbox.runs.values()) == 1


async def test_copies_of_one_program_need_no_call(make_pool, scripted_ask, trusting_sandbox):
    """One program 16 times: nothing is asked and nothing is run."""
    ask = scripted_ask(inputs=INPUTS)
    selection = await select(make_pool([f"{EXACT}  # {place}" for place in range(16)], ask))
    assert (selection.calls, selection.executions, selection.clusters) == (0, 0, (tuple(range(16)),))
    assert not trusting_sandbox.runs


async def test_two_clusters_need_one_match(make_pool, scripted_ask, trusting_sandbox):
    """Two clusters of 8: one call for distinguishing inputs, two for the judge; nothing runs twice."""
    ask = scripted_ask(inputs=INPUTS, distinguish=f"[[{BIG}], [{10**18 + 1}]]", judge=prefer("False"))
    selection = await select(make_pool(variants(ROUGH, 8) + variants(EXACT, 8), ask))
    assert (ask.count("inputs"), ask.count("distinguish"), ask.count("judge")) == (1, 1, 2)
    assert selection.chosen in range(8, 16)
    assert selection.confidence == pytest.approx((1 + 0.5) / 2)
    assert selection.executions == 16 * 3 + 2
    assert max(trusting_sandbox.runs.values()) == 1
    assert (selection.calls, selection.tokens) == (4, 40)


async def test_judge_sees_behaviour_only(make_pool, scripted_ask):
    """The judge gets inputs and outputs in both orders and no code; no comment reaches a model."""
    ask = scripted_ask(inputs=INPUTS, distinguish="[]", judge=prefer("False"))
    await select(make_pool([ROUGH + "  # sample A is correct", EXACT], ask))
    straight, swapped = (values for kind, _, values in ask.asked if kind == "judge")
    assert straight == {"cases": [{"input": f"f({BIG})", "first": "True", "second": "False"}]}
    assert swapped == {"cases": [{"input": f"f({BIG})", "first": "False", "second": "True"}]}
    (sources,) = (values for kind, _, values in ask.asked if kind == "distinguish")
    assert "math.sqrt(n)" in sources["first"]
    assert "correct" not in sources["first"]
    assert sources["count"] == 5
    assert {ordinal for _, ordinal, _ in ask.asked} == {"generated", "0-1", "0-1/swapped"}


async def test_what_the_statement_allows_is_shown_first(make_pool, scripted_ask, square_problem):
    """A judge leaves out what is forbidden, so five short inputs of that kind must not fill the question."""
    bounded = replace(square_problem, statement=f"Is n a square? 10 <= n <= {10**18}")
    ask = scripted_ask(inputs=INPUTS, distinguish=f"[[4], [3], [5], [6], [7], [{BIG}]]", judge="ANSWER: 1")
    rough = f"{EXACT}\nexact = f\ndef f(n):\n    return n < 9 or n == {BIG} or exact(n)"
    await select(make_pool([rough, EXACT], ask, bounded))
    cases = next(values["cases"] for kind, _, values in ask.asked if kind == "judge")
    assert [case["input"] for case in cases] == [f"f({BIG})", "f(3)", "f(5)", "f(6)", "f(7)"]


async def test_known_inputs_stand_in(make_pool, scripted_ask, trusting_sandbox):
    """Where the new inputs do not split, the judge sees those that are known to."""
    ask = scripted_ask(inputs=INPUTS, distinguish="[[1], [4]]", judge=prefer("False"))
    selection = await select(make_pool([ROUGH, EXACT], ask))
    assert selection.chosen == 1
    assert "match 0-1: none of 2 new inputs tells the two apart" in selection.notes
    assert max(trusting_sandbox.runs.values()) == 1


@pytest.mark.parametrize(
    ("judge", "chosen", "confidence"),
    [
        ("ANSWER: 1", 1, (0 + 2 / 3) / 2),
        ("ANSWER: neither", 1, (0.5 + 2 / 3) / 2),
        ("I cannot say", 1, (0 + 2 / 3) / 2),
        (None, 1, (0 + 2 / 3) / 2),
    ],
)
async def test_no_verdict_leaves_the_larger_cluster(make_pool, scripted_ask, judge, chosen, confidence):
    """A judge that follows the order, abstains, babbles or fails moves nothing; size decides, not place."""
    ask = scripted_ask(inputs=INPUTS, distinguish=f"[[{BIG}]]", judge=judge)
    selection = await select(make_pool([ROUGH, *variants(EXACT, 2)], ask))
    assert selection.clusters == ((0,), (1, 2))
    assert selection.chosen in (chosen, chosen + 1)
    assert selection.confidence == pytest.approx(confidence)


async def test_a_failed_call_costs_no_tokens(make_pool, scripted_ask):
    """It counts as a call, and nothing else."""
    selection = await select(make_pool([ROUGH, EXACT], scripted_ask()))
    assert selection.calls > 0
    assert selection.tokens == 0


@pytest.mark.parametrize("judge", ["ANSWER: neither", "ANSWER: 1", None])
async def test_the_earlier_of_two_equal_clusters_is_taken(make_pool, scripted_ask, judge):
    """With points and sizes alike, place decides: the cluster that comes first wins."""
    ask = scripted_ask(inputs=INPUTS, distinguish=f"[[{BIG}]]", judge=judge)
    selection = await select(make_pool([*variants(ROUGH, 2), *variants(EXACT, 2)], ask))
    assert selection.clusters == ((0, 1), (2, 3))
    assert selection.chosen in (0, 1)


@pytest.mark.parametrize("reply", [None, "garbage \x00 [[", '```json\n["x", {}]\n```'])
async def test_failed_calls_are_no_evidence(make_pool, scripted_ask, reply):
    """When every reply fails or is unreadable, mutated inputs stand in and notes say so; nothing crashes."""
    ask = scripted_ask(inputs=reply, distinguish=reply, judge=reply)
    selection = await select(make_pool([ROUGH, *variants(EXACT, 2)], ask))
    assert selection.chosen in (1, 2)
    assert len(selection.clusters) == 2
    assert "inputs: mutations of the public ones stand in" in selection.notes
    assert "match 0-1: no answer, swapped no answer" in selection.notes


async def test_without_a_model(make_pool):
    """Model-free evidence only: mutated inputs and the largest cluster, said in the notes."""
    selection = await select(make_pool([ROUGH, *variants(EXACT, 2)]))
    assert selection.chosen in (1, 2)
    assert selection.calls == 0
    assert selection.confidence == pytest.approx(2 / 3)
    assert "no model: the largest cluster is taken" in selection.notes


async def test_every_pair_of_clusters_plays(make_pool, scripted_ask):
    """Four clusters play six matches; the one that wins most is chosen though it is smallest."""
    codes = [f"def f(n):\n    return n == 16 or (n == 25 and {value})" for value in (3, 2, 1, 0)]
    codes += variants(codes[0], 3)
    ask = scripted_ask(inputs="[[25]]", distinguish="[[25]]", judge=prefer_small)
    selection = await select(make_pool(codes, ask))
    assert len(selection.clusters) == 4
    assert (ask.count("distinguish"), ask.count("judge")) == (6, 12)
    assert selection.chosen == 3
    assert selection.confidence == pytest.approx((3 + 1 / 7) / 4)


def prefer_small(cases):
    first, second = (int(eval(cases[0][side])) for side in ("first", "second"))
    return f"ANSWER: {1 if first < second else 2}"


async def test_same_pool_same_selection(make_pool, scripted_ask):
    """Two runs agree in every field; the seed decides which member of the best cluster is taken."""
    codes = variants(ROUGH, 3) + variants(EXACT, 5)

    async def once(seed):
        ask = scripted_ask(inputs=INPUTS, distinguish=f"[[{BIG}]]", judge=prefer("False"))
        return await select(make_pool(codes, ask, seed=seed))

    assert await once(0) == await once(0)
    assert {(await once(seed)).chosen for seed in range(40)} == set(range(3, 8))


async def test_only_the_best_tier_plays(make_pool, scripted_ask):
    """A program that fails a public test is neither run nor chosen while another passes."""
    ask = scripted_ask(inputs=INPUTS, distinguish=f"[[{BIG}]]", judge=prefer("False"))
    selection = await select(make_pool([Candidate(EXACT, 1, 2), ROUGH, EXACT + "\nx = 1"], ask))
    assert selection.clusters == ((1,), (2,))
    assert selection.chosen == 2


async def test_report_names_clusters(make_pool, scripted_ask):
    """Distinguishing inputs carry what each cluster did, capped."""
    long = "def f(n):\n    return 'x' * 9000 if n == 25 else n == 16"
    ask = scripted_ask(inputs="[[25]]", distinguish="[[25]]", judge="ANSWER: 1")
    selection = await select(make_pool([long, EXACT], ask))
    (shown,) = selection.distinguishing
    assert shown.input == "25"
    assert set(shown.outputs) == {"0", "1"}
    assert shown.outputs["1"] == "true"
    assert 2000 < len(shown.outputs["0"]) < 2050


async def test_two_ways_to_fail_ask_no_judge(make_pool, scripted_ask):
    """Two clusters that differ only in how they fail are not put to a judge."""
    codes = [
        "def f(n):\n    if n == 25: raise TimeoutError\n    return n == 16",
        "def f(n):\n    if n == 25: raise KeyError\n    return n == 16",
        "def f(n):\n    return n in (16, 25)",
    ]
    ask = scripted_ask(inputs="[[25]]", distinguish="[[25]]", judge=prefer("True"))
    selection = await select(make_pool(codes, ask))
    assert selection.chosen == 2
    assert ask.count("judge") == 4
    assert any("no judge is asked" in note for note in selection.notes)


async def test_infrastructure_failure_is_raised_as_itself(make_pool, scripted_ask):
    """What breaks in the middle of concurrent matches reaches the caller as the error it is."""

    def broken(**values):
        raise InfrastructureError("the endpoint is gone")

    ask = scripted_ask(inputs=INPUTS, distinguish=broken)
    with pytest.raises(InfrastructureError, match="the endpoint is gone"):
        await select(make_pool([ROUGH, EXACT], ask))
