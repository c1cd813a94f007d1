"""Developing one sample: ask, run, mend, keep the best."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from sstar_code.agent.generation.develop import develop, first_sample
from sstar_code.agent.models.request import Answer, ContextError, ModelError, Stage, request_key
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Environment, Execution, Failure, Status, Verdict
from sstar_code.sandbox.fake import FakeSandbox

PROBLEM = Problem(
    "p", "Print the number.", Kind.STDIN, public_tests=tuple(Test(str(n), str(n)) for n in (1, 2, 3))
)
PROMPTS = Prompts()


def _look_up(program, text):
    """What the table in the program's comment says for the input: a number printed, None for an error."""
    said = ast.literal_eval(program.code.strip().rpartition("# ")[2])[int(text) - 1]
    if said == "IE":
        return Execution(Status.IE)
    return str(said) if said is not None else Execution(Status.RE, failure=Failure("ValueError", "bad", 1))


def _answer(*table):
    return f"Here:\n```python\nprint(input())  # {table!r}\n```"


async def _develop(answers, problem=PROBLEM, **options):
    model, sandbox = ScriptedModel(answers), FakeSandbox(_look_up)
    settings, told = Settings(**{"seed": 100, "rounds": 2, **options}), []
    lineage = await develop(5, problem, SolveContext(model, sandbox, PROMPTS, settings), told.append)
    assert told == [lineage]
    return lineage, model, sandbox


@pytest.mark.anyio
async def test_a_sample_that_passes_at_once_is_not_debugged():
    """One call, one run, one round."""
    lineage, model, sandbox = await _develop([_answer(1, 2, 3)])
    assert lineage.survives
    assert len(model.requests) == len(lineage.rounds) == 1
    assert len(sandbox.calls) == 3
    assert model.requests[0] == first_sample(
        PROBLEM, SolveContext(model, sandbox, PROMPTS, Settings(seed=100)), 5
    )
    assert model.requests[0].seed == 105
    assert (lineage.sample, lineage.best.passed) == (5, 3)


@pytest.mark.anyio
async def test_a_failing_sample_is_repaired():
    """The failures go to the model, and the sample stops when it passes."""
    lineage, model, _ = await _develop([_answer(1, 0, 3), _answer(1, 2, 3), _answer(0, 0, 0)])
    assert lineage.survives
    assert [(item.index, item.passed, item.base) for item in lineage.rounds] == [(0, 2, None), (1, 3, 0)]
    assert model.requests[1].purpose.stage is Stage.DEBUG
    assert "Input:\n```\n2\n```\nOutput of the program:\n```\n0\n```" in model.requests[1].messages[1].content


@pytest.mark.anyio
async def test_a_regression_is_rolled_back():
    """After a worse round the next one starts from the better program, and the best is kept."""
    lineage, model, _ = await _develop([_answer(1, 2, 0), _answer(0, 0, 0), _answer(None, 2, 0)])
    assert [item.base for item in lineage.rounds] == [None, 0, 0]
    assert lineage.best.index == 0
    assert not lineage.survives
    repaired = model.requests[2].messages[1].content.partition("The program to repair")[2]
    assert "(1, 2, 0)" in repaired
    assert "(0, 0, 0)" not in repaired


@pytest.mark.anyio
@pytest.mark.parametrize("rounds", [0, 1, 4])
async def test_rounds_are_bounded(rounds):
    """A hopeless sample is asked for once and repaired `rounds` times."""
    lineage, model, _ = await _develop(lambda request: _answer(0, request.purpose.round, 0), rounds=rounds)
    assert len(lineage.rounds) == len(model.requests) == rounds + 1
    assert len({request.seed for request in model.requests}) == rounds + 1


@pytest.mark.anyio
async def test_an_identical_program_is_not_run_again():
    """A round that repeats an earlier program takes its verdicts over."""
    lineage, _, sandbox = await _develop([_answer(1, 2, 0), _answer(1, 2, 0), _answer(1, 2, 3)])
    assert len(sandbox.calls) == 2 * 3
    assert (lineage.rounds[1].repeats, lineage.rounds[1].passed) == (0, 2)
    assert lineage.rounds[1].failures == lineage.rounds[0].failures
    assert lineage.survives


@pytest.mark.anyio
async def test_an_answer_without_code_is_a_round():
    """The model hears that no code was found and may try again; nothing is run."""
    lineage, model, sandbox = await _develop(["I give up.", "", _answer(1, 2, 3)])
    assert [item.code is None for item in lineage.rounds] == [True, True, False]
    assert "no code found" in model.requests[1].messages[1].content
    assert len(sandbox.calls) == 3
    assert lineage.survives


