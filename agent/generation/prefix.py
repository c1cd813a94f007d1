"""Answers that begin with a given text: the server continues it, and what it adds is put behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sstar_code.agent.calls.stored_model import NotAskedError
from sstar_code.agent.models.request import (
    CallError,
    Message,
    ModelUserError,
    Purpose,
    Request,
    Stage,
    UnclearRefusalError,
)
from sstar_code.problems.python_source import parse_python

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer
    from sstar_code.agent.solving.context import SolveContext

_OPENING = "```python\n"
_FENCE = re.compile(r"^\s*```", re.MULTILINE)
_ANEW = re.compile(r"```[ \t]*(?:python|py)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_CANNOT = (
    "--strategy backtrack: the server does not continue an answer that it is given; serve the model with "
    "vLLM, or take another strategy"
)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The first lines of a program, as an answer begins with them."""

    lines: str
    """Without blank lines at their end; may be empty."""
    indent: str = ""
    """That of the line that followed."""

    @classmethod
    def of(cls, code: str, cut: int) -> Prefix:
        """What stands before line `cut` of `code`, counted from 1."""
        lines = code.split("\n")
        following = lines[cut - 1] if cut <= len(lines) else ""
        indent = following[: len(following) - len(following.lstrip())]
        return cls("\n".join(lines[: cut - 1]).rstrip(), indent)

    @property
    def text(self) -> str:
        """What the answer begins with. No line end stands at its end: templates may take it away."""
        return _OPENING + self.lines if self.lines else _OPENING.rstrip()

    def complete(self, answer: Answer) -> Answer:
        """The whole answer of which `answer` is the continuation.

        A server that sets thinking apart may take a continuation for thinking. Another may have written a new
        answer instead, or the whole; then that is the answer. One that takes blanks at the start of an answer
        away has taken the line end and the indentation: they are put back where the program can be read with
        them alone.
        """
        added = answer.text if answer.text.strip() else answer.reasoning
        answer = replace(answer, text=added, reasoning="" if added == answer.reasoning else answer.reasoning)
        first = self.lines.split("\n", 1)[0].strip()
        if _ANEW.search(added) or (first and added.lstrip().startswith(first)):
            return answer
        body = _FENCE.split(added, maxsplit=1)[0]
        joints = ("", "\n", f"\n{self.indent}") if self.lines else ("\n",)
        joint = next(
            (text for text in joints if parse_python(self.lines + text + body) is not None), joints[0]
        )
        end = "" if _FENCE.search(added) or answer.finish_reason == "length" else "\n```"
        return replace(answer, text=f"{self.text}{joint}{added}{end}")


async def check_continues(problem_id: str, context: SolveContext) -> None:
    """See that the server continues an answer; one short question, which is asked once in a run.

    Raises:
        ModelUserError: it refuses to, or begins anew.
    """
    question = Request(
        messages=(
            Message("user", "Write the numbers from 1 to 9 in one line, with a space between them."),
            Message("assistant", "1 2 3 4 5"),
        ),
        purpose=Purpose(problem_id, Stage.DEBUG, ordinal="can-continue"),
        temperature=0.0,
        max_tokens=24,
        extra={"continue_final_message": True, "add_generation_prompt": False},
    )
    try:
        answer = await context.model.ask(question)
    except NotAskedError:
        return
    except (UnclearRefusalError, CallError) as error:
        raise ModelUserError(f"{_CANNOT}: it refuses a message to continue ({error})") from error
    found = _NUMBER.search(answer.text)
    if found is not None and found[0] == "1":
        raise ModelUserError(f"{_CANNOT}: it begins a new one")
