"""The pages of `sstar pool`, and what is counted of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sstar_code.agent.pool.jobs import MOST_ANSWER_MB, Batch, is_lost, read_batch, too_long
from sstar_code.agent.serving.answer import send_json, while_connected
from sstar_code.agent.serving.errors import RefusedError
from sstar_code.agent.serving.guard import BodyReader, ClientGoneError, Guard, parse_body
from sstar_code.problems import InfrastructureError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from sstar_code.agent.pool.queue import Queue

_PAGES = "POST /v1/run, GET /health, GET /metrics"


@dataclass(slots=True)
class Counts:
    """Everything since the start."""

    requests: Counter[str] = field(default_factory=Counter)
    """By class of the status, like `2xx`, or `aborted`."""
    jobs: Counter[str] = field(default_factory=Counter)
    """By what came of them: a verdict, `run`, or `lost`."""
    runs: int = 0

    def count_job(self, result: Mapping[str, Any]) -> None:
        """A job has ended."""
        lost = "lost" if is_lost(result) else None
        self.jobs[lost or result.get("verdict", "run")] += 1
        self.runs += len(result["tests"] if "verdict" in result else result["executions"])

    def render(self, queue: Queue) -> str:
        """The text form of Prometheus; no label has a value that a client chooses."""
        lines = ["# TYPE sstar_pool_requests_total counter"]
        lines += [
            f'sstar_pool_requests_total{{outcome="{name}"}} {n}' for name, n in sorted(self.requests.items())
        ]
        lines.append("# TYPE sstar_pool_jobs_total counter")
        lines += [f'sstar_pool_jobs_total{{outcome="{name}"}} {n}' for name, n in sorted(self.jobs.items())]
        lines += ["# TYPE sstar_pool_runs_total counter", f"sstar_pool_runs_total {self.runs}"]
        lines += ["# TYPE sstar_pool_runs_waiting gauge", f"sstar_pool_runs_waiting {queue.waiting}"]
        lines += ["# TYPE sstar_pool_jobs_running gauge", f"sstar_pool_jobs_running {queue.running}"]
        return "\n".join(lines) + "\n"


class PoolApp:
    """The application.

    Args:
        queue: takes the jobs.
        facts: what programs find in the sandbox; told by GET /health.
        say: gets a line when something unexpected happened.
    """

    testlib: str | None = None
    """The text of testlib's header, for checkers in C++."""

    def __init__(
        self,
        queue: Queue,
        guard: Guard,
        bodies: BodyReader,
        facts: Mapping[str, Any],
        say: Callable[[str], None],
    ) -> None:
        self._queue = queue
        self._guard = guard
        self._bodies = bodies
        self._facts = facts
        self._say = say
        self.counts = Counts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        if scope["type"] != "http":
            return
        status = 0

        async def note(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        outcome = "aborted"
        try:
            self._guard.check(scope)
            await self._find_page(scope)(scope, receive, note)
            outcome = f"{status // 100}xx"
        except ClientGoneError:
            pass
        except RefusedError as error:
            if status:
                raise  # the connection ends without an end of the body: a part is missing
            outcome = f"{error.status // 100}xx"
            await send_json(send, error.status, error.content, error.headers)
        except Exception as error:
            outcome = "5xx"
            self._say(f"sstar: a request failed: unexpected {type(error).__name__}: {error}")
            if status:
                raise
            failed = RefusedError(500, "an unexpected error in this server", code="server_failed")
            await send_json(send, 500, failed.content)
        finally:
            self.counts.requests[outcome] += 1

    def _find_page(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        pages = {
            ("GET", "/health"): self._tell_health,
            ("GET", "/metrics"): self._tell_metrics,
            ("POST", "/v1/run"): self._run,
        }
        page = pages.get((scope["method"], scope["path"]))
        if page is None:
            known = scope["path"] in {path for _, path in pages}
            raise RefusedError(
                405 if known else 404, f"there is no such page here; there are {_PAGES}", code="not_found"
            )
        return page

    async def _tell_health(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send_json(send, 200, json.dumps({"status": "ok", **self._facts}).encode())

    async def _tell_metrics(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        content = self.counts.render(self._queue).encode()
        await _start(send, "text/plain; version=0.0.4")
        await send({"type": "http.response.body", "body": content})

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._bodies.holding() as add:
            content = await self._bodies.read(scope, receive, add)
            batch = read_batch(parse_body(content), self._facts["languages"], self.testlib)
            async with while_connected(receive):
                await self._answer(batch, send)

    async def _answer(self, batch: Batch, send: Send) -> None:
        with self._queue.submit(batch.jobs, batch.priority) as ticket:
            found: dict[int, bytes] = {}
            held, started = 0, False
            try:
                async with aclosing(ticket.results()) as results:
                    async for place, result in results:
                        self.counts.count_job(result)
                        if not batch.stream:
                            found[place] = json.dumps(result).encode()
                            held += len(found[place])
                            if held > MOST_ANSWER_MB << 20:
                                raise too_long()
                            continue
                        if not started:
                            await _start(send, "application/x-ndjson")
                            started = True
                        line = json.dumps({"index": place, **result}).encode() + b"\n"
                        await send({"type": "http.response.body", "body": line, "more_body": True})
            except InfrastructureError as error:
                self._say(f"sstar: {error}")
                raise RefusedError(
                    503,
                    "no program can be run any more; the server's own lines say why",
                    code="sandbox_failed",
                ) from error
        if batch.stream:
            await send({"type": "http.response.body", "body": b""})
        else:
            done = b", ".join(found[place] for place in range(len(batch.jobs)))
            await send_json(send, 200, b'{"results": [%b]}' % done)


async def _start(send: Send, kind: str) -> None:
    headers = [(b"content-type", kind.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
