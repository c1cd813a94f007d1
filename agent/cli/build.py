"""What several commands do with their options: read problems, run to the end or to Ctrl-C."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

from sstar_code.agent.cli.display.lines import fold
from sstar_code.problems import UserError
from sstar_code.problems.plain_text import dump_json, escape_line, escape_text

if TYPE_CHECKING:
    from sstar_code.agent.cli.options import DataOptions
    from sstar_code.agent.jobs.choices import SandboxChoice
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.run.outcomes import Prices
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem
    from sstar_code.problems.sets.faults import Fault
    from sstar_code.problems.sets.load import ProblemSet

T = TypeVar("T")


def say(line: str) -> None:
    """One line on stderr, in which nothing commands a terminal or a runner of CI."""
    sys.stderr.write(fold(escape_line(line), sys.stderr) + "\n")


def tell(line: str) -> None:
    """One line on stdout, as `say` on stderr."""
    sys.stdout.write(fold(escape_line(line), sys.stdout) + "\n")


def put(text: str) -> None:
    """Lines on stdout, in which nothing commands a terminal or a runner of CI."""
    sys.stdout.write(escape_text(text) + "\n")


def put_json(data: Any) -> None:
    """One line of JSON on stdout."""
    sys.stdout.write(dump_json(data) + "\n")


def put_exact(text: str, *, show: Callable[[str], str] = str) -> None:
    """A program or a diff on stdout, byte for byte, unless it goes to a terminal or into a log of CI.

    A file gets it as it is in any case, a terminal what `show` makes of it.
    """
    try:
        is_file = stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):  # no real stream, as in tests
        is_file = False
    is_shown = sys.stdout.isatty() or any(os.environ.get(name) for name in _CI)
    sys.stdout.write(show(escape_text(text)) if is_shown and not is_file else text)


_CI = ("CI", "GITHUB_ACTIONS", "TF_BUILD")
"""Variables that say that stdout, where it is no file, is a log whose lines can be commands."""


def say_failed(failures: Sequence[str], samples: int) -> None:
    """Tell that samples, of so many, ended with a call that failed for good, and why the first did."""
    say(f"sstar: {len(failures)} of {samples} samples ended with a failed model call, like: {failures[0]}")


def show_estimate(
    problems: Sequence[Problem],
    settings: Settings,
    prompts: Prompts,
    *,
    model: str,
    prices: Prices,
    methods: Iterable[str],
    as_json: bool,
) -> int:
    """Print what the run would cost; gives the exit code."""
    from sstar_code.agent.jobs.estimate import estimate_run

    found = estimate_run(problems, settings, prompts, model=model, prices=prices, methods=list(methods))
    work = f"{len(problems)} problems with {settings.n} samples each"
    say(f"sstar: a dry run of {work} by {model}: nothing is asked")
    if as_json:
        put_json(found.as_json())
    else:
        put("\n".join(found.lines()))
    return 0


def load_problems(
    spec: str,
    options: DataOptions,
    *,
    on_fault: Callable[[Fault], None] | None = None,
    runs: bool = True,
    judges: bool = False,
) -> tuple[ProblemSet, list[Problem]]:
    """The set and the problems of it that were asked for; `on_fault` is told of rows that cannot be used.

    With `runs` their judges have testlib's header where they include it. With `judges` programs are judged
    and nothing else, so that problems may ask for C++ functions.

    Raises:
        UserError: the set cannot be read, a filter cannot be used, nothing is left, or testlib's header is
            needed and was not named.
    """
    from sstar_code.problems.formats.frames import refuse_framed
    from sstar_code.problems.formats.judges import attach_testlib
    from sstar_code.problems.sets.load import filter_problems, load_set, name_set
    from sstar_code.problems.sets.releases import find_missing

    spec = name_set(spec)
    missing = find_missing(spec)
    if missing is not None:
        size = f"{missing.size_mb:,} MB from {'the hub' if missing.on_hub else 'GitHub'}"
        say(f"sstar: fetching {spec.partition('@')[0]}@{missing.tag}, {size}; it is kept for the next time")
    whole = load_set(
        spec,
        start_date=_read_date("--start-date", options.start_date),
        end_date=_read_date("--end-date", options.end_date),
        on_fault=on_fault,
    )
    if on_fault is None:
        _say_release(spec, whole)
    chosen = filter_problems(whole.problems, options.filter_ or ())[: options.limit]
    if not chosen and on_fault is None:
        if not whole.problems and not (options.start_date or options.end_date):
            raise UserError(f"{spec}: holds no problem; what the file has to hold: `sstar help eval`")
        raise UserError(f"{spec}: no problem is left after --filter, --limit and the dates")
    if not judges:
        refuse_framed(chosen)
    return whole, attach_testlib(chosen, options.testlib, need=runs)


def equip(sandbox: SandboxChoice, problems: Iterable[Problem]) -> SandboxChoice:
    """`sandbox` with the languages that the judges of `problems` are written in."""
    from sstar_code.problems.formats.judges import list_languages

    return replace(sandbox, languages=(*sandbox.languages, *list_languages(problems)))


def _say_release(spec: str, whole: ProblemSet) -> None:
    """Say which release was taken where several are known and none was named: they are different sets."""
    from sstar_code.problems.sets.releases import list_releases

    if "@" in spec or ":" in spec:
        return
    others = [release.tag for release in list_releases(spec) if f"{spec}@{release.tag}" != whole.name]
    if others:
        names = ", ".join(others)
        say(f"sstar: {spec} names no release, so {whole.name} was taken; others are {names}")


def note_set(whole: ProblemSet, chosen: Sequence[Problem], options: DataOptions) -> dict[str, Any]:
    """What a manifest keeps of the set, and of how `chosen` were chosen from it."""
    from sstar_code.agent.run.history.which_set import note_choice

    return {
        "set_name": whole.name,
        "data": str(whole.path),
        **note_choice(
            chosen,
            window=(options.start_date, options.end_date),
            filters=options.filter_,
            limit=options.limit,
        ),
    }


def _read_date(flag: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{flag} {text!r}: not a date; write it like 2024-08-31") from error


def run_async(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main` to its end or to the first Ctrl-C, which lets it finish writing; a second ends at once.

    Raises:
        KeyboardInterrupt: it was interrupted; everything finished is written.
    """
    import anyio

    from sstar_code.agent.cli.interrupts import run_interruptible

    return anyio.run(run_interruptible, main)
