"""The tools of `sstar mcp`, called with the SDK's own client."""

from __future__ import annotations

import json
import sys

import anyio
import pytest

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

import jsonschema
import mcp

from sstar_code.agent.serving.limits import Limits
from sstar_code.agent.testing import FakeSandbox
from sstar_code.agent.tools import server as tools
from sstar_code.agent.tools import solving as solving_tool
from sstar_code.agent.tools.behaviour import run_programs
from tests.support import ROOT
from tests.support.servers.tools import BETTER, MEDIAN, RefusedError, Solving, answer, call

pytestmark = pytest.mark.anyio


MOST_CHARS = 3_800
"""Characters of the whole list of tools: about 830 tokens, which every talk of an agent pays for."""


async def list_solving(sandbox):
    """The answer to tools/list of a server with all tools, as it goes over the wire."""
    async with anyio.create_task_group() as group:
        async with mcp.Client(Solving(sandbox, group, answer).server) as client:
            listed = await client.list_tools()
        group.cancel_scope.cancel()
    return listed.model_dump(mode="json", by_alias=True, exclude_none=True)


async def test_the_list_of_tools_costs_little_context():
    """Each has schemas of what it takes and gives, without titles; all together stay within a bound."""
    listed = await list_solving(FakeSandbox({}))
    assert [tool["name"] for tool in listed["tools"]] == [
        "distinguish",
        "choose",
        "run_tests",
        "solve_function",
    ]
    assert len(json.dumps(listed, separators=(",", ":"))) < MOST_CHARS
    for tool in listed["tools"]:
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
            assert '"title"' not in json.dumps(schema)
        arrays = [part for part in tool["inputSchema"]["properties"].values() if part.get("type") == "array"]
        assert all("items" in part for part in arrays), "some models refuse a list of nothing said"


async def test_no_more_of_an_output_is_kept_than_is_shown():
    """A hundred outputs of the longest there are would else be held at once."""
    kept = []

    class Sandbox(FakeSandbox):
        async def run(self, program, inputs, limits, *, stop_on_failure=False):
            kept.append(limits.kept_chars)
            return await super().run(program, inputs, limits, stop_on_failure=stop_on_failure)

    rows = await run_programs(["x"], ["", ""], None, Sandbox(lambda *_: "1"), seconds=1)
    assert [row.output for row in rows] == ["1", "1"]
    assert all(most is not None and most <= 10_000 for most in kept)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("distinguish", {"first": MEDIAN, "second": BETTER, "function": "median"}),
        ("distinguish", {"first": "print(1)", "second": "print(1)  # same", "inputs": ["2"]}),
        ("choose", {"candidates": ["print(input())", "print(1)"], "tests": [{"input": "2", "output": "2"}]}),
        ("choose", {"candidates": ["print(input())"]}),
        ("run_tests", {"programs": ["1 / 0"], "inputs": [""]}),
        ("solve_function", {"statement": "Write median(values).", "function": "median", "n": 1}),
        ("solve_function", {"statement": "Write a program.", "tests": [{"input": "", "output": "1"}]}),
    ],
)
async def test_calls_and_results_are_what_the_schemas_say(sandbox, name, given):
    """One result of each kind fits its schema; a result that is something else does not."""
    async with anyio.create_task_group() as group:
        async with mcp.Client(Solving(sandbox, group, answer).server) as client:
            tool = next(tool for tool in (await client.list_tools()).tools if tool.name == name)
            jsonschema.validate(given, tool.input_schema)
            made = await call(client, name, **given)
        group.cancel_scope.cancel()
    jsonschema.validate(made, tool.output_schema)
    for key in made:
        for wrong in ({**made, key: object}, {other: made[other] for other in made if other != key}):
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(wrong, tool.output_schema)


