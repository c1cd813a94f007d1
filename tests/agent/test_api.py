"""The Python face: the same functions in a script, in a running loop, with a model that is a function."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import anyio
import anyio.lowlevel
import pytest

import sstar_code
from sstar_code.agent.models import Answer, Usage
from tests.support import ROOT

SUM = "Read two integers and print their sum.\n\nExample:\nInput: 1 2\nOutput: 3\n"
RIGHT = "print(sum(map(int, input().split())))"
OTHER = "a, b = map(int, input().split())\nprint(a + b)"


def answer(program):
    return f"Here it is:\n```python\n{program}\n```"


async def model(messages):
    assert [message["role"] for message in messages] == ["system", "user"]
    return answer(RIGHT)


def test_a_problem_is_solved_by_a_function(sandbox_local):
    """A statement and an async function are enough; the solution says what was chosen and what it cost."""
    settings = sstar_code.Settings(n=2, select="first")
    solution = sstar_code.solve(SUM, model=model, settings=settings, sandbox="local")
    assert (solution.solved, solution.chosen, solution.program.strip()) == (True, 0, RIGHT)
    assert [candidate.public_passed for candidate in solution.candidates] == [1, 1]
    assert solution.usage.calls == 2
    assert set(solution.selections) == {"first"}


@pytest.mark.anyio
async def test_everything_works_in_a_running_loop(sandbox_local):
    """As in a notebook: the plain functions do not say that a loop is running, and the others are awaited."""
    settings = sstar_code.Settings(n=1, select="first")
    waited = sstar_code.solve(SUM, model=model, settings=settings, sandbox="local")
    awaited = await sstar_code.asolve(SUM, model=model, settings=settings, sandbox="local")
    assert waited.program == awaited.program
    chosen = sstar_code.select(SUM, ["print(4)", RIGHT, OTHER], sandbox="local")
    again = await sstar_code.aselect(SUM, ["print(4)", RIGHT, OTHER], sandbox="local")
    assert replace(chosen, executions=0) == replace(again, executions=0)  # what seems slow runs only once
    assert chosen.chosen == 1
    assert [run.stdout for run in sstar_code.run(RIGHT, ["1 2", "3 4"], sandbox="local")] == ["3\n", "7\n"]


def test_a_function_is_called_with_arguments(sandbox_local):
    """Arguments are Python values or JSON, one a line; what a program raises is data."""
    program = "def f(a, b=[]):\n    return [a] + b"
    runs = sstar_code.run(program, [(1, [2]), "3\n[4]", ("x", None)], entry_point="f", sandbox="local")
    assert [run.result for run in runs[:2]] == ["[1, 2]", "[3, 4]"]
    assert (runs[2].status, runs[2].failure.type) == ("RE", "TypeError")


@pytest.mark.usefixtures("cpp_tools")
def test_judges_in_cpp_are_run_against_the_header_that_is_given():
    """By `select` and `solve`, with the compiler that they need; without the header it is one line."""
    checker = {
        "program": '#include "testlib.h"\nint main(int argc, char **argv) {\n'
        "    registerTestlibCmd(argc, argv);\n"
        '    if (ouf.readInt() + ouf.readInt() != inf.readInt()) quitf(_wa, "another sum");\n'
        '    quitf(_ok, "fine");\n}\n',
        "language": "cpp",
    }
    problem = sstar_code.Problem(
        "sum", "Two numbers.", "stdin", public_tests=[sstar_code.Test("7\n", "3 4\n")], checker=checker
    )
    programs = ["print(1, 1)", "print(1, 6)"]
    options = {"sandbox": "local", "testlib": ROOT / "tests" / "support" / "testlib"}
    assert sstar_code.select(problem, programs, method="first", **options).chosen == 1

    async def write(_messages):
        return answer(programs[1])

    settings = sstar_code.Settings(n=1, select="first")
    assert sstar_code.solve(problem, model=write, settings=settings, **options).solved
    with pytest.raises(sstar_code.UserError, match="from Python with testlib=PATH"):
        sstar_code.select(problem, programs, sandbox="local")


def test_a_set_is_evaluated_and_goes_on(sandbox_local, tmp_path):
    """A run folder is what `sstar eval` writes: a second call asks nothing that was answered."""
    asked = []

    async def count(messages):
        asked.append(messages)
        return answer(RIGHT)

    test = sstar_code.Test("1 2\n", "3\n")
    problem = sstar_code.Problem("sum", SUM, "stdin", public_tests=(test,), hidden_tests=(test,))
    options = {"model": count, "settings": sstar_code.Settings(n=2, select="first"), "sandbox": "local"}
    for _ in range(2):
        summary = sstar_code.evaluate([problem], **options, folder=tmp_path / "run")
        assert summary.headline()["selected@1"] == 1.0
    assert len(asked) == 2
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["problems"] == 1
    options["settings"] = sstar_code.Settings(n=3, select="first")
    with pytest.raises(sstar_code.UserError, match="another command"):
        sstar_code.evaluate([problem], **options, folder=tmp_path / "run")


def test_a_preset_asks_as_its_leaderboard(serve, sandbox_local, tmp_path):
    """Prompts and sampling are the preset's, settings that are given win; the folder says what departs."""
    server = serve(answer(RIGHT))
    test = sstar_code.Test("1 2\n", "3\n")
    problem = sstar_code.Problem("sum", SUM, "stdin", public_tests=(test,), hidden_tests=(test,))
    options = {"model": "tiny", "base_url": server.base_url, "sandbox": "local", "preset": "lcb"}
    summary = sstar_code.evaluate([problem], **options, folder=tmp_path / "run")
    bodies = [received.body for received in server.received if received.body]
    asked = {(body["temperature"], body["top_p"], body["max_tokens"]) for body in bodies}
    assert (asked, len(bodies)) == ({(0.2, 0.95, 2000)}, 10)
    assert "### Problem:" in bodies[0]["messages"][1]["content"]
    assert summary.preset["departures"] == ["set given in Python, not lcb"]
    settings = replace(sstar_code.PRESETS["lcb"].settings, n=1)
    solution = sstar_code.solve(problem, **options, settings=settings, folder=tmp_path / "one")
    assert solution.solved
    kept = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert (kept["preset"]["departures"], kept["config"]["preset"]) == (["n 1, not 10"], "lcb")
    with pytest.raises(sstar_code.UserError, match="no such preset"):
        sstar_code.solve(problem, **options | {"preset": "lbc"})


