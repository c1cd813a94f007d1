"""Serves the live page of one run on the loopback address, to this user's browser and nobody else.

What is served is two pages and one JSON object made from the run folder, never a file of it. Against other
users and pages of others: the address has a secret part; the `Host` of a request has to be ours, so that a
name that was rebound to 127.0.0.1 gets nothing (DNS rebinding); no page may be framed, and each runs its own
script and no other.
"""

from __future__ import annotations

import json
import secrets
import socketserver
import threading
from collections.abc import Callable, Mapping
from functools import cache, partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.report.live.progress import read_progress
from sstar_code.agent.report.render.page import build_page, page_policy, write_policy
from sstar_code.problems import InfrastructureError, UserError

if TYPE_CHECKING:
    from sstar_code.problems import Problem

LOOPBACK = "127.0.0.1"
_ALONE = "frame-ancestors 'none'"
_IDLE_S = 30.0
"""Seconds after which a connection that says nothing is closed."""


class RunServer(ThreadingHTTPServer):
    """The pages of the run in `folder`, at `url` until it is closed."""

    daemon_threads = True

    def __init__(self, folder: Path, problems: Mapping[str, Problem], *, port: int = 0) -> None:
        """Listen at `port` of the loopback address, 0 for a free one; `serve` answers.

        Raises:
            UserError: the port is taken or may not be used.
        """
        self.folder, self.problems = folder, problems
        self.secret = secrets.token_urlsafe(16)
        self._lock = threading.Lock()
        self._page: tuple[object, str] = (None, "")
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise UserError(f"--port {port}: {why}; name another, or 0 for a free one") from error

    def server_bind(self) -> None:
        """Bind without asking a name server who this host is."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a browser that went away is no news."""

    @property
    def url(self) -> str:
        """The address of the live page."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.secret}/"

    @property
    def hosts(self) -> frozenset[str]:
        """What a request to us may have as its `Host`."""
        return frozenset(f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost"))

    def read_report(self) -> str:
        """The report's page, made again where the store has changed since."""
        with self._lock:
            stamp = _stamp(self.folder)
            if self._page[0] != stamp:
                from sstar_code.agent.report.data.run import open_run
                from sstar_code.agent.report.data.scores import count_scores

                with open_run(self.folder, self.problems) as run:
                    self._page = (stamp, build_page(run, count_scores(run)))
            return self._page[1]


def _stamp(folder: Path) -> tuple[tuple[int, int], ...]:
    """What changes when the run writes: time and size of its files."""
    found = []
    for name in ("run.db", "run.db-wal", "summary.json", "verdicts.jsonl"):
        try:
            status = (folder / name).stat()
            found.append((status.st_mtime_ns, status.st_size))
        except OSError:
            found.append((0, 0))
    return tuple(found)


@cache
def _live_page() -> tuple[str, str]:
    """The live page and its policy; everything in it is ours."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = files("sstar_code.agent.report.live") / "assets"
    style, script, text = (
        (folder / name).read_text(encoding="utf-8") for name in ("live.css", "live.js", "live.html.j2")
    )
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(text)
    page = template.render(style=Markup(style), script=Markup(script))  # noqa: S704 - our own files
    return page, write_policy(style, script, "connect-src 'self'", _ALONE)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; `http.server` refuses everything else."""

    server: RunServer
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S

    def do_GET(self) -> None:
        """One of the pages, the progress, or a refusal."""
        if self.headers.get("Host", "") not in self.server.hosts:
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "not a name of this server\n")
            return
        start = f"/{self.server.secret}/"
        path = self.path.partition("?")[0]
        known: dict[str, Callable[[], None]] = {
            "": self._send_live,
            "progress.json": self._send_progress,
            "report.html": self._send_report,
        }
        fits = secrets.compare_digest(path[: len(start)].encode(), start.encode())
        send = known.get(path[len(start) :]) if fits else None
        if send is None:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "nothing here\n")
            return
        try:
            send()
        except (UserError, InfrastructureError) as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"{error}\n")
        except Exception as error:  # noqa: BLE001 - a store that is damaged in some other way is told too
            why = f"unexpected {type(error).__name__}: {error}"
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", f"{why}\n")

    do_HEAD = do_GET  # noqa: N815 - likewise

    def version_string(self) -> str:
        """The name alone: nobody needs to know which Python this is."""
        return "sstar"

    def _send_live(self) -> None:
        page, policy = _live_page()
        self._answer(HTTPStatus.OK, "text/html", page, policy)

    def _send_progress(self) -> None:
        self._answer(HTTPStatus.OK, "application/json", json.dumps(read_progress(self.server.folder)))

    def _send_report(self) -> None:
        self._answer(HTTPStatus.OK, "text/html", self.server.read_report(), page_policy(_ALONE))

    def _answer(self, status: HTTPStatus, kind: str, text: str, policy: str = "default-src 'none'") -> None:
        body = text.encode("utf-8", "backslashreplace")
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing: every poll would be a line."""


def serve(server: RunServer, seconds: float | None) -> None:
    """Answer until Ctrl-C, or for so many seconds."""
    if seconds is not None:
        timer = threading.Timer(seconds, partial(RunServer.shutdown, server))
        timer.daemon = True
        timer.start()
    with server:
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            return
