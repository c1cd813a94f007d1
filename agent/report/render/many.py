"""Two runs side by side, and any number of runs as one table: Markdown, CSV, LaTeX and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sstar_code.agent.report.data.scores import compare_runs
from sstar_code.agent.report.markup import escape_markdown, escape_names, write_table
from sstar_code.agent.report.render.tables import (
    difference_table,
    interval,
    list_names,
    percent,
    points,
    points_interval,
)
from sstar_code.agent.run.history.which_set import tell_preset
from sstar_code.agent.run.outcomes import StageCount, add_up
from sstar_code.agent.run.summary import LABELS
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Comparison, Scores
    from sstar_code.agent.run.summary import Rate

Pairs = Sequence[tuple["Run", "Scores"]]
"""Runs with what was counted of each, in the order given."""
_SPECIAL = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
"""Characters that mean something to LaTeX -> how they are written."""


def list_rates(pairs: Pairs) -> list[str]:
    """The names of all rates, in the order of the tables: `selected@1` first, the ceiling last."""
    names = dict.fromkeys(name for _, scores in pairs for name in scores.rates)
    order = ("pass@1", "debugged@1", "random")
    middle = [name for name in names if name not in (*order, "oracle")]
    return [name for name in (*order, *middle, "oracle") if name in names]


def find_selected(run: Run, scores: Scores) -> Rate | None:
    """The rate of what the run's method chose."""
    return scores.rates.get(run.select)


def list_rows(pairs: Pairs) -> list[dict[str, Any]]:
    """One row a run and rate, every number of it: what CSV and JSON hold. Rates are 0..1."""
    rows = []
    for run, scores in pairs:
        total = add_up(run.total.values())
        about = {
            "run": str(run.folder),
            "command": run.kind,
            "set": run.set_name,
            "which_set": str(run.which_set),
            "model": run.model,
            "preset": tell_preset(run.preset),
            "select": run.select,
        }
        of_run = {
            "samples": _count_samples(run),
            "graded": len(run.count.graded),
            "errors": len(run.count.errors),
            "unfinished": len(run.count.unfinished),
            "calls": total.calls,
            "tokens": total.tokens,
            "executions": total.executions,
            "seconds": run.summary.get("seconds"),
        }
        named = {name: rate for name, rate in scores.rates.items() if rate.problems}
        at_k = {f"pass@{k}": rate for k, rate in scores.pass_at.items() if k > 1}
        chosen = find_selected(run, scores)
        every = {**({"selected@1": chosen} if chosen and chosen.problems else {}), **named, **at_k}
        gains = {line.name: line for line in scores.differences}
        for name, rate in every.items():
            line = gains.get(name)
            p, test = line.p_and_test if line else (None, None)
            rows.append(
                {
                    **about,
                    "rate": name,
                    "value": rate.value,
                    "low": rate.low,
                    "high": rate.high,
                    "problems": rate.problems,
                    "selected_minus_it": line and line.difference.value,
                    "difference_low": line and line.difference.low,
                    "difference_high": line and line.difference.high,
                    "p": p,
                    "test": test,
                    **of_run,
                }
            )
        if not every:
            rows.append({**about, **dict.fromkeys(_MEASURED), **of_run})
    return rows


_MEASURED = (
    *("rate", "value", "low", "high", "problems"),
    *("selected_minus_it", "difference_low", "difference_high", "p", "test"),
)


