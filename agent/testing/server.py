"""An OpenAI-compatible server for tests, with scripted answers and faults.

    with ServerDouble(lambda body: chat("hello")) as server:
        model = OpenAIModel("tiny", base_url=server.base_url)

One thread a connection, so requests that take a second each really overlap. It listens on the loopback
address only. `simulator.Simulator` is the same server with a simulated engine behind it.
"""

from __future__ import annotations

import json
import random
import select
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self, get_args

FaultKind = Literal["refuse", "slow", "cut", "garbage", "death"]


@dataclass(slots=True)
class Fault:
    """One kind of trouble, for so many of the requests that come."""

    kind: FaultKind
    """`refuse` answers `status` at once; `slow` waits `seconds` first; `cut` ends the connection after
    `tokens`; `garbage` answers 200 with a page that is no completion; `death` ends the server and every
    connection after `tokens` of this request."""
    times: int | None = 1
    """How many requests it meets; None: all."""
    after: int = 0
    """Requests that pass untouched before the first."""
    share: float = 1.0
    """The share of the requests that it could meet, drawn by a seeded dice."""
    status: int = 503
    retry_after_s: float | None = None
    seconds: float = 0.0
    tokens: int = 0

    def as_json(self) -> dict[str, Any]:
        """The fault as `GET /faults` shows it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Fault:
        """The fault that `data` describes.

        Raises:
            ValueError: no such kind or field.
        """
        unknown = set(data) - {field.name for field in fields(cls)}
        if unknown or data.get("kind") not in get_args(FaultKind):
            raise ValueError(f"no such fault: {data}")
        return cls(**data)


class Faults:
    """The faults to come; each request meets at most one, the first that is due."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.coming = list(faults)
        self.met: list[str] = []
        """Kinds of the faults that happened, in order."""
        self._dice = random.Random(0)
        self._lock = threading.Lock()

    def draw(self) -> Fault | None:
        """The fault that the next request meets."""
        due: Fault | None = None
        with self._lock:
            for fault in list(self.coming):
                if fault.after > 0:
                    fault.after -= 1
                elif due is None and self._dice.random() < fault.share:
                    due = fault
            if due is not None:
                self.met.append(due.kind)
                if due.times is not None:
                    due.times -= 1
                    if due.times <= 0:
                        self.coming.remove(due)
        return due


_GARBAGE = b"<html>\nAn unexpected page</html>"


@dataclass(frozen=True, slots=True)
class Reply:
    """The server's response to one request."""

    body: bytes | Generator[bytes, None, None]
    """The body, or its pieces as they come to be; at an empty piece the server looks whether the client is
    still there, and closes the generator where it is not."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    """The wait before anything is sent."""
    cut: bool = False
    """Half of the body is sent, or all pieces without an end; then the connection ends."""


@dataclass(frozen=True, slots=True)
class Received:
    """One chat request as it came in."""

    body: dict[str, Any]
    headers: Mapping[str, str]
    """Names in lower case."""


def make_completion(
    choices: Sequence[tuple[Mapping[str, Any], str]], usage: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A chat completion; `choices` are (message, finish_reason)."""
    return {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "choices": [
            {"index": index, "message": {"role": "assistant", **message}, "finish_reason": reason}
            for index, (message, reason) in enumerate(choices)
        ],
        "usage": usage,
    }


