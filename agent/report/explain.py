"""The evidence behind one choice, as tables that a person can follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from sstar_code.selection.judging.question import LETTERS, clip, show_input

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sstar_code.problems import Problem
    from sstar_code.selection import Candidate, Selection

_MAX_CELL_CHARS = 300
_MAX_MEMBERS = 12
_MAX_INPUTS = 12


def explain_selection(
    problem: Problem, candidates: Sequence[Candidate], selection: Selection
) -> RenderableType:
    """Clusters with their evidence, the inputs that split them, questions and the choice, for rich."""
    parts: list[RenderableType] = [
        Text(f"{problem.id}: {_count(len(candidates), 'candidate')}, method {selection.method}"),
        _clusters(selection),
    ]
    if selection.distinguishing:
        parts.append(_inputs(problem, selection))
    if selection.asked:
        parts.append(_questions(selection))
    parts += [Text(f"note: {note}") for note in selection.notes]
    parts.append(Text(_explain_choice(problem, selection)))
    return Group(*parts)


def derived_tests(selection: Selection) -> list[dict[str, Any]]:
    """Rows for a file of tests: inputs whose right output was found out, with how sure that is and why."""
    return [asdict(test) for test in selection.derived]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", show_lines=True)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _cell(text: str) -> Text:
    return Text(clip(text.rstrip("\n"), _MAX_CELL_CHARS))  # a program's output is no markup


def _clusters(selection: Selection) -> Table:
    """One row a cluster, the likeliest first."""
    weighed = selection.evidence
    names = list(dict.fromkeys(name for item in weighed for name in item.terms))
    table = _table(
        "Clusters: what did the same on every input (* has the chosen one)",
        *("cluster", "samples", *names, *(("before", "after") if weighed else ())),
    )
    order = list(range(len(selection.clusters)))
    if weighed:
        order.sort(key=lambda number: -weighed[number].posterior)
    for number in order:
        members = selection.clusters[number]
        shown = ", ".join(map(str, members[:_MAX_MEMBERS]))
        more = f" and {len(members) - _MAX_MEMBERS} more" if len(members) > _MAX_MEMBERS else ""
        mark = " *" if selection.chosen in members else ""
        row = [f"{number}{mark}", f"{len(members)}: {shown}{more}"]
        if weighed:
            item = weighed[number]
            row += [f"{item.terms[name]:+.2f}" if name in item.terms else "" for name in names]
            row += [f"{item.prior:.3f}", f"{item.posterior:.3f}"]
        table.add_row(*row)
    return table


def _inputs(problem: Problem, selection: Selection) -> Table:
    """The inputs that tell the clusters apart: one row for each thing that was done on one."""
    table = _table("Inputs that split them", "input", "clusters", "did")
    for item in selection.distinguishing[:_MAX_INPUTS]:
        groups: dict[str, list[str]] = {}
        for number, output in item.outputs.items():
            groups.setdefault(output, []).append(number)
        for place, (output, numbers) in enumerate(groups.items()):
            shown = show_input(problem, item.input) if place == 0 else ""
            table.add_row(_cell(shown), ", ".join(numbers), _cell(output))
    return table


def _questions(selection: Selection) -> Table:
    table = _table("Questions to the judge", "input", "option", "clusters", "shown", "answer")
    for question in selection.asked:
        shown = zip(LETTERS, question.options, question.clusters, strict=False)
        for place, (letter, output, clusters) in enumerate(shown):
            table.add_row(
                _cell("" if place else question.input),
                *(letter, ", ".join(map(str, clusters)), _cell(output), "" if place else question.answer),
            )
    return table


def _explain_choice(problem: Problem, selection: Selection) -> str:
    """The choice in a sentence or two."""
    chosen = selection.chosen
    if chosen is None:
        return f"{problem.id}: there is nothing to choose from."
    cost = f"{_count(selection.calls, 'call')}, {_count(selection.executions, 'run')}"
    why = f"Chosen: sample {chosen}, confidence {selection.confidence:.2f} ({cost})."
    cluster = next((n for n, members in enumerate(selection.clusters) if chosen in members), None)
    if cluster is None:
        return why
    if len(selection.clusters) == 1:
        return f"{why} No input told the candidates apart."
    named = sum(
        question.answer in tuple(LETTERS) and cluster in question.clusters[LETTERS.index(question.answer)]
        for question in selection.asked
    )
    if named:
        return f"{why} The judge named the output of its cluster {_count(named, 'time')}."
    if selection.evidence:
        terms = selection.evidence[cluster].terms
        best = max(terms, key=lambda name: terms[name] - _mean(selection, name))
        return f"{why} What speaks for its cluster {cluster} most is {best}."
    return f"{why} It is of cluster {cluster}, {_count(len(selection.clusters[cluster]), 'sample')}."


def _mean(selection: Selection, name: str) -> float:
    values = [item.terms.get(name, 0.0) for item in selection.evidence]
    return sum(values) / len(values)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