def many_as_csv(pairs: Pairs) -> str:
    """The rows of `list_rows` with a head, as RFC 4180 has it but for the line ends.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    rows, file = list_rows(pairs), io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _defuse(value) for key, value in row.items()})
    return file.getvalue()


def _defuse(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def many_as_latex(pairs: Pairs) -> str:
    """A `tabular` with a row a run: rates in percent with their intervals, the gain of the choice and its p.

    It needs no package. What was chosen by the run's method is bold.
    """
    names = list_rates(pairs)
    shown = (LABELS.get(name, name) for name in names)
    heads = ["set", "model", *shown, "selected@1", "selected -- pass@1", "$p$", *_BESIDE]
    lines = [
        f"\\begin{{tabular}}{{ll{'r' * (len(heads) - 2)}}}",
        "\\hline",
        _join(_escape(head) if not head.startswith(("$", "selected")) else head for head in heads),
        "\\hline",
    ]
    for run, scores in pairs:
        cells = [_escape(run.set_name), _escape(run.model or "-")]
        cells += [_latex_rate(scores.rates.get(name), bold=name == run.select) for name in names]
        cells += [_latex_rate(find_selected(run, scores), bold=True), *_latex_gain(scores), *_beside(run)]
        lines.append(_join(cells))
    lines += [
        "\\hline",
        "\\end{tabular}",
        "% percent of the problems, Wilson's 95% intervals; points, 95% intervals of a paired bootstrap",
        "% N: samples a problem; calls and tokens a problem, of all that ran",
        *(f"% {line}" for line in _list_about(pairs)),
    ]
    return "\n".join(lines) + "\n"


_BESIDE = ("N", "calls", "tokens")
"""What stands beside selected@1: samples, calls and tokens a problem."""


def _beside(run: Run) -> list[str]:
    cost = run.choice_cost
    return ["--"] * 3 if cost is None else [f"{cost.samples:.4g}", f"{cost.calls:.1f}", f"{cost.tokens:.0f}"]


def _count_samples(run: Run) -> float | None:
    """Samples a finished problem."""
    ended = run.count.ended
    return sum(len(outcome.samples) for outcome in ended) / len(ended) if ended else None


def _list_about(pairs: Pairs) -> list[str]:
    """Which set, and which preset, each run is about, without doubles."""
    lines = [line for run, _ in pairs for line in run.about if not line.startswith("selected@1")]
    return list(dict.fromkeys(" ".join(line.split()) for line in lines))


def _join(cells: Any) -> str:
    return " & ".join(cells) + r" \\"


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in " ".join(text.split()))


def _latex_rate(rate: Rate | None, *, bold: bool) -> str:
    if rate is None or not rate.problems:
        return "--"
    value = f"{100 * rate.value:.1f}"
    shown = f"\\textbf{{{value}}}" if bold else value
    return f"{shown} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def _latex_gain(scores: Scores) -> list[str]:
    line = next((line for line in scores.differences if line.name == "pass@1"), None)
    if line is None:
        return ["--", "--"]
    gain = line.difference
    words = f"${100 * gain.value:+.1f}$ [${100 * gain.low:+.1f}$, ${100 * gain.high:+.1f}$]"
    return [words, f"{line.p_and_test[0]:.2g}"]


def many_as_json(pairs: Pairs) -> dict[str, Any]:
    """The rows of `list_rows`, and each later run against the first where they have problems in common."""
    return {"rows": list_rows(pairs), "comparisons": [found.as_json() for found in compare_all(pairs)]}


def compare_all(pairs: Pairs) -> list[Comparison]:
    """Each later run against the first; those without a problem in common are left out."""
    found = []
    for other, _ in pairs[1:]:
        try:
            found.append(compare_runs(pairs[0][0], other))
        except UserError:  # another set: it stands in the table alone
            continue
    return found


def many_as_markdown(pairs: Pairs) -> str:
    """One table of all runs, sets by models where there are several of both, then who won what."""
    names = list_rates(pairs)
    shown = map(escape_markdown, names)
    heads = ["run", "set", "model", "problems", *shown, "selected@1", "selected - pass@1", "p", *_COSTS]
    rows = []
    for run, scores in pairs:
        gain = next((line for line in scores.differences if line.name == "pass@1"), None)
        chosen = find_selected(run, scores)
        rows.append(
            [
                *map(escape_markdown, (str(run.folder), run.set_name, run.model or "-")),
                str(len(run.count.scores)),
                *(_with_interval(scores.rates.get(name)) for name in names),
                f"{percent(chosen)} ({escape_markdown(run.select)}{_of_samples(run)})" if chosen else "-",
                points(gain.difference if gain else None),
                "" if gain is None else f"{gain.p_and_test[0]:.2g}",
                *_costs(run),
            ]
        )
    parts = [f"# {len(pairs)} run{'s' * (len(pairs) != 1)}", "", *write_table(heads, rows)]
    parts += [*(f"- {escape_markdown(line)}" for line in _list_about(pairs)), ""]
    parts += _tabulate_sets(pairs)
    for run, scores in pairs:
        table = difference_table(scores)
        if table.rows:
            parts += [
                f"## {escape_markdown(f'What {run.select} gains in {run.folder}')}",
                "",
                *write_table(table.heads, escape_names(table.rows)),
            ]
    text = "\n".join(parts).rstrip() + "\n"
    return "\n".join([text, *(compare_as_markdown(found) for found in compare_all(pairs))])


def _of_samples(run: Run) -> str:
    cost = run.choice_cost
    return "" if cost is None else f" of {cost.samples:.4g}"


_COSTS = ("calls", "tokens", "runs of programs", "seconds")


def _costs(run: Run) -> list[str]:
    total: StageCount = add_up(run.total.values())
    seconds = run.summary.get("seconds")
    shown = "-" if seconds is None else f"{seconds:,.1f}"
    return [f"{total.calls:,}", f"{total.tokens:,}", f"{total.executions:,}", shown]


def _with_interval(rate: Rate | None) -> str:
    return f"{percent(rate)} ({interval(rate)})" if rate and rate.problems else "-"


def _tabulate_sets(pairs: Pairs) -> list[str]:
    """Sets by models: what was chosen, or one sample where nothing was; of equal ones the last run counts."""
    cells: dict[tuple[str, str], str] = {}
    for run, scores in pairs:
        rate = find_selected(run, scores) or scores.rates.get("pass@1")
        cells[run.set_name, run.model or "-"] = percent(rate)
    sets, models = (list(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
    if len(sets) < 2 or len(models) < 2:
        return []
    rows = [[name, *(cells.get((name, model), "") for model in models)] for name in sets]
    heads = ["set", *map(escape_markdown, models)]
    return ["## selected@1 (pass@1 where nothing was chosen)", "", *write_table(heads, escape_names(rows))]


def compare_as_markdown(comparison: Comparison) -> str:
    """Two runs side by side: differences with intervals, then who won which problems."""
    common = f"{comparison.common} problems in common"
    if comparison.only_first or comparison.only_second:
        common += (
            f"; only in the first: {comparison.only_first}, only in the second: {comparison.only_second}"
        )
    parts = [f"# {escape_markdown(f'{comparison.second} against {comparison.first}')}", "", f"{common}.", ""]
    if comparison.settings:
        rows = [
            [escape_markdown("-" if cell is None else str(cell)) for cell in (key, old, new)]
            for key, (old, new) in comparison.settings.items()
        ]
        parts += write_table(("setting", "first", "second"), rows, numbers=False)
    rows = [
        [
            *(escape_markdown(line.name), percent(line.first), percent(line.second)),
            *(points(line.difference), points_interval(line.difference)),
            *(str(len(line.won)), str(len(line.lost)), "" if line.p is None else f"{line.p:.2g}"),
        ]
        for line in comparison.lines
    ]
    heads = ("rate", "first", "second", "points", "95% interval", "won", "lost", "p (sign test)")
    parts += write_table(heads, rows) if rows else ["No rate was measured in both.", ""]
    for line in comparison.lines[:1]:
        for word, names in (("won", line.won), ("lost", line.lost)):
            shown = escape_markdown(f"{line.name} {word} by the second: {list_names(names) or 'none'}")
            parts.append(f"- {shown}")
    return "\n".join(parts) + "\n"
