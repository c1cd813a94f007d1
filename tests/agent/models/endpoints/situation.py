"""One situation that people meet at an endpoint, and how it is tried: the command, and a real server."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sstar_code.agent.testing.server import Reply, ServerDouble, chat
from sstar_code.sandbox import Execution, Failure, Program, Status

RIGHT = "```python\nprint(int(input()) * 2)\n```"
WRONG = "```python\nprint(int(input()) + 100)\n```"
TWICE = "```python\nn = int(input())\nprint(2 * n if n < 1000 else 0)\n```"
"""Right on the public test; elsewhere it differs, so that a choice is open."""
USAGE = {"prompt_tokens": 100, "completion_tokens": 50}
PROGRAM = "print(int(input()) * 2)\n"

Respond = Callable[[int, dict[str, Any]], Reply]
"""The reply to the call of this number (0, 1, ..) with this body."""


@dataclass(frozen=True, slots=True)
class Paid(Reply):
    """A reply that holds an answer, which costs."""


def ok(text: str | None = RIGHT, **more: Any) -> Paid:
    """An answer with its counts."""
    reply = chat(text, **{"usage": USAGE} | more)
    return Paid(reply.body, headers=reply.headers)


def raw(data: Any, status: int = 200, **headers: str) -> Reply:
    """A body as it stands, or as JSON."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Reply(body, status, headers)


def error(status: int, message: Any, **fields: Any) -> Reply:
    """An error object with just these fields."""
    return raw({"error": {"message": message, **fields}}, status)


def always(reply: Reply) -> Respond:
    return lambda _number, _body: reply


def first(reply: Reply, times: int = 1) -> Respond:
    """`reply` to the first calls, then an answer."""
    return lambda number, _body: reply if number < times else ok()


def without(name: str, reply: Reply) -> Respond:
    """`reply` to every body that has this field, else an answer."""
    return lambda _number, body: reply if name in body else ok()


def about(word: str, reply: Reply) -> Respond:
    """`reply` to every prompt about the problem called `word`, else an answer."""
    return lambda _number, body: reply if asks(body, word) else ok()


def asks(body: dict[str, Any], word: str) -> bool:
    return any(f"{word}: read" in message["content"] for message in body["messages"])


def questions(reply: Reply) -> Respond:
    """Samples that behave in two ways, and `reply` to every question of selection."""

    def respond(number: int, body: dict[str, Any]) -> Reply:
        if not is_sample(body):
            return reply
        return ok(RIGHT if number % 2 else TWICE)

    return respond


def is_sample(body: dict[str, Any]) -> bool:
    return body.get("temperature") != 0.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What the server does, what is run, and what comes of it."""

    what: str
    """For the page: what the server does."""
    respond: Respond
    code: int
    paid: int
    """Answers that were paid for."""
    says: str = ""
    """A part of what is printed; for the page, what the user reads."""
    outcome: str = "solved"
    """`solved`: the program is printed, or every problem is solved; else in a few words what came of it."""
    command: str = "solve"
    n: int = 2
    words: tuple[str, ...] = ("--select", "first")
    calls: int | None = None
    """Requests to the chat API; None: as many as answers, or more where one was refused; -1: not counted."""
    address: Callable[[str], str] = lambda base_url: base_url
    """The value of --base-url for a server at `.../v1`."""
    model: str = "tiny"
    route: Callable[..., Reply | None] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secure: bool = False
    """The server speaks https with a certificate of its own."""
    sees: Callable[[list[Any]], bool] = lambda received: True
    """What has to hold of the requests received."""
    kept: str = ""
    """A part of what the manifest keeps of it."""

    @property
    def is_solved(self) -> bool:
        """Whether the whole of what was asked for came out."""
        return self.outcome.startswith("solved")


def is_short_question(body: dict[str, Any]) -> bool:
    """Whether it only asks whether other prompts are answered."""
    return body["messages"][-1]["content"] == "Say ok."


def run_program(program: Program, text: str) -> Execution:
    """What one of the programs above does; they are ours."""
    lines = iter(text.splitlines())
    out = io.StringIO()
    try:
        with redirect_stdout(out):
            exec(program.code, {"__name__": "__main__", "input": lambda: next(lines)})
    except Exception as fault:  # noqa: BLE001
        return Execution(Status.RE, failure=Failure(type(fault).__name__, str(fault)))
    return Execution(Status.OK, stdout=out.getvalue())


def count_stored(folder: Path) -> int:
    """Answers in the run folders below."""
    total = 0
    for path in folder.glob("runs/*/run.db"):
        with closing(sqlite3.connect(path)) as database:
            total += database.execute("SELECT COUNT(*) FROM calls").fetchone()[0]
    return total


class Server(ServerDouble):
    """Serves a situation; counts calls and answers."""

    def __init__(self, situation: Situation, certificate: str | None) -> None:
        self.paid = 0
        self.calls = 0
        route = situation.route
        super().__init__(
            self._reply,
            models=(situation.model, "tiny"),
            certificate=certificate,
            route=None if route is None else lambda *request: route(self, *request),
        )
        self._situation = situation

    def _reply(self, body: dict[str, Any]) -> Reply:
        with self._lock:
            number = self.calls
            self.calls += 1
        reply = self._situation.respond(number, body)
        if isinstance(reply, Paid) and not is_short_question(body):
            with self._lock:
                self.paid += 1
        return replace(reply)

    def chat(self, content: bytes, headers: Mapping[str, str]) -> Reply:
        """Answer a chat request that came to another path."""
        return self._answer_chat(content, headers)
