"""A small real server of the OpenAI chat API whose answers and faults are scripted, for tests.

    with ServerDouble(lambda body: chat("hello")) as server:
        model = OpenAIModel("tiny", base_url=server.base_url)

One thread a connection, so requests that take a second each really overlap. It streams nothing and listens on
the loopback address only.
"""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Received", "Reply", "ServerDouble", "chat", "failure"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with one request."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    """Before anything is sent."""
    cut: bool = False
    """Half of the body is sent, then the connection ends."""


@dataclass(frozen=True, slots=True)
class Received:
    """One chat request as it came in."""

    body: dict[str, Any]
    headers: Mapping[str, str]
    """Names in lower case."""


def chat(
    text: str | None,
    *,
    finish_reason: str = "stop",
    message: Mapping[str, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
    delay_s: float = 0.0,
) -> Reply:
    """A chat completion with `text`; `message` adds fields to the message (`reasoning`, ...)."""
    data: dict[str, Any] = {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **(message or {})},
                "finish_reason": finish_reason,
            }
        ],
        "usage": dict(usage) if usage is not None else None,
    }
    return Reply(json.dumps(data).encode(), delay_s=delay_s)


def failure(
    status: int,
    message: str = "scripted failure",
    *,
    code: str | int | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An error object as OpenAI's and vLLM's servers write it."""
    error = {"message": message, "type": "error", "param": param, "code": code or status}
    return Reply(json.dumps({"error": error}).encode(), status, headers or {})


class ServerDouble:
    """Serves while its `with` block lasts.

    Args:
        respond: the reply to a chat request's body; called in the connection's thread.
        models: names that `GET /models` lists; a request for another is answered 404.
        api_key: where given, other keys are answered 401.
        max_model_len: what `GET /models` says.
        version: what `GET /version` says.
        pages: further texts by path, like `/health` and `/metrics`; open to all, as vLLM's are.
        posts: texts by path that answer a POST, whatever it holds, like `/tokenize`.
        port: to listen on; 0 takes a free one.
    """

    def __init__(
        self,
        respond: Callable[[dict[str, Any]], Reply],
        *,
        models: tuple[str, ...] = ("tiny",),
        api_key: str | None = None,
        max_model_len: int | None = 4096,
        version: str = "0.0.0",
        pages: Mapping[str, str] | None = None,
        posts: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.respond = respond
        self.models = models
        self.api_key = api_key
        self.max_model_len = max_model_len
        self.pages = {"/version": json.dumps({"version": version}), **(pages or {})}
        self.posts = dict(posts or {})
        self.received: list[Received] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def base_url(self) -> str:
        """What a client is given."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()

    def answer(self, path: str, headers: Mapping[str, str], body: dict[str, Any] | None) -> Reply:
        """The reply to a request for `path`; `body` is None for a GET."""
        page = (self.pages if body is None else self.posts).get(path)
        if page is not None:
            return Reply(page.encode(), headers={"content-type": "text/plain"})
        if self.api_key is not None and headers.get("authorization") != f"Bearer {self.api_key}":
            return failure(401, "Unauthorized")
        if path == "/v1/models" and body is None:
            entries = [
                {"id": name, "object": "model", "owned_by": "vllm", "max_model_len": self.max_model_len}
                for name in self.models
            ]
            return Reply(json.dumps({"object": "list", "data": entries}).encode())
        if path != "/v1/chat/completions" or body is None:
            return Reply(b'{"detail":"Not Found"}', 404)
        with self._lock:
            self.received.append(Received(body, headers))
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if body.get("model") not in self.models:
                return failure(404, f"The model `{body.get('model')}` does not exist.", param="model")
            reply = self.respond(body)
            self.closing.wait(reply.delay_s)
            return reply
        finally:
            with self._lock:
                self.in_flight -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined on close, so that no thread outlives its test
    request_queue_size = 256

    def __init__(self, double: ServerDouble, port: int) -> None:
        self.double = double
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client went first

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what tests do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing: stderr belongs to the tests."""

    def do_GET(self) -> None:
        self._send(self.server.double.answer(self.path, self._lower_headers(), None))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._send(self.server.double.answer(self.path, self._lower_headers(), body))

    def _lower_headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        given = {"content-type": "application/json", **reply.headers, "content-length": str(len(reply.body))}
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        self.close_connection = reply.cut or self.server.double.closing.is_set()
