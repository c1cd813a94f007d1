"""Options in groups, so that a command's parameters say what it needs and not thirty flags."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from sstar_code.agent.cli import options as opt

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ChoiceOptions",
    "DataOptions",
    "MethodOptions",
    "ModelOptions",
    "OutputOptions",
    "SandboxOptions",
    "WatchOptions",
    "grouped",
]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Which model to ask, how, and how much it may cost."""

    model: opt.ModelOpt = None
    base_url: opt.BaseUrlOpt = None
    max_tokens: opt.MaxTokensOpt = 4096
    system_role: opt.SystemRoleOpt = "system"
    max_in_flight: opt.InFlightOpt = None
    call_timeout: opt.TimeoutOpt = 600.0
    record: opt.RecordOpt = None
    max_thinking: opt.MaxThinkingOpt = None
    vllm_command: opt.VllmCommandOpt = None
    vllm_args: opt.VllmArgsOpt = ""
    price_prompt: opt.PricePromptOpt = None
    price_output: opt.PriceOutputOpt = None
    max_tokens_total: opt.MaxTokensTotalOpt = None
    max_tokens_problem: opt.MaxTokensProblemOpt = None
    max_seconds: opt.MaxSecondsOpt = None


@dataclass(frozen=True, slots=True)
class MethodOptions:
    """The method's settings; the defaults are S*'s."""

    n: opt.NOpt = "16"
    rounds: opt.RoundsOpt = 2
    temperature: opt.TemperatureOpt = 0.7
    context: opt.ContextOpt = "all"


@dataclass(frozen=True, slots=True)
class ChoiceOptions:
    """How to choose among candidates."""

    select: opt.SelectOpt = "adaptive"
    seed: opt.SeedOpt = 0
    prompts: opt.PromptsOpt = None


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Where programs run."""

    sandbox: opt.SandboxOpt = "auto"
    runtime: opt.RuntimeOpt = None
    workers: opt.WorkersOpt = None
    ray: opt.RayOpt = None


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which problems of the set."""

    limit: opt.LimitOpt = None
    filter_: opt.FilterOpt = None
    start_date: opt.StartDateOpt = None
    end_date: opt.EndDateOpt = None


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What is written down of the run besides its results."""

    log_file: opt.LogFileOpt = None
    otel: opt.OtelOpt = False


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Where results go."""

    out: opt.OutOpt = None
    fresh: opt.FreshOpt = False
    json_: opt.JsonOpt = False


def grouped(command: Callable[..., int]) -> Callable[..., int]:
    """A command whose parameters may be option groups (the dataclasses above), as typer wants it: flat."""
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[Any, list[str]]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if not is_dataclass(kind):
            parameters.append(parameter.replace(annotation=kind))
            continue
        members = fields(kind)
        types = get_type_hints(kind, include_extras=True)
        groups[name] = (kind, [member.name for member in members])
        parameters += [
            inspect.Parameter(
                member.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=member.default,
                annotation=types[member.name],
            )
            for member in members
        ]

    @functools.wraps(command)
    def flat(**values: Any) -> int:
        gathered = {
            name: kind(**{member: values.pop(member) for member in members})
            for name, (kind, members) in groups.items()
        }
        return command(**values, **gathered)

    parameters.sort(key=lambda parameter: parameter.kind)
    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return flat
