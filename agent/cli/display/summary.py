"""What a run came to, on stdout: a table of every method, and the numbers that belong to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sstar_code.agent.cli.build import tell
from sstar_code.agent.cli.display.terminal import open_console
from sstar_code.problems.plain_text import escape_line

if TYPE_CHECKING:
    from sstar_code.agent.run.summary import Summary


def print_summary(summary: Summary) -> None:
    """Every method on the same candidates, with 95% intervals and denominators; no table of nothing."""
    if any(rate.problems for rate in summary.rates.values()):
        _print_rates(summary)
    for line in _write_lines(summary):
        tell(line)


def _print_rates(summary: Summary) -> None:
    from rich.table import Table

    from sstar_code.agent.run.summary import LABELS

    table = Table(
        title="pass rate on the hidden tests, same candidates",
        title_justify="left",
        title_style="bold",
        border_style="dim",
    )
    table.add_column("choice")
    table.add_column("rate", justify="right")
    table.add_column("95% interval", justify="right")
    table.add_column("problems", justify="right")
    for name, rate in summary.rates.items():
        label = escape_line(LABELS.get(name, name))
        if not rate.problems:
            table.add_row(label, "-", "-", "0")
            continue
        is_choice = name == summary.select
        table.add_row(
            f"{label} (selected@1)" if is_choice else label,
            f"{100 * rate.value:.1f}%",
            f"{100 * rate.low:.1f} - {100 * rate.high:.1f}",
            str(rate.problems),
            style="bold green" if is_choice else None,
        )
    open_console().print(table)


def _write_lines(summary: Summary) -> Iterator[str]:
    """What stands below the table."""
    from sstar_code.agent.run.history.which_set import tell_preset
    from sstar_code.agent.run.outcomes import tell_score

    if summary.which_set is not None:
        yield f"set: {summary.which_set}"
    if summary.preset:
        yield f"preset: {tell_preset(summary.preset)}"
    if summary.ways:
        yield f"samples: {', '.join(f'{name} {value}' for name, value in summary.ways.items())}"
    if summary.choice_cost is not None:
        yield f"pass@1: the model's first answers alone, no test used; {summary.choice_cost}"
    count, headline = summary.count, summary.headline()
    tokens = headline["tokens"]
    if told := tell_score(headline):
        yield told
    yield (
        f"{len(count.problem_ids)} problems: {summary.public_solved} with a sample that passes the public "
        f"tests, {len(count.errors)} errors, {count.ungraded} without hidden tests, "
        f"{len(count.unfinished)} unfinished"
    )
    unknown = tokens["unknown_calls"]
    counted = f" ({unknown} calls without token counts: estimated)" if unknown else ""
    yield (
        f"{tokens['calls']} model calls, {tokens['prompt']:,} prompt and {tokens['output']:,} output tokens"
        f"{counted}, {summary.cost}, {summary.seconds:.1f} s"
    )
    selection = summary.selection
    if selection.calls or selection.executions:
        yield (
            f"of these for selection, all methods: {selection.calls} calls, {selection.tokens:,} tokens; "
            f"{selection.executions:,} runs of programs, {selection.cpu_s:.1f} CPU s"
        )
    yield from _tell_thinking(summary)
    for line in summary.adjustments:
        yield f"not as asked: {line}"
    for problem_id, line in count.errors.items():
        yield f"error: {problem_id}: {line}"


def _tell_thinking(summary: Summary) -> Iterator[str]:
    """What is known of the thinking in the answers."""
    cut = sum(stage.cut_thinking for stage in summary.stages.values())
    if cut:
        yield f"{cut} answers were cut while thinking: raise --max-tokens, or give --max-thinking"
    thought = sum(stage.only_thinking for stage in summary.stages.values())
    if thought:
        yield (
            f"{thought} answers were thinking alone, in which the last program counts: the server may not "
            "know where this model's thinking ends"
        )
    if summary.underthinking is not None:
        yield str(summary.underthinking)
