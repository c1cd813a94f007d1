"""The simulated engine behind HTTP, as vLLM would be.

    with Simulator(EngineSpec(...), lambda body: Planned("hello", 20)) as server:
        model = OpenAIModel("tiny", base_url=server.base_url)

It lives in a thread of its own with its own event loop, so it answers whatever the client's loop does.
"""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio.abc import SocketAttribute
from anyio.from_thread import start_blocking_portal

from sstar_code.agent.testing.simulator.chat import Chat
from sstar_code.agent.testing.simulator.engine import Engine, QueueFullError
from sstar_code.agent.testing.simulator.faults import Fault, Faults
from sstar_code.agent.testing.simulator.http import Connection, Page, make_json
from sstar_code.agent.testing.simulator.live import LiveEngine
from sstar_code.agent.testing.simulator.model import plan_by_dice
from sstar_code.agent.testing.simulator.pages import make_error, make_metrics, make_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anyio.abc import SocketStream, TaskStatus

    from sstar_code.agent.testing.simulator.http import Received
    from sstar_code.agent.testing.simulator.model import Planned
    from sstar_code.agent.testing.simulator.spec import EngineSpec

__all__ = ["Simulator"]


class Simulator:
    """Serves on the loopback address while its `with` block lasts.

    Args:
        spec: the engine's limits and speeds.
        plan: the answer to a request's body; None: words without sense, lengths by dice.
        speed: simulated seconds in a second of the clock.
        models: names that it serves.
        api_key: where given, other keys are answered 401 below `/v1`.
        priorities: whether it was started with `--scheduling-policy priority`.
        faults: what goes wrong; more can be put into `faults.coming` or sent to `POST /faults`.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        spec: EngineSpec,
        plan: Callable[[dict[str, Any]], Planned] = plan_by_dice,
        *,
        speed: float = 1.0,
        models: tuple[str, ...] = ("tiny",),
        api_key: str | None = None,
        priorities: bool = False,
        faults: Iterable[Fault] = (),
        port: int = 0,
    ) -> None:
        self.engine = Engine(spec, priorities=priorities)
        self.models = models
        self.faults = Faults(faults)
        self.received: list[dict[str, Any]] = []
        """Bodies of the chat requests that came in."""
        self.port = port
        self.dead = threading.Event()
        """A fault has ended the server: nothing listens any more."""
        self._api_key = api_key
        self._live = LiveEngine(self.engine, speed=speed)
        self._chat = Chat(self._live, plan)
        self._stack = ExitStack()
        self._serving: anyio.CancelScope | None = None

    @property
    def last_tokens(self) -> list[tuple[dict[str, Any], float]]:
        """Body of each request that was answered, and `time.monotonic()` at its last token."""
        return self._chat.last_tokens

    @property
    def base_url(self) -> str:
        """What a client is given."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        portal = self._stack.enter_context(start_blocking_portal("asyncio"))
        ended, self.port = portal.start_task(self._serve)
        self._stack.callback(ended.result)
        self._stack.callback(portal.call, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def _stop(self) -> None:
        if self._serving is not None:
            self._serving.cancel()

    async def _serve(self, *, task_status: TaskStatus[int]) -> None:
        with anyio.CancelScope() as self._serving:
            async with self._live:
                listener = await anyio.create_tcp_listener(
                    local_host="127.0.0.1", local_port=self.port, backlog=1_024
                )
                async with listener:
                    task_status.started(listener.extra(SocketAttribute.local_port))  # noqa: S610 - no Django
                    await listener.serve(self._meet)

    async def _meet(self, stream: SocketStream) -> None:
        async with stream:
            connection = Connection(stream)
            try:
                while (received := await connection.read()) is not None:
                    if not await self._answer(received, connection):
                        return
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # the client went first

    async def _answer(self, received: Received, connection: Connection) -> bool:
        """Answer one request; False where the connection is to be closed."""
        page = self._find_page(received)
        if page is None and received.path == "/v1/chat/completions":
            return await self._answer_chat(received, connection)
        await connection.send(page or make_json({"detail": "Not Found"}, 404))
        return True

    def _find_page(self, received: Received) -> Page | None:
        """What stands at a fixed address; below `/v1` only for those who have the key."""
        path = received.path
        open_pages: dict[str, Callable[[], Page]] = {
            "/health": lambda: Page(b"", kind="text/plain"),
            "/version": lambda: make_json({"version": "simulated"}),
            "/metrics": self._show_metrics,
            "/faults": lambda: self._plan_fault(received),
        }
        if path in open_pages:
            return open_pages[path]()
        given = received.headers.get("authorization")
        if self._api_key is not None and given != f"Bearer {self._api_key}":
            return make_error(401, "Unauthorized")
        return make_models(self.models, self.engine.spec.max_model_len) if path == "/v1/models" else None

    def _show_metrics(self) -> Page:
        self._live.catch_up()
        return make_metrics(self.engine, self.models[0])

    def _plan_fault(self, received: Received) -> Page:
        if received.method == "POST":
            try:
                self.faults.coming.append(Fault.from_json(json.loads(received.body)))
            except (ValueError, TypeError) as error:
                return make_error(400, str(error))
        return make_json([fault.as_json() for fault in self.faults.coming])

    async def _answer_chat(self, received: Received, connection: Connection) -> bool:
        try:
            body = json.loads(received.body)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            await connection.send(make_error(400, "the body is no chat request"))
            return True
        self.received.append(body)
        if body.get("model") not in self.models:
            message = f"The model `{body.get('model')}` does not exist."
            await connection.send(make_error(404, message, param="model"))
            return True
        fault = self.faults.draw()
        page = _replace_answer(fault)
        if page is not None:
            await connection.send(page)
            return True
        if fault is not None and fault.kind == "slow":
            await anyio.sleep(fault.seconds)
        ends_at = fault.tokens if fault is not None and fault.kind in ("cut", "death") else None
        try:
            whole = await self._chat.answer(body, connection, ends_at=ends_at)
        except QueueFullError:
            await connection.send(make_error(503, "engine is currently busy"))
            return True
        if fault is not None and fault.kind == "death":
            self.dead.set()
            await self._stop()
        return whole


def _replace_answer(fault: Fault | None) -> Page | None:
    """What is sent in place of an answer."""
    if fault is not None and fault.kind == "refuse":
        return make_error(fault.status, "scripted refusal", retry_after_s=fault.retry_after_s)
    if fault is not None and fault.kind == "garbage":
        return Page(b"<html>\nAn unexpected page</html>", kind="text/html")
    return None