def chat(
    text: str | None,
    *,
    finish_reason: str = "stop",
    message: Mapping[str, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
    delay_s: float = 0.0,
) -> Reply:
    """A chat completion with `text`; `message` adds fields to the message (`reasoning`, ...)."""
    data = make_completion([({"content": text, **(message or {})}, finish_reason)], usage)
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
        route: asked first, with method, path, headers and content of any request; None leaves it to the rest.
        certificate: a PEM file with certificate and key; where given, the server speaks https.
        faults: what goes wrong; more can be put into `faults.coming` or sent to `POST /faults`.
        port: the port to listen on; 0 takes a free one.
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
        route: Callable[[str, str, Mapping[str, str], bytes], Reply | None] | None = None,
        certificate: str | None = None,
        faults: Iterable[Fault] = (),
        port: int = 0,
    ) -> None:
        self.route = route
        self.scheme = "http" if certificate is None else "https"
        self.respond = respond
        self.models = models
        self.api_key = api_key
        self.max_model_len = max_model_len
        self.pages = {"/version": json.dumps({"version": version}), **(pages or {})}
        self.posts = dict(posts or {})
        self.faults = Faults(faults)
        self.received: list[Received] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.closing = threading.Event()
        self.dead = threading.Event()
        """A fault has ended the server: nothing listens any more."""
        self._lock = threading.Lock()
        self._server = _Server(self, port, certificate)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def base_url(self) -> str:
        """What a client is given."""
        return f"{self.scheme}://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_listening()
        self._thread.join()
        self._server.server_close()

    def _stop_listening(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.socket.close()
        self._server.end_connections()

    def answer(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """The reply to a request."""
        routed = None if self.route is None else self.route(method, path, headers, content)
        return routed or self._answer(method, path, headers, content)

    def _answer(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Reply:
        if path == "/faults":
            return self._plan_fault(content)
        page = self.find_page(path) if method == "GET" else self.posts.get(path)
        if page is not None:
            return Reply(page.encode(), headers={"content-type": "text/plain"})
        if self.api_key is not None and headers.get("authorization") != f"Bearer {self.api_key}":
            return failure(401, "Unauthorized")
        if path == "/v1/models" and method == "GET":
            entries = [
                {"id": name, "object": "model", "owned_by": "vllm", "max_model_len": self.max_model_len}
                for name in self.models
            ]
            return Reply(json.dumps({"object": "list", "data": entries}).encode())
        if path != "/v1/chat/completions" or method != "POST":
            return Reply(b'{"detail":"Not Found"}', 404)
        return self._answer_chat(content, headers)

    def _answer_chat(self, content: bytes, headers: Mapping[str, str]) -> Reply:
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return failure(400, "the body is no chat request")
        with self._lock:
            self.received.append(Received(body, headers))
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if body.get("model") not in self.models:
                return failure(404, f"The model `{body.get('model')}` does not exist.", param="model")
            reply = self._meet(self.faults.draw(), body)
            self.closing.wait(reply.delay_s)
            return reply
        finally:
            with self._lock:
                self.in_flight -= 1

    def find_page(self, path: str) -> str | None:
        """The text at a fixed address that answers a GET."""
        return self.pages.get(path)

    def answer_chat(self, body: dict[str, Any], cut_after: int | None) -> Reply:
        """The reply to a chat request; with `cut_after`, one that breaks after so many tokens."""
        reply = self.respond(body)
        return reply if cut_after is None else replace(reply, cut=True)

    def _meet(self, fault: Fault | None, body: dict[str, Any]) -> Reply:
        """The reply to a request that meets `fault`."""
        if fault is None:
            return self.answer_chat(body, None)
        if fault.kind == "refuse":
            after = {} if fault.retry_after_s is None else {"retry-after": f"{fault.retry_after_s:g}"}
            return failure(fault.status, "scripted refusal", headers=after)
        if fault.kind == "garbage":
            return Reply(_GARBAGE, headers={"content-type": "text/html"})
        if fault.kind == "slow":
            self.closing.wait(fault.seconds)
            return self.answer_chat(body, None)
        reply = self.answer_chat(body, fault.tokens)
        return reply if fault.kind == "cut" else replace(reply, body=self._die_after(reply))

    def _die_after(self, reply: Reply) -> Generator[bytes, None, None]:
        """The reply's pieces; then the server and every connection end."""
        if not isinstance(reply.body, bytes):
            yield from reply.body
        self.dead.set()
        self._stop_listening()

    def _plan_fault(self, content: bytes) -> Reply:
        if content:
            try:
                self.faults.coming.append(Fault.from_json(json.loads(content)))
            except (ValueError, TypeError) as error:
                return failure(400, str(error))
        return Reply(json.dumps([fault.as_json() for fault in self.faults.coming]).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined on close, so that no thread outlives its test
    request_queue_size = 1_024

    def __init__(self, double: ServerDouble, port: int, certificate: str | None) -> None:
        self.double = double
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # each connection shakes hands in its own thread, so that one that does not cannot hold up others
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

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
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        content = self.rfile.read(int(headers.get("content-length", 0)))
        double = self.server.double
        reply = double.answer(self.command, self.path, headers, content)
        if isinstance(reply.body, bytes):
            self._send_head(reply, {"content-length": str(len(reply.body))})
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
            whole = not reply.cut
        else:
            with closing(reply.body) as pieces:
                whole = self._send_pieces(reply, pieces) and not reply.cut
        self.close_connection = not whole or double.closing.is_set()

    def _send_pieces(self, reply: Reply, pieces: Iterable[bytes]) -> bool:
        """Send pieces as they come; False where the client went first."""
        begun = False
        for piece in pieces:
            if piece:
                if not begun:
                    self._send_head(reply, {"transfer-encoding": "chunked"})
                    begun = True
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            elif self._is_client_gone():
                return False
        if begun and not reply.cut:
            self.wfile.write(b"0\r\n\r\n")
        return begun

    def _send_head(self, reply: Reply, length: Mapping[str, str]) -> None:
        self.send_response(reply.status)
        for name, value in {"content-type": "application/json", **reply.headers, **length}.items():
            self.send_header(name, value)
        self.end_headers()

    def _is_client_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