@pytest.mark.anyio
async def test_a_failed_call_never_erases_a_good_round():
    """A prompt that is too long ends the sample with what it had."""
    lineage, model, _ = await _develop([_answer(1, 2, 0), ContextError("too long")])
    assert len(model.requests) == 2
    assert lineage.best.passed == 2
    assert lineage.rounds[1].error == "too long"


@pytest.mark.anyio
async def test_a_first_call_that_fails_leaves_no_program():
    """Nothing to mend: one call, no program, no exception."""
    lineage, model, _ = await _develop([ContextError("too long")])
    assert lineage.code is None
    assert not lineage.survives
    assert len(model.requests) == 1


@pytest.mark.anyio
async def test_a_prompt_with_all_rounds_that_is_too_long_is_shortened():
    """Where other rounds made the prompt too long, the same round is asked again without them."""
    answers = [_answer(1, 2, 0), _answer(0, 0, 0), ContextError("too long"), _answer(1, 2, 3)]
    lineage, model, _ = await _develop(answers)
    assert "Another attempt" in model.requests[2].messages[1].content
    assert "Another attempt" not in model.requests[3].messages[1].content
    assert [request.purpose.round for request in model.requests] == [0, 1, 2, 2]
    assert len({request.purpose for request in model.requests}) == 4
    assert lineage.survives


@pytest.mark.anyio
async def test_an_endpoint_that_is_down_is_not_swallowed():
    """Only a call's own failure is data; an endpoint's is an error."""
    with pytest.raises(ModelError, match="down"):
        await _develop([ModelError("down")])


@pytest.mark.anyio
async def test_without_public_tests_every_program_survives():
    """There is nothing to debug against, so there is one round."""
    problem = Problem("p", "S", Kind.STDIN)
    lineage, model, sandbox = await _develop([_answer(9)], problem)
    assert lineage.survives
    assert len(model.requests) == 1
    assert sandbox.calls == []
    nothing, _, _ = await _develop(["no"], problem)
    assert not nothing.survives


@pytest.mark.anyio
async def test_a_run_that_the_sandbox_lost_is_not_debugged():
    """The sandbox's fault is never shown to the model as the program's."""
    lineage, model, _ = await _develop([_answer(1, "IE", 0)])
    assert lineage.lost
    assert lineage.best.verdict is Verdict.IE
    assert len(model.requests) == 1


@pytest.mark.anyio
async def test_developing_again_asks_exactly_the_same():
    """With the same answers every request has the same key: a killed run resumes from stored answers."""
    answers = [_answer(1, None, 0), _answer(0, 2, 0), "?"]
    _, first, _ = await _develop(answers)
    _, second, _ = await _develop(answers)
    assert [request_key(item) for item in first.requests] == [request_key(item) for item in second.requests]
    assert first.requests == second.requests


@pytest.mark.anyio
async def test_the_answers_facts_are_kept():
    """Finish reason and seconds of each call stand in its round."""
    cut = Answer("```python\nprint(input(", finish_reason="length", seconds=2.5)
    lineage, _, _ = await _develop([cut], rounds=0, problem=Problem("p", "S", Kind.STDIN))
    step = lineage.rounds[0]
    assert (step.truncated, step.finish_reason, step.seconds) == (True, "length", 2.5)


@pytest.mark.anyio
@pytest.mark.parametrize(("several", "calls"), [(True, 2), (False, 3)])
async def test_an_unchanged_program_ends_a_sample_where_several_answers_are_right(several, calls):
    """The model was told that this is how it says that the program is right; it is not asked again."""
    wrong = _answer(1, 2, 0)
    problem = replace(PROBLEM, several_answers=several)
    lineage, model, _ = await _develop([wrong, wrong, wrong], problem)
    assert len(model.requests) == calls
    assert lineage.best.index == 0
    told = "Other outputs than the expected ones may be right"
    assert (told in model.requests[1].messages[1].content) is several
    assert "return" in model.requests[1].messages[1].content


@pytest.mark.anyio
@pytest.mark.parametrize("named", [True, False])
async def test_prompts_say_what_programs_find(named):
    """Version, libraries and limits stand in both prompts; in a repository the limits alone."""
    sandbox = FakeSandbox(_look_up, environment=Environment("3.11", ("numpy", "sortedcontainers")))
    model = ScriptedModel([_answer(1, 2, 0), _answer(1, 2, 3)])
    context = SolveContext(model, sandbox, PROMPTS, Settings(rounds=1), names_environment=named)
    await develop(0, replace(PROBLEM, time_limit_s=2.5), context)
    for request in model.requests:
        text = request.messages[1].content
        assert "2.5 s of CPU time and 1024 MB of memory per test." in text
        told = "Python 3.11 with the standard library and numpy, sortedcontainers only." in text
        assert told is named
        assert ("Python 3" in text) is named
