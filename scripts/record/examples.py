"""Makes the recording behind `-m replay:examples` from the hand-written answers of the example problems.

    python -m scripts.record.examples

Runs the method on the bundled problems with a scripted model and records every call. Samples, repairs and
inputs are those of `answers.jsonl`; the judge is scripted too: it runs the reference program on the input
shown and prefers the output that the problem's checker accepts. So the demo shows how the method works, and
nothing about any model.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
from functools import partial
from importlib import resources
from typing import Any

import anyio

from scripts.record.recording import record
from sstar_code.agent.models import Answer, Message, Request, Usage
from sstar_code.agent.models.request import CallError
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.problems import Kind, Problem
from sstar_code.problems.checkers import accepts
from sstar_code.problems.sets.load import load_set
from sstar_code.problems.values import encode

SETTINGS = Settings(n=6, rounds=2, seed=0)
FOLDER = resources.files("sstar_code.problems") / "bundled" / "examples"


def read_lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


class Remembering(Prompts):
    """Prompts that remember what each was made from, so that the judge need not read its own question."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[tuple[Message, ...], dict[str, Any]] = {}

    def render(self, name: str, problem: Problem, **values: Any) -> tuple[Message, ...]:
        messages = super().render(name, problem, **values)
        self.values[messages] = values
        return messages


class Script:
    """Answers from `answers.jsonl`; judges by the reference programs."""

    def __init__(self, problems: tuple[Problem, ...], prompts: Remembering) -> None:
        self.problems = {problem.id: problem for problem in problems}
        self.prompts = prompts
        self.references = {row["task_id"]: row["solution"] for row in read_lines("references.jsonl")}
        self.answers = {
            (row["problem_id"], row["stage"], row.get("sample", 0), row.get("round", 0)): row["text"]
            for row in read_lines("answers.jsonl")
        }

    def __call__(self, request: Request) -> Answer | CallError:
        purpose = request.purpose
        question = purpose.ordinal.partition("/")[0]
        if question == "choose":
            values = self.prompts.values[request.messages]
            text = self.choose(self.problems[purpose.problem_id], values["input"], values["outputs"])
        elif question == "kit":
            text = (
                "The examples need no generator.\n\n```python\ndef valid(data):\n    return bool(data)\n```"
            )
        elif question == "reference":
            text = self.write_reference(self.problems[purpose.problem_id])
        elif question == "judge":
            text = self.judge(
                self.problems[purpose.problem_id], self.prompts.values[request.messages]["cases"]
            )
        else:
            stage = question if question in ("inputs", "distinguish") else purpose.stage.value
            key = (purpose.problem_id, stage, purpose.sample, purpose.round)
            if key not in self.answers:
                return CallError(f"no answer written for {key}")
            text = self.answers[key]
        words = sum(len(message.content) for message in request.messages) // 4
        return Answer(
            text, usage=Usage(prompt=words, output=len(text) // 4), model="written by hand", seconds=0.01
        )

    def judge(self, problem: Problem, cases: list[dict[str, str]]) -> str:
        votes = [0, 0]
        for case in cases:
            right = self.run_reference(problem, case["input"])
            fits = [
                right is not None and is_right(problem, case["input"], right, case[k])
                for k in ("first", "second")
            ]
            if fits[0] != fits[1]:
                votes[fits[1]] += 1
        if votes[0] == votes[1]:
            return "I compared the outputs with the statement; neither is better.\n\nANSWER: neither"
        return f"I worked the inputs out by the statement.\n\nANSWER: {1 if votes[0] > votes[1] else 2}"

    def choose(self, problem: Problem, shown: str, outputs: list[str]) -> str:
        right = self.run_reference(problem, shown)
        fits = [right is not None and is_right(problem, shown, right, output) for output in outputs]
        if right is None or sum(fits) > 1:
            return "The statement does not say.\n\nANSWER: invalid"
        if not any(fits):
            return "I worked the input out; none of the outputs is right.\n\nANSWER: neither"
        return f"I worked the input out by the statement.\n\nANSWER: {'ABCD'[fits.index(True)]}"

    def write_reference(self, problem: Problem) -> str:
        """The reference as the brute force of the test kit."""
        code = self.references[problem.id].rstrip()
        if problem.kind is Kind.STDIN:
            return "It reads standard input, so there is nothing simpler to write."
        name = problem.entry_point or ""
        owner, dot, method = name.partition(".")
        call = f"{owner}().{method}" if dot else name
        return f"```python\n{code}\n\n\ndef solve(data):\n    return {call}(*data)\n```"

    def run_reference(self, problem: Problem, shown: str) -> str | None:
        """What the reference answers, written like the outputs that the judge is shown."""
        code = self.references[problem.id]
        if problem.kind is Kind.STDIN:
            run = subprocess.run(
                [sys.executable, "-I", "-c", code],
                input=shown,
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            return run.stdout if run.returncode == 0 else None
        names: dict[str, Any] = {}
        exec(code, names)  # our own reference
        if problem.entry_point and "." in problem.entry_point:
            owner, method = problem.entry_point.split(".")
            names[method] = getattr(names[owner](), method)
        try:
            return repr(eval(shown, names))  # our own call
        except SyntaxError:  # an input that was cut for being long
            return None


def is_right(problem: Problem, shown_input: str, right: str, output: str) -> bool:
    """Whether the problem's checker takes `output` for the input."""
    if problem.kind is Kind.FUNCTION:
        try:
            right, output = encode(ast.literal_eval(right)), encode(ast.literal_eval(output))
        except (ValueError, SyntaxError):
            return False
    if isinstance(problem.checker, str):
        return accepts(problem.checker, problem.kind, right, output)
    if problem.kind is Kind.FUNCTION:
        call = ast.parse(shown_input, mode="eval").body
        assert isinstance(call, ast.Call)
        shown_input = "\n".join(encode(ast.literal_eval(argument)) for argument in call.args)
    question = json.dumps({"input": shown_input, "expected": right, "output": output})
    checker = [sys.executable, "-I", "-c", problem.checker["program"]]
    return (
        subprocess.run(checker, input=question, text=True, capture_output=True, check=False).returncode == 0
    )


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter).parse_args()
    prompts = Remembering()
    script = Script(load_set("examples").problems, prompts)
    about = {
        "answers": "these answers were written by hand to show the method; they say nothing about any model"
    }
    model = ScriptedModel(script, name="written by hand")
    anyio.run(partial(record, "examples", model, prompts=prompts, settings=SETTINGS, about=about))


if __name__ == "__main__":
    main()