async def test_distinguish_finds_a_small_input_without_a_model(sandbox):
    """From the types of the signature alone, from an example, and on standard input."""
    async with mcp.Client(tools.make_server(sandbox)) as client:
        made = await call(client, "distinguish", first=MEDIAN, second=BETTER, function="median")
        assert made["differ"]
        assert len(made["input"]) < 12
        assert made["first"] != made["second"]
        plain = {"first": "print(int(input()) * 2)", "second": "print(int(input()) ** 2)"}
        made = await call(client, "distinguish", **plain, inputs=["2\n"])
        assert (made["input"].strip(), made["first"].strip(), made["second"].strip()) == ("1", "2", "1")
        made = await call(client, "distinguish", first="x = input()", second="y = input()", inputs=["2\n"])
        assert not made["differ"]
        same = await call(client, "distinguish", first="print(1)", second="print(1)  # same", inputs=["2"])
        assert (same["differ"], same["tried"]) == (False, 0)
        with pytest.raises(RefusedError, match="give one or two"):
            await call(client, "distinguish", first="1 / 0", second="raise ValueError")


async def test_choose_goes_by_tests_and_by_behaviour(sandbox):
    """Tests decide; without any the larger cluster is chosen, and the input that splits is told."""
    async with mcp.Client(tools.make_server(sandbox)) as client:
        double, square = "print(int(input()) * 2)", "print(int(input()) ** 2)"
        candidates = [square, double, "n = int(input())\nprint(n + n)"]
        tests = [{"input": "3\n", "output": "6"}]
        made = await call(client, "choose", candidates=candidates, tests=tests)
        assert made["chosen"] in (1, 2)
        free = await call(client, "choose", candidates=candidates)
        assert free["chosen"] in (1, 2)
        assert sorted(map(len, free["clusters"])) == [1, 2]
        assert free["telling_input"]


async def test_choose_is_within_the_limits_of_a_call(sandbox):
    """What it asks the model counts for the hour, is bounded, and takes one of the places."""
    candidates = ["print(int(input()) * 2)", "print(int(input()) ** 2)"]
    limits = Limits(max_solving=1, max_tokens_hour=10)
    asked = {"candidates": candidates, "statement": "Read an integer. Print twice its value."}
    async with anyio.create_task_group() as group:
        solving = Solving(sandbox, group, answer, limits=limits)
        async with mcp.Client(solving.server) as client:
            with solving.gate.solve(), pytest.raises(RefusedError, match="--max-solving"):
                await call(client, "choose", **asked)
            assert (await call(client, "choose", **asked))["chosen"] in (0, 1)
            assert 0 < 10 - solving.gate.left_this_hour() < 24
            with pytest.raises(RefusedError, match="--max-tokens-hour"):
                await call(client, "choose", **asked)
        group.cancel_scope.cancel()


async def test_run_tests_gives_every_program_on_every_input(sandbox):
    """Failures are results; nothing that a program does is an error of the tool."""
    async with mcp.Client(tools.make_server(sandbox)) as client:
        programs = ["print(int(input()) + 1)", "while True: pass"]
        rows = (await call(client, "run_tests", programs=programs, inputs=["1", "x"], seconds=0.5))["result"]
    shown = [(row["program"], row["input"], row["status"]) for row in rows]
    assert shown == [(0, 0, "OK"), (0, 1, "RE"), (1, 0, "TLE"), (1, 1, "TLE")]
    assert rows[0]["output"].strip() == "2"


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("choose", {"candidates": []}, "from 1 to 32"),
        ("choose", {"candidates": ["x"], "tests": [1]}, "tests[0]"),
        ("run_tests", {"programs": [], "inputs": [""]}, "from 1 to 32"),
        ("run_tests", {"programs": ["x"], "inputs": [[1]]}, "input 0"),
        ("run_tests", {"programs": ["x"], "inputs": [""] * 101}, "at most 100"),
    ],
)
async def test_what_cannot_be_is_told_in_a_line(name, arguments, told):
    """The error says what to give instead; no program is run."""
    async with mcp.Client(tools.make_server(FakeSandbox({}))) as client:
        with pytest.raises(RefusedError, match=told.replace("[", r"\[").replace("]", r"\]")) as caught:
            await call(client, name, **arguments)
    assert "\n" not in str(caught.value)


