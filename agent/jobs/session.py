"""A session: the run folder, store, model and sandbox that a command works with, closed however it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.concurrency import FIRST_WIDTH, MOST_IN_FLIGHT
from sstar_code.agent.calls.roles import RoleModels
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice
from sstar_code.agent.models.recorded import describe_recording, find_recording
from sstar_code.agent.models.request import ModelUserError
from sstar_code.agent.models.retry import RetryingModel
from sstar_code.agent.models.scrub import scrub_values
from sstar_code.agent.run.folder import default_folder, drop_barren, note_environment, open_folder, versions
from sstar_code.agent.telemetry.progress import Progress
from sstar_code.agent.telemetry.seldom import Seldom
from sstar_code.agent.telemetry.spans import ObservedSandbox

if TYPE_CHECKING:
    from sstar_code.agent.jobs.choices import Watch
    from sstar_code.agent.models import Model
    from sstar_code.agent.models.choose import AskedModel
    from sstar_code.agent.models.endpoint_pool import EndpointPool
    from sstar_code.agent.models.openai.client import OpenAIModel
    from sstar_code.agent.models.thinking import CappedModel
    from sstar_code.agent.models.vllm.server import ManagedModel
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.run.store import Store
    from sstar_code.sandbox import Sandbox
    from sstar_code.sandbox.memo import MemoSandbox


def make_config(label: str, endpoint: Endpoint | None, prompts: Prompts, **own: Any) -> dict[str, Any]:
    """Everything that changes answers, by name: two runs of equal configurations give the same ones.

    What is at its default is left out where older runs did not know it. `own` is what the command adds, like
    the problems and the settings.
    """
    config = {"label": label, "model": endpoint and endpoint.model, "prompts": prompts.digest, **own}
    if endpoint is not None and endpoint.max_thinking is not None:
        config["max_thinking"] = endpoint.max_thinking
    if endpoint is not None and endpoint.system_role != "system":
        config["system_role"] = endpoint.system_role
    if endpoint is not None and (roles := endpoint.roles):
        config["role_models"] = {role: roles[role].model for role in sorted(roles)}
    return config | (scrub_values(endpoint.body_fields) if endpoint is not None else {})


def open_run(
    command: str,
    config: dict[str, Any],
    out: Path | None,
    *,
    fresh: bool,
    say: Callable[[str], None],
    **more: Any,
) -> Path:
    """The folder of the run, made or gone on in; `more` stands in its manifest beside the configuration.

    Raises:
        UserError: the folder belongs to a command with another configuration, or is no run folder.
        InfrastructureError: it cannot be written.
    """
    folder = out or default_folder(command, config)
    resumed = open_folder(folder, {"config": config, "versions": versions(), **more}, fresh=fresh)
    say(f"sstar: {'going on in' if resumed else 'writing to'} {folder}")
    return folder


@dataclass(slots=True)
class Session:
    """What a command works with, open as long as its block lasts."""

    folder: Path
    """The run folder; for a session without one a folder that is removed with it."""
    store: Store
    say: Callable[[str], None]
    quiet: bool
    """Show no progress: the command prints JSON."""
    budget: Budget
    programs: Sandbox
    """The sandbox itself, which runs a program as often as it is asked to."""
    sandbox: MemoSandbox
    """The same with a memory: every execution is kept in the store and never repeated."""
    _model: StoredModel | None = None
    judges: int = 1
    """How many models are asked which output is right."""

    @property
    def has_model(self) -> bool:
        """Whether a model was named."""
        return self._model is not None

    @property
    def model(self) -> StoredModel:
        """The model that was named; every answer is kept in the store."""
        assert self._model is not None, "the session was opened without a model"
        return self._model

    def progress(self, title: str, total: int, details: Callable[[], str] = str) -> Progress:
        """A bar on stderr that counts to `total`; `details` gives what else to show."""
        return Progress(title, total, details=details, quiet=self.quiet)


@asynccontextmanager
async def open_session(
    folder: Path | None,
    sandbox: SandboxChoice | Sandbox,
    say: Callable[[str], None],
    *,
    endpoint: Endpoint | Model | None = None,
    budget: Budget | None = None,
    watch: Watch | None = None,
    quiet: bool = False,
    wrap: Callable[[Model], Model] = lambda model: model,
) -> AsyncIterator[Session]:
    """Open the store of `folder` (None: one that is not kept), the model if there is one, and the sandbox.

    Model and sandbox are the ones that are chosen, or any that are given; a sandbox that is given is entered.
    What an endpoint serves is asked through `wrap`.

    Whatever happens inside, all of them are closed and the store holds what was answered and run until then.

    Raises:
        UserError: no such sandbox, cluster, model or recording; a wrong key; another process has the folder.
        ModelError: the endpoint is down.
        SandboxError: programs cannot be isolated here.
        InfrastructureError: the store cannot be written.
    """
    from sstar_code.agent.run.store import Store
    from sstar_code.sandbox.memo import MemoSandbox
    from sstar_code.sandbox.ownership import hold_folder

    budget = budget or Budget()
    starting = _Start(folder)
    async with AsyncExitStack() as stack:
        stack.push(starting.end)
        if folder is None:
            folder = stack.enter_context(hold_folder())
        store = stack.enter_context(closing(Store(folder / "run.db")))
        starting.holds = True
        if watch is not None:
            stack.enter_context(watch.open(folder.name, say))
        model = None
        if endpoint is not None:
            if isinstance(endpoint, Endpoint):
                opening = open_model(endpoint, store, budget, say, wrap)
                model = await stack.enter_async_context(opening)
            else:
                model = StoredModel(endpoint, store, budget, max_in_flight=FIRST_WIDTH)
        programs = await stack.enter_async_context(
            make_chosen(sandbox, say) if isinstance(sandbox, SandboxChoice) else sandbox
        )
        environment = getattr(programs, "environment", None)
        if model is not None and environment is not None and note_environment(folder, environment):
            say(
                "sstar: the sandbox has another Python or other libraries than when this run began; "
                "prompts name them, so samples are asked for anew"
            )
        remembering = MemoSandbox(ObservedSandbox(programs), store)
        starting.holds = False
        judges = endpoint.judges if isinstance(endpoint, Endpoint) else 1
        yield Session(folder, store, say, quiet, budget, programs, remembering, model, judges)


@dataclass(slots=True)
class _Start:
    """Removes the run folder where opening the session fails: nothing came of it."""

    folder: Path | None
    holds: bool = False
    """Whether the folder is this process's, and nothing was done in it yet."""

    def end(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self.holds and self.folder is not None:
            drop_barren(self.folder)


def make_chosen(choice: SandboxChoice, say: Callable[[str], None]) -> Sandbox:
    """The sandbox that was chosen, not entered yet."""
    shared: dict[str, Any] = {
        "workers": choice.workers, "runtime": choice.runtime, "packages": choice.packages,
    }  # fmt: skip
    if choice.ray is not None:
        from sstar_code.agent.cluster.ray_sandbox import RaySandbox

        return RaySandbox(choice.ray, choice.name, say=say, **shared)
    from sstar_code.sandbox.choose import make_sandbox

    return make_sandbox(
        choice.name, languages=choice.languages, say=lambda line: say(f"sstar: {line}"), **shared
    )


@asynccontextmanager
async def open_model(
    endpoint: Endpoint,
    store: Store,
    budget: Budget,
    say: Callable[[str], None],
    wrap: Callable[[Model], Model] = lambda model: model,
) -> AsyncIterator[StoredModel]:
    """The model, with every answer kept in `store`; an endpoint is looked at before anything is paid for.

    Raises:
        UserError: wrong key or model name, no such recording.
        ModelError: the endpoint is down.
    """
    from sstar_code.agent.models.load import LoadWatch
    from sstar_code.agent.models.recorded import Recorder, ReplayModel

    folder = None if store.path is None else store.path.parent
    async with AsyncExitStack() as stack:
        model, asked = await connect_endpoint(endpoint, stack, folder, say)
        if endpoint.record is not None:
            asked = stack.enter_context(Recorder(asked, endpoint.record))
        paced = model if isinstance(model, RetryingModel) else None
        stored = StoredModel(
            wrap(asked),
            store,
            budget,
            max_in_flight=endpoint.max_in_flight if paced else endpoint.max_in_flight or FIRST_WIDTH,
            priorities=paced is not None and paced.priorities,
        )
        stored.adapters = getattr(model, "adapters", None)
        if paced is not None:
            paced.on_busy = lambda: stored.concurrency.refuse(anyio.current_time())
            group = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(group.cancel_scope.cancel)
            stored.load = LoadWatch(paced.read_load)
            group.start_soon(stored.watch_load, stored.load.read_load)
        yield stored
        if isinstance(model, ReplayModel) and model.by_purpose:
            say(
                f"sstar: answers replayed by position, since their prompts differ from the recording: "
                f"{model.by_purpose}"
            )


async def connect_endpoint(
    endpoint: Endpoint, stack: AsyncExitStack, folder: Path | None, say: Callable[[str], None]
) -> tuple[AskedModel, Model]:
    """The model that `endpoint` names, looked at and open as long as `stack`; and what calls are put to.

    The two differ where roles have models of their own or thinking is capped. What the server is, is noted in
    the manifest of `folder`, where there is one.

    Raises:
        As `open_model`.
    """
    model = make_asked(endpoint, say)
    others = {role: make_asked(other, say) for role, other in endpoint.roles.items()}
    recording = find_recording(endpoint.require_model())
    if recording is not None:
        say(f"sstar: {describe_recording(recording)}")
    asked = await _prepare(model, endpoint, stack, folder, say)
    if others:
        made: dict[str, Model] = {}
        for role, other in others.items():
            made[role] = await _prepare(other, endpoint, stack, folder, say, role=role)
        asked = RoleModels(asked, made)
    return model, asked


async def _prepare(
    model: AskedModel,
    endpoint: Endpoint,
    stack: AsyncExitStack,
    folder: Path | None,
    say: Callable[[str], None],
    *,
    role: str = "",
) -> Model:
    """The model, looked at and with its thinking capped as asked for; `role` is the one that it has alone."""
    from sstar_code.agent.models.recorded import ReplayModel

    if isinstance(model, ReplayModel):
        return model
    await _connect(model, stack, folder, say, role)
    if endpoint.max_thinking is None:
        return model
    return await _cap_thinking(model, endpoint.max_thinking, say)


async def _connect(
    model: OpenAIModel | EndpointPool | ManagedModel,
    stack: AsyncExitStack,
    folder: Path | None,
    say: Callable[[str], None],
    role: str,
) -> None:
    """Start what has to be started, look at what is served, and note it in the run's manifest."""
    from sstar_code.agent.models.vllm.server import ManagedModel
    from sstar_code.agent.run.folder import note_adjustment, note_servers

    if isinstance(model, ManagedModel) and folder is not None:
        model.log = folder / (f"vllm-{role}.log" if role else "vllm.log")
    await stack.enter_async_context(model)

    def note(line: str, *, changes_answers: bool) -> None:
        say(f"sstar: {line}")
        if changes_answers and folder is not None:
            note_adjustment(folder, line)

    model.on_note = note
    await model.check()
    if folder is not None:
        note_servers(folder, [{"role": role, **row} if role else row for row in model.describe()])


async def _cap_thinking(model: Model, max_thinking: int, say: Callable[[str], None]) -> CappedModel:
    """The model with a cap that was seen to hold."""
    from sstar_code.agent.models.thinking import Cap, CappedModel, probe_cap

    cap = await probe_cap(model.ask)
    if cap is Cap.NONE:
        raise ModelUserError(
            f"--max-thinking {max_thinking}: {cap}: the server has no thinking budget, or ignores it, and "
            "shows a model nothing of what it thought; serve it with --reasoning-config, or leave this out"
        )
    say(f"sstar: --max-thinking {max_thinking}: {cap}")
    return CappedModel(model, cap, max_thinking)


async def check_endpoint(endpoint: Endpoint) -> None:
    """Promise that the endpoint answers and serves the model, before something long is begun for it.

    A recording, and a server that is started with the run, are not looked at.

    Raises:
        UserError: the model, the address or the key is wrong.
        InfrastructureError: no server answers.
    """
    from sstar_code.agent.models.recorded import ReplayModel
    from sstar_code.agent.models.vllm.server import ManagedModel

    model = make_asked(endpoint)
    if isinstance(model, ReplayModel | ManagedModel):
        return
    async with model:
        await model.check()


def make_asked(endpoint: Endpoint, say: Callable[[str], None] = lambda _: None) -> AskedModel:
    """The model that `endpoint` names, not looked at yet.

    Raises:
        UserError: the name, the address or the recording cannot be used.
    """
    from sstar_code.agent.models.choose import VllmOptions, make_model

    recording = find_recording(endpoint.require_model())
    return make_model(
        endpoint.require_model() if recording is None else f"replay:{recording}",
        base_url=endpoint.base_urls,
        vllm=VllmOptions(endpoint.vllm_command, endpoint.vllm_args, lambda line: say(f"sstar: {line}")),
        system_role=endpoint.system_role,
        max_in_flight=endpoint.max_in_flight or MOST_IN_FLIGHT,
        timeout_s=endpoint.call_timeout_s,
        max_thinking=endpoint.max_thinking,
        learns=endpoint.learns,
        on_retry=Seldom(say),
        more=endpoint.body_fields,
        checks_name=not endpoint.no_model_check,
    )
