"""`sstar serve` as its clients meet it, and a task with scripted programs."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from sstar_code.agent.testing.server import chat
from sstar_code.sandbox import Execution, Status

if TYPE_CHECKING:
    from sstar_code.agent.testing.server import ServerDouble

RIGHT = "print(int(input()) * 2)"
SQUARE = "print(int(input()) ** 2)"
_KNOWN = {RIGHT: lambda number: number * 2, SQUARE: lambda number: number**2}
PATIENCE_S = 180
USAGE = {"prompt_tokens": 10, "completion_tokens": 5}
TASK = "Write a program that reads an integer and prints twice its value."
TESTS = [{"input": "2\n", "output": "4"}]


def fenced(code):
    return f"```python\n{code}\n```"


def answer_right(_body):
    """What a model that is always right answers."""
    return chat(fenced(RIGHT), usage=USAGE)


def run_known(program, text):
    """What the sandbox does with the programs of these tests."""
    double = _KNOWN.get(program.code.partition("#")[0].strip())
    try:
        return f"{double(int(text))}\n"
    except (TypeError, ValueError):
        return Execution(Status.RE, stdout="")


@dataclass
class Served:
    """A server that is running, and a plain client for it."""

    url: str
    upstream: ServerDouble
    said: list[str] = field(default_factory=list)

    @property
    def address(self):
        parts = urlsplit(self.url)
        return parts.hostname, parts.port

    def connect(self):
        return http.client.HTTPConnection(*self.address, timeout=PATIENCE_S)

    def ask(self, method, path, body=None, headers=None):
        """Status, headers (names in lower case) and content of the response."""
        connection = self.connect()
        try:
            content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, content, {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return response.status, told, response.read()
        finally:
            connection.close()

    def post(self, path, body, **headers):
        status, _, content = self.ask("POST", path, body, headers)
        return status, json.loads(content)

    def solve(self, text=TASK, path="/v1/chat/completions", **more):
        """Status and JSON of a chat request for the method."""
        message = {"role": "user", "content": text}
        return self.post(path, {"model": "sstar-tiny", "messages": [message], **more})

    def metric(self, name):
        page = self.ask("GET", "/metrics")[2].decode()
        return next((line.split()[-1] for line in page.splitlines() if line.startswith(name)), None)

    def wait_for_metric(self, name, value):
        waiting = threading.Event()
        for _ in range(PATIENCE_S * 20):
            if self.metric(name) == value:
                return
            waiting.wait(0.05)
        pytest.fail(f"{name} is {self.metric(name)}, not {value}")
