from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, UserError
from sstar_code.sandbox import Status
from sstar_code.selection import METHODS, Candidate, choose, expected_accuracy, select_all, tier

pytestmark = pytest.mark.anyio

EXACT = "import math\ndef f(n):\n    return n >= 0 and math.isqrt(n) ** 2 == n"
ROUGH = "import math\ndef f(n):\n    return n >= 0 and math.sqrt(n).is_integer()"
SAME = "import math\ndef f(k):\n    return k >= 0 and math.isqrt(k) ** 2 == k"
CRASH = "def f(n):\n    return {16: True, 14: False}[n]"


def test_unknown_method_lists_all():
    """A misspelt method is an error that suggests the nearest and lists every name."""
    with pytest.raises(
        UserError,
        match=r"did you mean 'majority'.*adaptive, sstar, random, first, majority, mbr, .*, judge, oracle",
    ):
        choose("majorty")
    assert choose("sstar") is METHODS["sstar"]


async def test_unknown_method_runs_nothing(make_pool, trusting_sandbox):
    """Names are checked before anything is run."""
    with pytest.raises(UserError):
        await select_all(make_pool([EXACT, ROUGH]), ["majority", "nope"])
    assert not trusting_sandbox.runs


def test_tier():
    """The best tier passed most public tests; empty programs are in it only where all are empty."""
    assert tier([Candidate("a", 1, 2), Candidate("b", 2, 2), Candidate("c", 2, 2)]) == [1, 2]
    assert tier([Candidate("a", 0, 2), Candidate("b", 1, 2)]) == [1]
    assert tier([Candidate(" ", 0, 0), Candidate("b", 0, 0)]) == [1]
    assert tier([Candidate("", 0, 0), Candidate("", 0, 0)]) == [0, 1]
    assert tier([]) == []


def test_expected_accuracy():
    """The mean over the best tier; unknown where one of it is not graded."""
    right, wrong = Candidate("a", 2, 2, hidden_pass=True), Candidate("b", 2, 2, hidden_pass=False)
    assert expected_accuracy([right, wrong, Candidate("c", 1, 2, hidden_pass=True)]) == 0.5
    assert expected_accuracy([right, Candidate("c", 2, 2)]) is None
    assert expected_accuracy([]) is None


async def test_every_method_takes_an_empty_pool(make_pool):
    """Without candidates nothing is chosen."""
    for selection in (await select_all(make_pool([]))).values():
        assert (selection.chosen, selection.confidence) == (None, 0.0)


async def test_simple_methods(make_pool):
    """First takes the earliest of the best tier, random any of it by seed, oracle a right one of any tier."""
    codes = [
        Candidate("0", 1, 2, hidden_pass=True),
        *(Candidate(f"print({n})", 2, 2, hidden_pass=False) for n in range(1, 9)),
    ]
    chosen = await select_all(make_pool(codes), ["first", "random", "oracle"])
    assert (chosen["first"].chosen, chosen["oracle"].chosen) == (1, 0)
    assert chosen["first"].confidence == pytest.approx(1 / 8)
    drawn = {(await METHODS["random"](make_pool(codes, seed=seed))).chosen for seed in range(60)}
    assert drawn == set(range(1, 9))
    assert (await METHODS["random"](make_pool(codes))).chosen == chosen["random"].chosen


async def test_oracle_without_grades(make_pool):
    """Oracle falls back to the first of the tier and says that it knows nothing."""
    selection = await METHODS["oracle"](make_pool([EXACT, ROUGH]))
    assert (selection.chosen, selection.confidence) == (0, None)
    assert selection.notes
    wrong = Candidate(EXACT, 1, 1, hidden_pass=False)
    assert (await METHODS["oracle"](make_pool([wrong]))).confidence == 0.0


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"oracle"}))
async def test_one_program_has_no_confidence(make_pool, method):
    """One program, or copies of one, compared with nothing: not known by any method; 0 where it fails."""
    for codes in ([EXACT], [EXACT, EXACT + "\n# again\n"]):
        selection = await METHODS[method](make_pool(codes))
        assert selection.chosen is not None
        assert (selection.confidence, selection.confidence_in_words) == (None, "not known")
    assert (await METHODS[method](make_pool([Candidate(EXACT, 0, 1)]))).confidence == 0.0


@pytest.mark.parametrize("method", ["adaptive", "majority", "mbr", "sstar"])
async def test_without_inputs_nothing_was_compared(make_pool, method):
    """Different programs of a problem that gives no input to run them on: not known, though one is chosen."""
    bare = Problem("hello", "hello", Kind.FUNCTION, "f")
    codes = ["def f(n):\n    return 'hello'", "def f(n):\n    return 'hi'"]
    selection = await METHODS[method](make_pool(codes, problem=bare))
    assert (selection.chosen is not None, selection.confidence) == (True, None)


