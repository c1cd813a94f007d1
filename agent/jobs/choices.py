"""What a user chose for a run: which model to ask and how, where programs run, what is logged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.calls.roles import JUDGES, ROLES
from sstar_code.agent.models.scrub import scrub
from sstar_code.problems import UserError
from sstar_code.problems.bounds import parse_json
from sstar_code.problems.errors import shorten, suggest

if TYPE_CHECKING:
    from sstar_code.agent.solving.settings import Settings

_ROLES = ("system", "developer", "user")


_AT_URL = re.compile(r"(.+?)@(https?://.*)", re.IGNORECASE)
_OURS = ("model", "messages", "n", "stream")
"""Fields of a body that are decided here."""


def _read_extra(text: str) -> dict[str, Any]:
    """The fields that `--extra-body` gives.

    Raises:
        UserError: the text is no JSON object, or has a field of `_OURS`.
    """
    try:
        fields = parse_json(text) if text else {}
        json.dumps(fields, allow_nan=False)  # as it is sent
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        shown = shorten(scrub(text), 200)
        raise UserError(f"--extra-body {shown!r}: it must be a JSON object like '{{\"top_k\": 20}}'")
    ours = [name for name in _OURS if name in fields]
    if ours:
        raise UserError(f"--extra-body: {', '.join(ours)} cannot be given there, `sstar` sets it")
    return fields


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Which model to ask and how. A wrong role is a UserError."""

    model: str | None = None
    """None: no model was named."""
    base_urls: tuple[str, ...] = ()
    """Empty: `OPENAI_BASE_URL`, else a server on this machine."""
    system_role: str = "system"
    max_in_flight: int | None = None
    """None: what the server runs at once, where it says so, else learnt."""
    call_timeout_s: float = 600.0
    record: Path | None = None
    max_thinking: int | None = None
    """Tokens that a thinking model may think before it has to answer; None: as many as it likes."""
    vllm_command: str | None = None
    """For `vllm:`: the words before `serve`; None looks for them."""
    vllm_args: str = ""
    top_p: float | None = None
    """None, as with the next three: the server's own default."""
    top_k: int | None = None
    min_p: float | None = None
    reasoning_effort: str | None = None
    extra_body: str = ""
    """A JSON object: further fields of the body of every call."""
    role_models: tuple[str, ...] = ()
    """`ROLE=NAME` or `ROLE=NAME@URL`: roles of `calls.roles` that another model has."""
    no_model_check: bool = False
    """Ask the model also where the server's list of models lacks it, or is closed."""
    learns: bool = False
    """For `vllm:`: it is trained while it is served (`serve_for`)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_urls", tuple(self.base_urls or ()))
        if self.system_role not in _ROLES:
            raise UserError(f"--system-role {self.system_role!r}: it must be one of {', '.join(_ROLES)}")
        object.__setattr__(self, "role_models", tuple(self.role_models or ()))
        _ = self.roles
        if self.extra_body:
            _read_extra(self.extra_body)

    @property
    def roles(self) -> Mapping[str, Endpoint]:
        """The endpoint of each role that has one of its own; without an address it is at `base_urls` too.

        Raises:
            UserError: a role is unknown or given twice, or no model is named.
        """
        found: dict[str, Endpoint] = {}
        for text in self.role_models:
            role, equals, spec = (part.strip() for part in text.partition("="))
            if role == "selector":  # given several times it is several judges
                role = next((name for name in ("selector", *JUDGES) if name not in found), role)
            if not equals or not spec or role not in (*ROLES, *JUDGES):
                raise UserError(
                    f"--role-model {scrub(text)!r}: it must be ROLE=NAME or ROLE=NAME@URL, with ROLE one of "
                    f"{', '.join(ROLES)}{suggest(role, ROLES)}"
                )
            if role in found:
                raise UserError(f"--role-model: {role} is given twice")
            parts = _AT_URL.fullmatch(spec)
            name, urls = (parts[1], (parts[2],)) if parts else (spec, self.base_urls)
            found[role] = replace(self, model=name, base_urls=urls, role_models=(), record=None, learns=False)
        return found

    @property
    def judges(self) -> int:
        """How many models are asked which output is right: the selector and further ones."""
        return 1 + sum(role in JUDGES for role in self.roles)

    @property
    def body_fields(self) -> dict[str, Any]:
        """Fields of the body of every call, by name; those that were not given are left to the server."""
        given = {
            name: getattr(self, name)
            for name in ("top_p", "top_k", "min_p", "reasoning_effort")
            if getattr(self, name) is not None
        }
        return given | _read_extra(self.extra_body)

    def require_model(self) -> str:
        """The model's name.

        Raises:
            UserError: none was named.
        """
        if self.model is None:
            raise UserError(
                "no model: name one with -m (a name at --base-url, vllm:MODEL to have one served, or "
                "replay:FILE for recorded calls); `sstar doctor` lists what the endpoint serves"
            )
        return self.model


def serve_for(endpoint: Endpoint, *settings: Settings) -> Endpoint:
    """`endpoint`, served so that the strategies of `settings` can do their work.

    Raises:
        UserError: they change the weights of a model that is not served here, or that has not all its roles.
    """
    if not any(map(_learns, settings)):
        return endpoint
    model = endpoint.require_model()
    if not model.startswith("vllm:"):
        what = "a recording" if model.startswith("replay:") else "served by others"
        raise UserError(
            f"--strategy learn: -m {scrub(model)} is {what}, so its weights cannot be changed; name a model "
            "that is served here: -m vllm:MODEL"
        )
    other = next((role for role in ("drafter", "editor") if role in endpoint.roles), None)
    if other is not None:
        raise UserError(
            f"--strategy learn: --role-model {other} gives the programs to another model; leave it out"
        )
    return replace(endpoint, learns=True)


def refuse_learning(settings: Settings, command: str) -> None:
    """See that a `command` which answers many clients is not to change the model's weights.

    Raises:
        UserError: it is.
    """
    if _learns(settings):
        raise UserError(f"--strategy learn: not with {command}; use sstar solve, eval, fix or compare")


def _learns(settings: Settings) -> bool:
    from sstar_code.agent.strategies.table import choose_strategy
    from sstar_code.agent.strategies.trained.learn import Learn

    return isinstance(choose_strategy(settings), Learn)


@dataclass(frozen=True, slots=True)
class SandboxChoice:
    """Which sandbox to use and how. An unknown name, or a package that cannot be, is a UserError."""

    name: str = "auto"
    runtime: str | None = None
    """Container runtime for Docker, like `runsc`."""
    workers: int | None = None
    """Programs run at once; None: the usable cores."""
    packages: tuple[str, ...] = ()
    """Libraries that programs can import beside those that are always there. May be given as `a,b`."""
    languages: tuple[str, ...] = ()
    """What programs may be written in beside Python; known from a command's own flags and samples."""
    ray: str | None = None
    """Address of a Ray cluster whose nodes run the programs, `workers` each; None: this machine does."""

    def __post_init__(self) -> None:
        from sstar_code.sandbox.choose import check_name
        from sstar_code.sandbox.environment import check_packages

        check_name(self.name)
        if self.ray is not None and self.languages:
            raise UserError("--ray: nodes of a cluster run Python alone; leave it out for other languages")
        names = self.packages or ()
        names = names.split(",") if isinstance(names, str) else names
        object.__setattr__(self, "packages", check_packages(name.strip() for name in names))


@dataclass(frozen=True, slots=True)
class Watch:
    """What is written down of a run besides its results."""

    log_file: Path | None = None
    otel: bool = False

    @contextmanager
    def open(self, run: str, say: Callable[[str], None]) -> Iterator[None]:
        """Write what is done inside to the log and the spans asked for, under the name `run`.

        Raises:
            UserError: OpenTelemetry is not installed.
            InfrastructureError: the log file cannot be written.
        """
        with ExitStack() as stack:
            if self.log_file is not None:
                from sstar_code.agent.telemetry.events import open_log

                stack.enter_context(open_log(self.log_file, run=run, say=say))
            if self.otel:
                from sstar_code.agent.telemetry.spans import open_spans

                stack.enter_context(open_spans(run))
            yield
