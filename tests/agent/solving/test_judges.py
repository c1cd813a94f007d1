"""A second judge by role: it is asked which output is right and nothing else."""

from __future__ import annotations

import re

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.roles import RoleModels
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.solving.solve import solve
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.problems import Kind, Problem, Test

PROBLEM = Problem(
    "distance",
    "Write `distance(n)`: how far n is from 0.",
    Kind.FUNCTION,
    "distance",
    public_tests=(Test("2", "2"), Test("5", "5")),
)
PROGRAMS = ["return n", "return abs(n)"]


def write(request):
    """First samples; as a judge it always names the first output, so it goes by the order alone."""
    purpose = request.purpose
    if purpose.stage == "generate":
        return f"```python\ndef distance(n):\n    {PROGRAMS[purpose.sample]}\n```"
    return "ANSWER: A"


def judge(request):
    """The right output, worked out from the input that is shown."""
    text = request.messages[-1].content
    shown = re.search(r"distance\((-?\d+)\)", text.partition("# Input")[2])
    outputs = re.findall(r"# Output ([A-D])\n+`+\w*\n(.*?)\n`+", text, re.DOTALL)
    right = [letter for letter, output in outputs if shown and output == str(abs(int(shown[1])))]
    return f"ANSWER: {right[0] if right else 'invalid'}"


def solve_with(held, judges):
    """The solution, and the requests that each model answered."""
    main, second = ScriptedModel(write), ScriptedModel(judge)

    async def run():
        model = StoredModel(RoleModels(main, {"selector2": second}), Store(), Budget(), max_in_flight=4)
        context = SolveContext(model, held.sandbox, Prompts(), Settings(n=2, rounds=0), judges=judges)
        return await solve(PROBLEM, context, ["adaptive"])

    return held.call(run), main.requests, second.requests


def test_the_second_judge_is_measured_and_decides(sandbox_local):
    """The first judge goes by the order and is let be; the second is right on the examples and believed."""
    made, main, second = solve_with(sandbox_local, judges=2)
    assert made.program == "def distance(n):\n    return abs(n)\n"
    assert {item.judge for item in made.selection.asked} == {2}
    assert {request.purpose.stage.value for request in second} == {"judge"}
    assert any("probe" in request.purpose.ordinal for request in second)
    assert any(request.purpose.stage == "judge" for request in main)


def test_one_judge_is_all_there_is_by_default(sandbox_local):
    """Without a role for it nobody else is asked."""
    made, _, second = solve_with(sandbox_local, judges=1)
    assert second == []
    assert {item.judge for item in made.selection.asked} <= {1}


def test_a_server_takes_no_second_judge(sstar):
    """It is said before anything is opened, not left out in silence."""
    ended = sstar("serve", "-m", "tiny", "--base-url", "http://127.0.0.1:9/v1", "--role-model", "selector2=b")
    assert ended.code == 2
    assert "`sstar serve` asks one selector" in ended.err
