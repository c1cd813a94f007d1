"""The evidence behind one choice, as tables that a person can follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from sstar_code.agent.report.reason import TERMS, count_nouns, explain_choice, show_output
from sstar_code.problems.plain_text import escape_line, escape_text
from sstar_code.selection.judging.question import LETTERS, clip, show_input

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sstar_code.problems import Problem
    from sstar_code.selection import Candidate, Selection
    from sstar_code.selection.protocols import Asked, Evidence

LEGEND = {
    **dict(TERMS.values()),
    "before": "probability of the cluster before the model was asked about outputs",
    "after": "probability at the end; that of the chosen cluster is the confidence",
}
"""The words of the tables of evidence. Each kind adds to the log-odds of its cluster; 0 says nothing."""
_ANSWERS = "  answer: the option that is right; neither; or invalid, where the statement rules the input out"
_MAX_CELL_CHARS = 300
_MAX_MEMBERS = 12
_NUMBER_CHARS = len("-0.35")
_MAX_INPUTS = 12
_MANY_KINDS = 5
"""Kinds of evidence from which on their columns stand closer."""


def explain_selection(problem: Problem, candidates: Sequence[Candidate], selection: Selection) -> Group:
    """Clusters with their evidence, the inputs that split them, questions and the choice, for rich."""
    parts: list[RenderableType] = [
        _line(f"{problem.id}: {count_nouns(len(candidates), 'candidate')}, method {selection.method}"),
        _line("Clusters: what did the same on every input (* has the chosen one)"),
        _clusters(selection),
        *([Text(_write_legend(selection))] if _weighed(selection) else ()),
    ]
    if selection.distinguishing:
        parts.append(_inputs(problem, selection))
    if selection.asked:
        parts += [_questions(selection), _line(_ANSWERS)]
    parts += [_line(f"note: {note}") for note in selection.notes]
    parts.append(_line(explain_choice(problem.id, selection, problem=problem, candidates=candidates)))
    return Group(*parts)


def _write_legend(selection: Selection) -> str:
    """What the columns of the clusters mean; each number adds to a cluster's log-odds."""
    shown = [_show_term(name) for name in _list_terms(selection)]
    return "\n".join(f"  {name}: {LEGEND[name]}" for name in (*shown, "before", "after") if name in LEGEND)


def _weighed(selection: Selection) -> Sequence[Evidence]:
    """The evidence by cluster; none where one program was compared with no other, as it then says nothing."""
    return () if selection.confidence is None else selection.evidence


def _list_terms(selection: Selection) -> list[str]:
    return list(dict.fromkeys(name for item in _weighed(selection) for name in item.terms))


def _show_term(name: str) -> str:
    return TERMS[name][0] if name in TERMS else name


def derived_tests(selection: Selection) -> list[dict[str, Any]]:
    """Rows for a file of tests: inputs whose right output was found out, with how sure that is and why."""
    return [asdict(test) for test in selection.derived]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", border_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _cell(text: str) -> Text:
    return Text(escape_text(clip(text.rstrip("\n"), _MAX_CELL_CHARS)))  # a program's output is no markup


def _line(text: str) -> Text:
    """A line that is not broken: the rest of one that is could look like a command of a runner of CI."""
    return Text(escape_line(text), no_wrap=True, overflow="ignore")


def _clusters(selection: Selection) -> Table:
    """One row a cluster, the likeliest first."""
    weighed, names = _weighed(selection), _list_terms(selection)
    gap = 2 if len(names) < _MANY_KINDS else 1  # all kinds of evidence just fit into 80 columns
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, gap, 0, 0))
    table.add_column("cluster")
    table.add_column("samples", overflow="fold")
    for head in (*map(_show_term, names), *(("before", "after") if weighed else ())):
        # whole words and numbers; the samples take what is left
        width = max(_NUMBER_CHARS, *map(len, head.split()))
        table.add_column(head, justify="right", width=width)
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
            row += [
                f"{round(item.terms[name], 2) + 0.0:+.2f}" if name in item.terms else "" for name in names
            ]
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
            table.add_row(_cell(shown), ", ".join(numbers), _cell(show_output(problem, output)))
        table.add_section()
    return table


def _questions(selection: Selection) -> Table:
    table = _table("Questions to the judge", "input", "option", "clusters", "shown", "answer")
    for question in selection.asked:
        shown = zip(LETTERS, question.options, question.clusters, strict=False)
        for place, (letter, output, clusters) in enumerate(shown):
            table.add_row(
                _cell("" if place else question.input),
                *(letter, ", ".join(map(str, clusters)), _cell(output)),
                _cell("" if place else _write_answer(question)),
            )
        table.add_section()
    return table


def _write_answer(question: Asked) -> str:
    """What was answered, and how sure the model was or what it had worked out."""
    if question.expected is not None:
        return f"{question.answer} (worked out unseen: {question.expected})"
    return question.answer + ("" if question.probability is None else f" ({question.probability:.2f})")
