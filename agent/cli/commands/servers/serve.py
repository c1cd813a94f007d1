"""`sstar serve`: the method behind the OpenAI API, for every editor, agent and script that speaks it."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from sstar_code.agent.cli.build import put, run_async, say
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options.arguments import PromptsOpt
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch, refuse_learning
from sstar_code.agent.serving.limits import Limits
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError


def _limit(name: str, metavar: str, told: str, **more: Any) -> Any:
    variable = "SSTAR_" + name.removeprefix("--").replace("-", "_").upper()
    return typer.Option(
        name, metavar=metavar, envvar=variable, show_envvar=False, rich_help_panel="Limits", help=told, **more
    )


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """The flags of `agent.serving.limits.Limits`."""

    max_solving: Annotated[int, _limit("--max-solving", "N", "Requests that are solved at once.", min=1)] = 4
    max_passing: Annotated[
        int, _limit("--max-passing", "N", "Requests that are passed through at once.", min=1)
    ] = 1_000
    max_tokens_request: Annotated[
        int,
        _limit(
            "--max-tokens-request", "N", "Tokens that all calls for one request together may take.", min=1
        ),
    ] = 500_000
    max_seconds_request: Annotated[
        float,
        _limit(
            "--max-seconds-request", "SECONDS", "Seconds after which no more is asked for a request.", min=1
        ),
    ] = 540.0
    max_tokens_hour: Annotated[
        int | None,
        _limit("--max-tokens-hour", "N", "Tokens that solving may take in any hour, all in all.", min=1),
    ] = None
    max_body_mb: Annotated[
        int, _limit("--max-body-mb", "MB", "Megabytes of the longest request that is read.", min=1, max=1024)
    ] = 32

    def as_limits(self) -> Limits:
        """The limits."""
        return Limits(**asdict(self))


HostOpt = Annotated[
    str,
    typer.Option(
        "--host", metavar="ADDRESS", help="Address to listen at; another than this machine needs a key."
    ),
]
ApiKeyEnvOpt = Annotated[
    str | None,
    typer.Option("--api-key-env", metavar="NAME", help="Variable with the key that clients have to present."),
]


@grouped
def command(
    *,
    host: HostOpt = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8800,
    api_key_env: ApiKeyEnvOpt = None,
    progress: Annotated[
        str,
        typer.Option(
            "--progress",
            metavar="FORM",
            help="What a stream tells of the work: reasoning, comments (of the stream itself), or none.",
        ),
    ] = "reasoning",
    limits: LimitOptions,
    templates: PromptsOpt = None,
    endpoint: Annotated[Endpoint, "-record"],
    settings: Settings,
    sandbox: SandboxChoice,
    watch: Watch,
) -> int:
    """Serve the OpenAI API: coding tasks for `sstar-MODEL` are solved, all else is passed through.

    Example: sstar serve -m Qwen/Qwen2.5-Coder-7B-Instruct --n 8
    """
    from sstar_code.agent.models.recorded import find_prompts, find_recording
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.serving.run import Serving, check_installed, serve
    from sstar_code.agent.serving.technique import PROGRESS_FORMS

    refuse_learning(settings, "sstar serve")
    name = endpoint.require_model()
    if find_recording(name) is not None or name.startswith("replay:"):
        raise UserError("-m replay: has no server behind it; `sstar serve` needs a model at an endpoint")
    if len(endpoint.base_urls) > 1:
        raise UserError("--base-url is given more than once: requests are passed through to one endpoint")
    if endpoint.judges > 1:
        raise UserError("--role-model: `sstar serve` asks one selector; leave out the others")
    form = next((known for known in PROGRESS_FORMS if known == progress), None)
    if form is None:
        raise UserError(f"--progress {progress!r}: it must be one of {', '.join(PROGRESS_FORMS)}")
    serving = Serving(host, port, key=read_key(api_key_env), progress=form, limits=limits.as_limits())
    check_installed()
    prompts = Prompts(templates or find_prompts(endpoint.model))

    def started(address: str) -> None:
        say(f"sstar: serving {name} and sstar-{name}; Ctrl-C ends it")
        put(address)
        sys.stdout.flush()  # whoever waits for it at the other end of a pipe gets it now, not at the end

    async def main() -> None:
        with watch.open("serve", say):
            await serve(serving, endpoint, sandbox, settings, prompts, say=say, on_start=started)

    try:
        run_async(main)
    except KeyboardInterrupt:
        say("sstar: nothing is served any more")
    return 0


def read_key(variable: str | None) -> str | None:
    """The key in the environment's `variable`.

    Raises:
        UserError: it is not set, or holds what no header can carry.
    """
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UserError(f"--api-key-env {variable}: that variable must hold a key, without blanks")
    return key