async def test_majority_splits_the_classic_pair_without_a_model(make_pool):
    """Exact and float roots are told apart by an input above 2**53, and the larger cluster wins."""
    selection = await METHODS["majority"](make_pool([ROUGH, EXACT, SAME]))
    assert selection.clusters == ((0,), (1, 2))
    assert selection.chosen == 1
    assert selection.confidence == pytest.approx(2 / 3)
    assert selection.distinguishing[0].input == str(10**16 + 1)
    assert selection.distinguishing[0].outputs == {"0": "true", "1": "false"}
    assert selection.calls == 0


async def test_majority_tie_goes_to_the_earlier(make_pool):
    """The one with the earliest sample wins of two clusters of one size."""
    assert (await METHODS["majority"](make_pool([ROUGH, EXACT]))).chosen == 0


async def test_majority_uses_the_models_inputs(make_pool, scripted_ask):
    """With a model its inputs are run too; an unreadable reply is noted."""
    ask = scripted_ask(inputs="```json\n[[5]]\n```")
    pool = make_pool(["def f(n): return n in (16, 5)", "def f(n): return n == 16"], ask)
    selection = await METHODS["majority"](pool)
    assert len(selection.clusters) == 2
    assert (selection.calls, selection.tokens) == (1, 10)
    broken = await METHODS["majority"](make_pool([EXACT, ROUGH], scripted_ask(inputs="sorry")))
    assert "inputs: no input could be read from the reply" in broken.notes


async def test_failing_tier_is_clustered_with_no_confidence(make_pool):
    """Where nothing passes all public tests the best tier is voted on, and the confidence is 0."""
    codes = [Candidate(code, 1, 2) for code in (ROUGH, EXACT, SAME)] + [Candidate("def f(n): return 1", 0, 2)]
    selection = await METHODS["majority"](make_pool(codes))
    assert (selection.chosen, selection.confidence) == (1, 0.0)


async def test_crash_counts_against_a_program(make_pool):
    """A program that crashes where others answer is in another cluster."""
    selection = await METHODS["majority"](make_pool([CRASH, EXACT, SAME]))
    assert selection.clusters == ((0,), (1, 2))


async def test_inputs_lost_by_the_sandbox_do_not_split(make_pool):
    """A fault of the sandbox is nobody's behaviour."""
    faulty = "def f(n):\n    if n not in (14, 16): raise SystemError\n    return n == 16"
    selection = await METHODS["majority"](make_pool([faulty, "def f(n): return n == 16"]))
    assert len(selection.clusters) == 1
    assert any("the sandbox failed" in note for note in selection.notes)


async def test_costly_inputs_are_given_up(make_pool, trusting_sandbox):
    """When mutated inputs only run out of time, few are tried and the other programs are spared."""
    slow = [
        f"def f(n):\n    if n not in (14, 16): raise TimeoutError({k})\n    return n == 16" for k in range(6)
    ]
    selection = await METHODS["majority"](make_pool(slow))
    assert any("CPU seconds" in note for note in selection.notes)
    assert selection.executions == sum(trusting_sandbox.runs.values()) < 35


async def test_methods_share_what_they_find_out(make_pool, trusting_sandbox, scripted_ask):
    """All methods together run and ask everything once, and each counts what it would cost alone.

    `adaptive` is left out: it runs a few inputs twice on purpose, to notice programs that roll dice.
    """
    ask = scripted_ask(
        inputs="[[10000000000000001], [25]]", distinguish="[[10000000000000001]]", judge="ANSWER: neither"
    )
    names = [name for name in METHODS if name != "adaptive"]
    together = await select_all(make_pool([ROUGH, EXACT, SAME, ROUGH + "  # again"], ask), names)
    assert max(trusting_sandbox.runs.values()) == 1
    assert ask.count("inputs") == 1
    runs = sum(trusting_sandbox.runs.values())
    alone = await METHODS["sstar"](make_pool([ROUGH, EXACT, SAME, ROUGH + "  # again"], ask))
    assert alone == together["sstar"]
    assert together["majority"].executions <= runs
    assert together["sstar"].calls == 4


async def test_duplicates_run_once(make_pool, trusting_sandbox):
    """Programs that differ only in comments are run once, and vote as many."""
    selection = await METHODS["majority"](make_pool([EXACT, ROUGH, ROUGH + "\n# a", ROUGH + "\n# b"]))
    assert selection.clusters == ((0,), (1, 2, 3))
    assert len({code for code, _ in trusting_sandbox.runs}) == 2
    assert selection.chosen == 1


async def test_statuses_reach_the_report(make_pool):
    """A time-out is reported as the behaviour of its cluster."""
    slow = "def f(n):\n    if n == 15: raise TimeoutError\n    return n == 16"
    selection = await METHODS["majority"](make_pool([slow, "def f(n): return n == 16"]))
    (shown,) = [item for item in selection.distinguishing if item.input == "15"]
    assert shown.outputs == {"0": f"<{Status.TLE}>", "1": "false"}