async def test_solve_function_writes_it_and_says_why(sandbox):
    """Program, sentence, confidence and report; the client was told of each candidate."""
    told = []

    async def note(progress, total, message):
        told.append(message)

    async with anyio.create_task_group() as group:
        solving = Solving(sandbox, group, answer)
        async with mcp.Client(solving.server) as client:
            made = await client.call_tool(
                "solve_function",
                {
                    "statement": "Write median(values).",
                    "tests": ["assert median([1, 2]) == 1.5"],
                    "function": "median",
                },
                progress_callback=note,
            )
        group.cancel_scope.cancel()
    result = made.structured_content
    assert (result["state"], result["program"].strip()) == ("done", BETTER.strip())
    assert "passes all 1 tests" in result["why"]
    assert result["report"]["calls"] == 2
    assert any("candidate" in line for line in told)


async def test_long_work_goes_on_behind_a_handle(sandbox, monkeypatch):
    """A call that takes long gives a handle; with it the result is had when it is there."""
    monkeypatch.setattr(solving_tool, "_WAIT_S", 0.0)
    async with anyio.create_task_group() as group:
        solving = Solving(sandbox, group, answer)
        async with mcp.Client(solving.server) as client:
            made = await call(client, "solve_function", statement="Write a function median(values).")
            assert (made["state"], made["program"]) == ("running", "")
            monkeypatch.setattr(solving_tool, "_WAIT_S", 180.0)
            ended = await call(client, "solve_function", job=made["job"])
            assert (ended["state"], ended["job"]) == ("done", made["job"])
            with pytest.raises(RefusedError, match="no job"):
                await call(client, "solve_function", job="another")
        group.cancel_scope.cancel()


async def test_a_model_that_fails_is_a_state_with_the_reason(sandbox):
    """The call itself did what it could."""
    async with anyio.create_task_group() as group:
        async with mcp.Client(Solving(sandbox, group, lambda _: "no program").server) as client:
            made = await call(client, "solve_function", statement="Write a function median(values).")
        group.cancel_scope.cancel()
    assert made["state"] == "failed"
    assert "held a program" in made["why"]


async def test_no_more_is_solved_at_once_than_the_limit_says(monkeypatch):
    """One more is told so in a line, and nothing is asked for it; the limit is `--max-solving`."""
    monkeypatch.setattr(solving_tool, "_WAIT_S", 0.0)
    task = {"statement": "Write a function median(values)."}
    async with anyio.create_task_group() as group:
        solving = Solving(FakeSandbox({}), group, answer, limits=Limits(max_solving=1))
        async with mcp.Client(solving.server) as client:
            with solving.gate.solve():
                made = await call(client, "solve_function", **task)
                monkeypatch.setattr(solving_tool, "_WAIT_S", 180.0)
                ended = await call(client, "solve_function", job=made["job"])
        group.cancel_scope.cancel()
    assert ended["state"] == "failed"
    assert "--max-solving" in ended["why"]
    assert solving.model.requests == []


async def test_two_calls_at_once_do_not_wait_for_each_other(sandbox):
    """Both are answered, each with its own."""
    async with mcp.Client(tools.make_server(sandbox)) as client:
        found = {}

        async def ask(number):
            rows = await call(client, "run_tests", programs=[f"print({number})"], inputs=[""])
            found[number] = rows["result"][0]["output"].strip()

        async with anyio.create_task_group() as group:
            group.start_soon(ask, 1)
            group.start_soon(ask, 2)
    assert found == {1: "1", 2: "2"}


async def test_the_command_serves_on_stdin_and_stdout(sandbox_local):
    """As a client starts it: a process that says nothing else on stdout, and ends with its input."""
    script = "from sstar_code.agent.cli.main import main; main()"
    server = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-c", script, "mcp", "--sandbox", "local", "--workers", "1"],
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    async with mcp.Client(mcp.stdio_client(server)) as client:
        rows = await call(client, "run_tests", programs=["print(3)"], inputs=[""])
    assert rows["result"][0]["output"].strip() == "3"