def test_a_bundled_set_is_named(sandbox_local):
    """`lists` with its recorded model; nothing is left of a run without a folder."""
    settings = sstar_code.Settings(n=1, rounds=0, select="first")
    tasks = sstar_code.load_set("lists").problems[:2]
    summary = sstar_code.evaluate(tasks, model="replay:lists", settings=settings, sandbox="local")
    assert (summary.problems, summary.errors) == (2, {})


def test_mistakes_are_one_plain_error(sandbox_local):
    """No exception group, no error of a library: one that says what to do, or the user's own."""

    async def broken(_messages):
        await anyio.lowlevel.checkpoint()
        raise ZeroDivisionError("mine")

    async def numbers(_messages):
        return 7

    settings = sstar_code.Settings(n=3, select="first")
    for wrong, kind, words in (
        (broken, ZeroDivisionError, "mine"),
        (numbers, sstar_code.UserError, "must return a str"),
        (7, sstar_code.UserError, "give a name, an async function, or a model"),
    ):
        with pytest.raises(kind, match=words):
            sstar_code.solve(SUM, model=wrong, settings=settings, sandbox="local")
    with pytest.raises(sstar_code.UserError, match="did you mean 'majority'"):
        sstar_code.select(SUM, [RIGHT], method="majorty", sandbox="local")
    with pytest.raises(sstar_code.UserError, match="unknown sandbox 'dcoker'"):
        sstar_code.run(RIGHT, ["1"], sandbox="dcoker")
    with pytest.raises(sstar_code.UserError, match="entry_point"):
        sstar_code.run(RIGHT, [(1,)], sandbox="local")


def test_an_object_with_ask_is_a_model_too(sandbox_local):
    """Whoever wants tokens counted and seeds seen gives an object with `name` and `ask`."""

    class Model:
        name = "mine"

        async def ask(self, request):
            return Answer(answer(RIGHT), usage=Usage(prompt=request.seed, output=1))

    settings = sstar_code.Settings(n=2, select="first", seed=10)
    solution = sstar_code.solve(SUM, model=Model(), settings=settings, sandbox="local")
    assert solution.usage.tokens == 10 + 11 + 2


def test_importing_loads_nothing():
    """`import sstar_code` takes no time: what a name needs is loaded when the name is used."""
    code = "import sys, sstar_code; print([m for m in sys.modules if m.startswith('sstar_code.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_name_is_there():
    """What the face names can be had, and a name that is not there is an AttributeError."""
    for name in sstar_code.__all__:
        assert getattr(sstar_code, name) is not None
    assert "solve" in dir(sstar_code)
    with pytest.raises(AttributeError, match="no attribute 'sovle'"):
        sstar_code.sovle  # noqa: B018
