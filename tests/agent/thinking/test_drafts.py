"""Drafts in thinking are found, run and counted: those that were right, when, and those thrown away."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.generation.lineage import Lineage, Round
from sstar_code.agent.models.request import Usage
from sstar_code.agent.run.outcomes import ProblemOutcome
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.testing.server import chat
from sstar_code.agent.thinking.drafts import add_drafts, assess_thinking, list_drafts
from sstar_code.agent.thinking.underthinking import measure_underthinking
from sstar_code.problems import Kind, Problem
from sstar_code.sandbox import Execution, Status, Verdict
from sstar_code.sandbox.fake import FakeSandbox
from tests.agent.conftest import PUBLIC_ONLY, RIGHT, WRONG
from tests.agent.thinking.scripts import DOUBLE, PROBLEM, SQUARE

TEXT = Path(__file__).with_name("traces.txt").read_text(encoding="utf-8")
TRACES = [
    (*head.split(" | "), text.removesuffix("\n"))
    for head, text in re.findall(r"^=== (.+)\n([\s\S]*?)(?=^=== |\Z)", TEXT, re.MULTILINE)
]


def execute(program, text):
    """What a program of the traces prints; they are ours, so they may run here."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(program.code, {"input": text.strip})
    except ArithmeticError:
        return Execution(Status.RE)
    return printed.getvalue()


async def assess(thinking, *, solved, problem=PROBLEM):
    made = Round(
        0, thinking=thinking, verdict=Verdict.AC if solved else Verdict.WA, usage=Usage(reasoning=100)
    )
    return await assess_thinking([Lineage(3, (made,))], problem, FakeSandbox(execute))


def test_there_are_thirty_traces():
    """The data is read whole."""
    assert len(TRACES) == 31
    assert len({name for name, *_ in TRACES}) == len(TRACES)


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "drafts", "answer", "text"), TRACES, ids=[trace[0] for trace in TRACES])
async def test_the_drafts_of_a_trace(name, drafts, answer, text):
    """As many as are written, each once; the first that passes stands where it was complete."""
    drafts = drafts.replace("-", "")
    found = list_drafts(text, PROBLEM)
    shares = [item.share for item in found]
    assert len(found) == len(drafts)
    assert shares == sorted(shares)
    assert all(0 < share <= 1 for share in shares)
    (thought,) = await assess(text, solved=answer == "R") if text.strip() else (None,)
    if thought is not None:
        assert (thought.drafts, thought.right) == (len(drafts), drafts.count("R"))
        assert thought.first_right == (shares[drafts.index("R")] if "R" in drafts else None)
        assert (thought.sample, thought.round, thought.tokens, thought.solved) == (3, 0, 100, answer == "R")


def test_the_share_is_that_of_what_was_written():
    """Half of the text stands before the end of the draft."""
    draft = f"Let me see.\n{DOUBLE}"
    found = list_drafts(draft + "." * (len(draft) - 2 * len("\n```")), PROBLEM)
    assert [item.share for item in found] == [0.5]


def test_drafts_of_functions():
    """For a function a draft defines it."""
    problem = Problem("f", "Add.", Kind.FUNCTION, entry_point="add")
    text = "```python\ndef add(a, b):\n    return a + b\n```\nUse:\n```python\nadd(1, 2)\n```\n"
    assert [item.code for item in list_drafts(text, problem)] == ["def add(a, b):\n    return a + b\n"]


@pytest.mark.anyio
async def test_underthinking_is_counted():
    """By the numbers of the traces: answers, drafts, right ones, those thrown away, and the measure."""
    thoughts = []
    for _, _, answer, text in TRACES:
        thoughts += await assess(text, solved=answer == "R")
    found = measure_underthinking([ProblemOutcome("p", (), {}, (), thoughts=tuple(thoughts))])
    known = [(drafts.replace("-", ""), answer == "R") for _, drafts, answer, text in TRACES if text.strip()]
    assert found.answers == len(known)
    assert found.with_draft == sum(bool(drafts) for drafts, _ in known)
    assert found.drafts == sum(len(drafts) for drafts, _ in known)
    assert found.with_right == sum("R" in drafts for drafts, _ in known)
    assert found.wrong == sum(not solved for _, solved in known)
    assert found.thrown_away == sum("R" in drafts and not solved for drafts, solved in known) == 4
    wasted = [1 - (item.first_right or 1) for item in thoughts if not item.solved]
    assert found.underthinking == pytest.approx(sum(wasted) / len(wasted))
    assert f"4 of {found.wrong} wrong answers threw such a draft away" in str(found)


def test_nothing_is_measured_without_thinking():
    """Runs of other models say nothing of it."""
    outcome = ProblemOutcome("p", (), {}, ())
    assert measure_underthinking([outcome]) is None
    assert "thoughts" not in outcome.to_json()


