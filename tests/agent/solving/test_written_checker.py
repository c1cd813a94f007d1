"""Checkers that a model writes: which are believed, which are refused in one line, and what they decide."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sstar_code.agent.jobs.estimate import estimate_run
from sstar_code.agent.models.request import CallError
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.solving.solve import solve
from sstar_code.agent.solving.written_checker import wants_checker, write_checker
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Limits
from sstar_code.sandbox.judging import checkers

PROBLEM = Problem(
    "sum",
    "Print any two positive integers with the sum n.",
    Kind.STDIN,
    public_tests=(Test("7\n", "3 4\n"), Test("2\n", "1 1\n")),
    several_answers=True,
)
GOOD = """
def check(data, output, known):
    words = output.split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return "two positive integers are expected"
    first, second = map(int, words)
    return "" if first > 0 and second > 0 and first + second == int(data) else "another sum"
"""
ENDLESS = "def check(data, output, known):\n    while True: pass\n"


def fence(code):
    return f"Some words.\n```python\n{code}```"


def try_checker(held, text, problem=PROBLEM):
    """What `write_checker` gives for this answer."""
    model = ScriptedModel(lambda _: text)
    context = SolveContext(model, held.sandbox, Prompts(), Settings(n=1))
    return (*held.call(write_checker, problem, context), model)


def test_a_checker_that_passes_its_trial_judges_public_tests(sandbox_local):
    """The prompt shows the problem as untrusted text, its rules, and asks once, at temperature 0."""
    problem, told, model = try_checker(sandbox_local, fence(GOOD))
    assert told == "public tests are judged by a checker that the model wrote: it passed its trial"
    assert (problem.several_answers, GOOD in problem.checker["program"]) == (False, True)
    (request,) = model.requests
    assert request.temperature == 0.0
    assert [message.role for message in request.messages] == ["system", "user"]
    text = request.messages[1].content
    assert "Print any two positive integers" in text
    assert "`check(data, output, known)`" in text
    assert "3 4" in text


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def check(data, output, known):\n    return ''\n", "it accepts '' for public test 1"),
        (
            "def check(data, output, known):\n    return 'no'\n",
            "refuses the output of public test 1: the checker: no",
        ),
        (GOOD.replace("output.split()", "output.split()[:2]"), "it accepts '3 4\\n?!\\n' for public test 1"),
        (GOOD.replace("and first + second == int(data)", ""), "it accepts every output of the right form"),
        ("def check(data, output, known):\n    return None\n", "does not say whether the output is right"),
        ("def check(data, output):\n    return ''\n", "TypeError"),
        (GOOD + "raise SystemExit(0)\n", "it accepts ''"),
        (GOOD + "import os; os._exit(0)\n", "it accepts ''"),
        (GOOD + "open('/etc/shadow')\n", "Error"),
        (ENDLESS, "at fault: TLE"),
        ("def check(data, output, known:\n", "no checker was written: no Python block"),
        ("def other():\n    pass\n", "no checker was written: no Python block"),
    ],
)
def test_a_wrong_or_hostile_checker_is_refused_in_one_line(sandbox_local, monkeypatch, code, told):
    """It accepts what is wrong, refuses what is right, says nothing, breaks out, or never ends."""
    monkeypatch.setattr(checkers, "_LIMITS", Limits(cpu_s=0.3))
    problem, line, _ = try_checker(sandbox_local, fence(code))
    assert problem is PROBLEM
    assert told in line
    assert "\n" not in line


def test_an_output_of_more_digits_than_python_reads_is_one_too(sandbox_local):
    """The trial changes a number in it, and the run goes on."""
    long = replace(PROBLEM, public_tests=(Test("1\n", "7" * 5_000 + "\n"),))
    accepts = "def check(data, output, known):\n    return '' if output.strip().isdigit() else 'no number'\n"
    _, told, _ = try_checker(sandbox_local, fence(accepts), long)
    assert "it accepts every output of the right form" in told


def test_known_programs_have_to_pass(sandbox_local):
    """A reference that prints another right output shows a checker that compares."""
    compares = (
        "def check(data, output, known):\n    return '' if output.split() == known.split() else 'not it'\n"
    )
    assert try_checker(sandbox_local, fence(compares))[0] is not PROBLEM, "nothing speaks against it"
    own = replace(PROBLEM, metadata={"reference": "n = int(input())\nprint(n - 1, 1)"})
    problem, told, _ = try_checker(sandbox_local, fence(compares), own)
    assert problem is own
    assert "it refuses what the reference 0 prints: the checker: no" in told
    assert try_checker(sandbox_local, fence(GOOD), own)[0] is not own


def test_the_choice_rests_on_it_and_the_problem_stays(sandbox_local):
    """A program with another right output survives, a wrong one does not; a failed call changes nothing."""
    programs = ["print(9, 9)", "n = int(input())\nprint(n - 1, 1)"]

    def answer(request):
        if request.purpose.ordinal == "checker":
            if not works:
                raise CallError("no")
            return fence(GOOD)
        return fence(programs[request.purpose.sample])

    async def run(on):
        model = ScriptedModel(answer)
        settings = Settings(n=2, rounds=0, select="first", write_checker=on)
        context = SolveContext(model, sandbox_local.sandbox, Prompts(), settings)
        return await solve(PROBLEM, context, ["first"])

    works = True
    made = sandbox_local.call(run, True)
    assert (made.chosen, made.solved, made.problem) == (1, True, PROBLEM)
    assert "checker that the model wrote" in made.selection.notes[0]
    without = sandbox_local.call(run, False)
    assert (without.solved, len(without.selection.notes)) == (False, len(made.selection.notes) - 1)
    works = False
    failed = sandbox_local.call(run, True)
    assert (failed.solved, failed.selection.notes[0]) == (False, "no checker was written: no")


def test_it_is_written_only_where_it_is_needed():
    """A statement with one answer, a checker or nothing to try it on asks for none; an estimate counts it."""
    assert wants_checker(PROBLEM)
    for change in (
        {"several_answers": False},
        {"checker": {"program": ""}},
        {"public_tests": ()},
        {"interactor": {"program": ""}},
    ):
        assert not wants_checker(replace(PROBLEM, **change))
    counts = []
    for on in (False, True):
        settings = Settings(n=1, rounds=0, select="first", write_checker=on)
        found = estimate_run([PROBLEM], settings, Prompts(), model="m", prices=Prices(), methods=["first"])
        counts.append(found.most.calls)
    assert counts[1] == counts[0] + 1
