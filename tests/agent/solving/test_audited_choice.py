"""`--audit`: the model reads the likeliest program and writes tests against it, in one counted call."""

from __future__ import annotations

import pytest

from sstar_code.agent.jobs.estimate import estimate_run
from sstar_code.agent.models.request import CallError, Stage
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.solving.solve import solve
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.problems import Kind, Problem, Test

PROBLEM = Problem(
    "sum", "Print the sum of the numbers, at most nine.", Kind.STDIN, public_tests=(Test("1 2\n", "3\n"),)
)
PROGRAMS = ["print(3)", "print(sum(map(int, input().split())))", "print(len(input()))"]
TESTS = '```json\n[{"input": "5 5 5 5", "output": "20"}]\n```'


@pytest.mark.parametrize("on", [True, False])
def test_the_choice_rests_on_its_guesses(sandbox_local, on):
    """A program of the pool stands in the prompt; its tests decide where nothing else does."""

    def answer(request):
        if request.purpose.ordinal == "audit/audit":
            return TESTS
        if request.purpose.stage is not Stage.GENERATE:
            raise CallError("no")
        return f"```python\n{PROGRAMS[request.purpose.sample]}\n```"

    async def run():
        model = ScriptedModel(answer)
        context = SolveContext(model, sandbox_local.sandbox, Prompts(), Settings(n=3, rounds=0, audit=on))
        return await solve(PROBLEM, context, ["adaptive"]), model

    made, model = sandbox_local.call(run)
    audits = [request for request in model.requests if request.purpose.ordinal == "audit/audit"]
    assert len(audits) == on
    assert ("audit" in made.selection.evidence[0].terms) is on
    if on:
        assert made.chosen == 1
        (request,) = audits
        assert (request.purpose.stage, request.temperature) == (Stage.INPUTS, 0.0)
        text = request.messages[1].content
        assert any(program in text for program in PROGRAMS)
        assert "Print the sum of the numbers" in text


def test_a_function_is_asked_for_as_asserts():
    """The form of the answer is what is read: asserts for a call, objects for standard input."""
    function = Problem("f", "Add.", Kind.FUNCTION, "add", public_tests=(Test("1\n2", "3"),))
    _, asked = Prompts().render("audit", function, code="def add(a, b): return 3", count=5)
    assert "`assert add(...) == ...`" in asked.content
    assert "def add(a, b): return 3" in asked.content
    _, asked = Prompts().render("audit", PROBLEM, code=PROGRAMS[0], count=5)
    assert '{"input": "...", "output": "..."}' in asked.content


def test_an_estimate_counts_the_call():
    """One call more at most for a problem with several samples."""
    counts = [
        estimate_run(
            [PROBLEM],
            Settings(n=4, rounds=0, audit=on),
            Prompts(),
            model="m",
            prices=Prices(),
            methods=["adaptive"],
        ).most.calls
        for on in (False, True)
    ]
    assert counts[1] == counts[0] + 1
