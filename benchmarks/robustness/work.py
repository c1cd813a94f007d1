"""What the fault benchmark runs: a set, the words of the command, and a server that plays recordings."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.recorded.data import read_lines
from sstar_code.agent.models.recorded import read_calls
from sstar_code.agent.testing.server import Reply, chat
from sstar_code.problems import load_set
from sstar_code.problems.formats.jsonl import to_json

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Work", "call_key", "make_examples", "make_recorded"]

_OTHER = "```json\n[3, 4, 5]\n```\nANSWER: 1"
"""To every question of selection: what matters is that the same question gets the same answer."""


@dataclass(frozen=True, slots=True)
class Work:
    """A set and how it is answered."""

    name: str
    spec: str
    words: tuple[str, ...]
    respond: Callable[[dict[str, Any]], Reply]


def call_key(body: dict[str, Any]) -> str:
    """What makes a request the same request: its messages and its seed."""
    messages = [[message["role"], message["content"]] for message in body["messages"]]
    return json.dumps([messages, body.get("seed"), body.get("temperature")])


def make_examples(delay_s: float) -> Work:
    """The example problems with their recorded answers."""
    path = Path(str(resources.files("sstar_code.problems") / "bundled" / "examples" / "calls.jsonl.gz"))
    answers: dict[str, str] = {}
    for call in read_calls(path):
        request = call.request
        messages = [[message.role, message.content] for message in request.messages]
        answers[json.dumps([messages, request.seed, request.temperature])] = call.answer.text

    def respond(body: dict[str, Any]) -> Reply:
        return _chat(answers.get(call_key(body), _OTHER), delay_s)

    return Work("examples", "examples", ("--n", "6", "--rounds", "2", "--select", "sstar"), respond)


def make_recorded(data: Path, folder: Path, count: int, delay_s: float) -> Work:
    """LiveCodeBench's first `count` problems with programs recorded: one public test, the others hidden.

    Sample k is the program recorded at place k, a repair the one after the program that it mends.
    """
    place = data / "livecodebench"
    programs: dict[str, list[str]] = defaultdict(list)
    for row in read_lines(place / "verdicts.jsonl.gz"):
        programs[row["question_id"]].append(row["code"])
    fitting = (
        problem
        for problem in load_set(f"lcb:{place / 'problems.jsonl.gz'}").problems
        if len(problem.public_tests) > 1 and len(programs[problem.id]) > 1
    )
    problems = list(islice(fitting, count))
    path = folder / "recorded.jsonl"
    with path.open("w") as file:
        for problem in problems:
            row = to_json(problem)
            tests = row["public_tests"]
            row |= {"public_tests": tests[:1], "hidden_tests": tests[1:]}
            file.write(json.dumps(row) + "\n")

    def respond(body: dict[str, Any]) -> Reply:
        text = body["messages"][-1]["content"]
        problem = next((one for one in problems if one.statement.strip() in text), None)
        mending = "Find out why and repair it" in text
        if problem is None or not (mending or "Then write one complete Python program" in text):
            return _chat(_OTHER, delay_s)
        codes = programs[problem.id]
        code = codes[(body["seed"] + mending) % len(codes)]
        return _chat(f"```python\n{code}\n```", delay_s)

    return Work("recorded", f"jsonl:{path}", ("--n", "1", "--rounds", "1"), respond)


def _chat(text: str, delay_s: float) -> Reply:
    return chat(text, usage={"prompt_tokens": 100, "completion_tokens": len(text)}, delay_s=delay_s)
