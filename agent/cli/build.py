"""What several commands do: choose problems, a sandbox and a model, and say what was chosen."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

from sstar_code.problems import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from pathlib import Path

    from sstar_code.agent.calls.budget import Budget
    from sstar_code.agent.cli.groups import (
        ChoiceOptions,
        DataOptions,
        MethodOptions,
        ModelOptions,
        SandboxOptions,
        WatchOptions,
    )
    from sstar_code.agent.jobs.session import Endpoint, SandboxChoice
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem
    from sstar_code.problems.sets.faults import Fault
    from sstar_code.problems.sets.load import ProblemSet

__all__ = [
    "choose_problems",
    "load_problems",
    "read_budget",
    "read_endpoint",
    "read_prompts",
    "read_sandbox",
    "read_settings",
    "run_async",
    "say",
    "say_failed",
    "watching",
]

T = TypeVar("T")


def say(line: str) -> None:
    """One line on stderr."""
    sys.stderr.write(line + "\n")


def say_failed(failures: Sequence[str], samples: int) -> None:
    """That samples, of so many, ended with a call that failed for good, and why the first did."""
    say(f"sstar: {len(failures)} of {samples} samples ended with a failed model call, like: {failures[0]}")


def load_problems(
    spec: str, options: DataOptions, *, on_fault: Callable[[Fault], None] | None = None
) -> tuple[ProblemSet, list[Problem]]:
    """The set and the problems of it that were asked for; `on_fault` is told of rows that cannot be used.

    Raises:
        UserError: the set cannot be read, a filter cannot be used, or nothing is left.
    """
    from sstar_code.problems.sets.load import load_set

    whole = load_set(
        spec,
        start_date=_read_date("--start-date", options.start_date),
        end_date=_read_date("--end-date", options.end_date),
        on_fault=on_fault,
    )
    chosen = choose_problems(whole.problems, limit=options.limit, terms=options.filter_)
    if not chosen and on_fault is None:
        raise UserError(f"{spec}: no problem is left after --filter, --limit and the dates")
    return whole, chosen


def _read_date(flag: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{flag} {text!r}: not a date; write it like 2024-08-31") from error


def choose_problems(
    problems: Sequence[Problem], *, limit: int | None, terms: Sequence[str] | None
) -> list[Problem]:
    """Those that meet every one of `terms` (`problems.filters`), then the first `limit` of them."""
    from sstar_code.problems.sets.filters import filter_problems

    return filter_problems(problems, terms or ())[:limit]


def run_async(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main` to its end or to the first Ctrl-C, which lets it finish writing; a second ends at once.

    Raises:
        KeyboardInterrupt: it was interrupted; everything finished is written.
    """
    import anyio

    from sstar_code.agent.cli.interrupt import run_interruptible

    return anyio.run(run_interruptible, main)


@contextmanager
def watching(options: WatchOptions, folder: Path) -> Iterator[None]:
    """Write what is done inside to the log and the spans asked for; the run is called as its folder.

    Raises:
        UserError: OpenTelemetry is not installed.
        InfrastructureError: the log file cannot be written.
    """
    with ExitStack() as stack:
        if options.log_file is not None:
            from sstar_code.agent.telemetry.events import open_log

            stack.enter_context(open_log(options.log_file, run=folder.name, say=say))
        if options.otel:
            from sstar_code.agent.telemetry.spans import open_spans

            stack.enter_context(open_spans(folder.name))
        yield


def read_settings(
    model: ModelOptions, choice: ChoiceOptions, method: MethodOptions | None = None
) -> Settings:
    """The method's settings from the options.

    Raises:
        UserError: an unknown method or context, or `--n` is no number of samples.
    """
    from sstar_code.agent.solving.settings import Settings, read_samples
    from sstar_code.selection.methods.registry import choose as find_method

    find_method(choice.select)
    if method is None:
        return Settings(seed=choice.seed, select=choice.select, max_tokens=model.max_tokens)
    if method.context not in ("all", "last"):
        raise UserError(f"--context {method.context!r}: it is `all` or `last`")
    least, most = read_samples(method.n)
    return Settings(
        n=most,
        least=least,
        rounds=method.rounds,
        temperature=method.temperature,
        seed=choice.seed,
        select=choice.select,
        max_tokens=model.max_tokens,
        context="all" if method.context == "all" else "last",
    )


def read_endpoint(options: ModelOptions) -> Endpoint:
    """Which model to ask.

    Raises:
        UserError: no model was named.
    """
    from sstar_code.agent.jobs.session import Endpoint

    if options.system_role not in ("system", "developer", "user"):
        raise UserError(f"--system-role {options.system_role!r}: it is `system`, `developer` or `user`")
    if options.model is None:
        raise UserError(
            "no model: name one with -m (a name at --base-url, vllm:MODEL to have one served, or replay:FILE "
            "for recorded calls); "
            "`sstar doctor` lists what the endpoint serves"
        )
    return Endpoint(
        model=options.model,
        base_urls=tuple(options.base_url or ()),
        system_role=options.system_role,
        max_in_flight=options.max_in_flight,
        call_timeout_s=options.call_timeout,
        record=options.record,
        max_thinking=options.max_thinking,
        vllm_command=options.vllm_command,
        vllm_args=options.vllm_args,
    )


def read_budget(options: ModelOptions) -> Budget:
    """What the run may spend."""
    from sstar_code.agent.calls.budget import Budget

    return Budget(options.max_tokens_total, options.max_seconds, options.max_tokens_problem)


def read_prompts(directory: Path | None) -> Prompts:
    """The templates, checked before a model is asked anything."""
    from sstar_code.agent.prompts.templates import Prompts

    return Prompts(directory)


def read_sandbox(options: SandboxOptions) -> SandboxChoice:
    """Where to run programs.

    Raises:
        UserError: no sandbox of that name.
    """
    from sstar_code.agent.jobs.session import SandboxChoice
    from sstar_code.sandbox.choose import NAMES

    if options.sandbox not in NAMES:
        raise UserError(f"unknown sandbox {options.sandbox!r}: choose one of {', '.join(NAMES)}")
    return SandboxChoice(options.sandbox, options.runtime, options.workers, options.ray)