@pytest.mark.anyio
async def test_without_public_tests_no_draft_is_right_or_wrong():
    """Then nothing is counted."""
    assert await assess(SQUARE, solved=True, problem=Problem("p", "x", Kind.STDIN)) == ()


@given(st.text(alphabet=st.sampled_from("`~ \n>pythonx=1()<|/k"), max_size=200))
def test_no_text_breaks_the_search(text):
    """Whatever is thought, there is a list of drafts."""
    assert all(0 <= item.share <= 1 for item in list_drafts(text, PROBLEM))


def test_a_run_says_what_its_thinking_held(sstar, serve, write_set, isolated, folder):
    """`eval` counts it, and `report` tells it, also as JSON."""
    texts = {0: (RIGHT, WRONG), 1: (f"{WRONG}\nNo.\n{PUBLIC_ONLY}", RIGHT)}

    def respond(body):
        thinking, answer = texts[body["seed"] % 2]
        return chat(answer, message={"reasoning": thinking})

    words = ["eval", write_set(), "-m", "tiny", "--n", "2", "--rounds", "0", *isolated, "--out", "run"]
    ended = sstar(*words, "--base-url", serve(respond).base_url)
    assert ended.code == 0, ended.err
    assert "thinking: 2 of 2 answers thought about hold a draft program (3 in all), 2 one that" in ended.out
    assert "1 of 1 wrong answers threw such a draft away" in ended.out
    kept = json.loads((folder / "run" / "summary.json").read_text())["thinking"]
    assert (kept["answers"], kept["with_right"], kept["thrown_away"]) == (2, 2, 1)
    told = sstar("report", "run", "--format", "json")
    assert json.loads(told.out)["thinking"] == kept
    assert "threw such a draft away" in sstar("report", "run", "--format", "md").out


def test_drafts_are_candidates(sstar, serve, write_set, isolated, folder):
    """With `--drafts` a right draft that its answer threw away is chosen; pass@1 counts answers alone.

    The same command again asks nothing and gives the same; without the option the folder is refused.
    """
    texts = {0: (f"{RIGHT}\n{PUBLIC_ONLY}\nNo.", WRONG), 1: ("Hm.", WRONG)}

    def respond(body):
        thinking, answer = texts[body["seed"] % 2]
        return chat(answer, message={"reasoning": thinking})

    server = serve(respond)
    words = ["eval", write_set(), "-m", "tiny", "--n", "2", "--rounds", "0", *isolated, "--out", "run"]
    words += ["--base-url", server.base_url, "--select", "first"]
    ended = sstar(*words, "--drafts", "--json")
    assert ended.code == 0, ended.err
    assert [ended.json[name] for name in ("pass@1", "selected@1", "oracle")] == [0.0, 1.0, 1.0]
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert (summary["methods"]["debugged@1"]["value"], summary["thinking"]["candidates"]) == (0.0, 2)
    rows = (folder / "run" / "candidates.jsonl").read_text()
    assert RIGHT.split("\n")[1] in rows
    asked = len(server.received)
    again = sstar(*words, "--drafts", "--json").json
    assert {**again, "seconds": 0} == {**ended.json, "seconds": 0}
    told = json.loads(sstar("report", "run", "--format", "json").out)
    assert told["thinking"]["candidates"] == 2
    assert len(server.received) == asked
    assert sstar(*words).code == 2
    solve = ["solve", "jsonl:problems.jsonl#double", "-m", "tiny", "--n", "2", "--rounds", "0", *isolated]
    solved = sstar(*solve, "--base-url", server.base_url, "--drafts")
    assert (solved.code, "2 drafts in their thinking pass them too" in solved.err) == (0, True), solved.err


@pytest.mark.anyio
async def test_a_draft_that_is_a_candidate_already_or_fails_is_none():
    """Only programs that pass and are not there yet count, at most as many as there are samples."""
    context = SolveContext(None, FakeSandbox(execute), None, Settings(drafts=True))
    other = "```python\nprint(2 * int(input()))\n```"
    more = "```python\nprint(int(input()) + 0 + int(str(1)))\n```"
    made = Round(0, "print(int(input())*2)\n", thinking=f"{DOUBLE}\n{SQUARE}\n{other}\n{other}\n{more}")
    found = await add_drafts([Lineage(0, (made,))], PROBLEM, context)
    assert [lineage.code for lineage in found[1:]] == ["print(2 * int(input()))\n"]
    assert found[1].is_draft
    off = SolveContext(None, FakeSandbox(execute), None, Settings())
    assert await add_drafts([Lineage(0, (made,))], PROBLEM, off) == (Lineage(0, (made,)),)
