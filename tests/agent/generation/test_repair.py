"""Debugging requests: what is repaired, what is shown, which seed."""

from __future__ import annotations

from sstar_code.agent.generation.develop import repair_round, seed_for
from sstar_code.agent.generation.lineage import Lineage, Round
from sstar_code.agent.models.request import Stage
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.fake import FakeSandbox

PROBLEM = Problem("p", "Double it.", Kind.STDIN, public_tests=(Test("1", "2"), Test("2", "4")))
PROMPTS = Prompts()


def _context(**settings):
    return SolveContext(None, FakeSandbox({}), PROMPTS, Settings(**settings))


def _round(index, code, passed, **fields):
    return Round(index, code, passed, 2, Verdict.WA if code else None, **fields)


def test_the_best_round_is_repaired_and_not_the_last():
    """After a regression the better program is repaired; the worse one is shown as another attempt."""
    lineage = Lineage(3, (_round(0, "print('good')", 1), _round(1, "print('bad')", 0)))
    request = repair_round(PROBLEM, _context(seed=10), lineage, "all")
    text = request.messages[1].content
    assert text.index("Another attempt, which passed 0 of 2") < text.index("print('bad')")
    assert text.index("# The program to repair") < text.index("print('good')")
    assert (request.purpose.stage, request.purpose.sample, request.purpose.round) == (Stage.DEBUG, 3, 2)
    assert request.seed == 10 + 3 + 2 * 1_000_003


def test_the_last_three_other_attempts_are_shown():
    """The newest of many rounds are worth their tokens, the older ones are left out."""
    worse = [_round(index, f"print('bad {index}')", 0) for index in range(1, 6)]
    text = repair_round(PROBLEM, _context(), Lineage(0, (_round(0, "print('good')", 1), *worse)), "all")
    shown = [index for index in range(1, 6) if f"print('bad {index}')" in text.messages[1].content]
    assert shown == [3, 4, 5]


def test_last_context_shows_the_program_to_mend_only():
    """With context "last" other rounds cost nothing."""
    lineage = Lineage(0, (_round(0, "print('good')", 1), _round(1, "print('bad')", 0)))
    text = repair_round(PROBLEM, _context(), lineage, "last").messages[1].content
    assert "print('bad')" not in text
    assert "print('good')" in text


def test_an_answer_without_a_program_is_said_to_be_one():
    """The model hears that no code was found, or that its answer was cut and what to do."""
    cut = "it was cut before the program was complete; keep the reasoning short"
    for truncated, reason in ((False, "no code found"), (True, cut)):
        lineage = Lineage(0, (_round(0, None, 0, truncated=truncated),))
        text = repair_round(PROBLEM, _context(), lineage, "all").messages[1].content
        assert f" Your last answer could not be used: {reason}.\n" in text
        assert "The program to repair" not in text


def test_seeds_differ_between_samples_and_rounds():
    """No two calls of a problem share a seed."""
    seeds = {seed_for(0, sample, index) for sample in range(1000) for index in range(6)}
    assert len(seeds) == 6000


def test_the_earlier_round_wins_a_tie_and_code_beats_no_code():
    """Best means most public tests passed; a failed call never replaces a program."""
    first, second = _round(1, "a", 0), _round(2, "b", 0)
    lineage = Lineage(0, (_round(0, None, 0), first, second, _round(3, None, 0, error="too long")))
    assert lineage.best is first
    assert lineage.code == "a"
    assert not lineage.survives
    assert Lineage(0, (_round(0, None, 0),)).code is None
