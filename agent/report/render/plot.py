"""Figures for a paper, drawn with matplotlib: of one run, or of several beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.report.render.figures import list_curves, list_intervals
from sstar_code.agent.report.render.many import find_selected, list_rates
from sstar_code.agent.report.render.tables import name_run
from sstar_code.agent.run.summary import LABELS
from sstar_code.problems import InfrastructureError, UserError
from sstar_code.problems.files import open_replacement

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores
    from sstar_code.agent.report.render.many import Pairs

_COLOURS = {"chosen": "#0b62c4", "s1": "#b45a00", "s2": "#7b3fb5", "s3": "#1a7f45", "s4": "#5d6770"}
_RUNS = ("#0b62c4", "#b45a00", "#1a7f45", "#7b3fb5", "#5d6770", "#c0392b", "#00838f", "#8d6e00")
"""Colours of runs, in their order; from the ninth on they come again."""
_ENDINGS = (".png", ".svg", ".pdf")


def check_plot(path: Path) -> None:
    """Whether a figure can be drawn to `path`, before anything is.

    Raises:
        UserError: another ending than `.png`, `.svg` and `.pdf`, or matplotlib (extra `plot`) is not there.
    """
    if path.suffix not in _ENDINGS:
        raise UserError(f"--plot {path}: the name has to end in .png, .svg or .pdf")
    try:
        import matplotlib as mpl  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise UserError("--plot needs matplotlib: pip install 'matplotlib>=3.10'") from error


def draw_plot(pairs: Pairs, path: Path) -> None:
    """Write a figure to `path`: rates with their intervals, and accuracy against samples.

    Raises:
        UserError: as `check_plot`, or nothing is graded.
        InfrastructureError: `path` cannot be written.
    """
    check_plot(path)
    graded = [(run, scores) for run, scores in pairs if scores.rates]
    if not graded:
        raise UserError(f"{pairs[0][0].folder}: nothing is graded yet, so there is nothing to plot")
    names = list_rates(graded)
    height = 2.6 if len(graded) == 1 else max(2.6, 0.6 + 0.16 * len(names) * len(graded))
    with _open_figure(path, height) as (left, right):
        if len(graded) == 1:
            _draw_rows(left, *graded[0])
            _draw_curves(right, *graded[0])
        else:
            _draw_rows_of_all(left, graded, names)
            _draw_curves_of_all(right, graded)
        left.set_xlim(0, 100)
        right.set_ylim(0, 100)
        right.set_ylabel("right, %")
        right.set_xlabel("samples a problem")
        right.set_xscale("log", base=2)
        ticks = sorted({k for _, scores in graded for k in scores.pass_at})
        if ticks:
            right.set_xticks(ticks, [str(k) for k in ticks])
            right.legend(frameon=False, fontsize=6 if len(graded) > 1 else 7)
        for axes in (left, right):
            axes.grid(visible=True, alpha=0.25, lw=0.5)
            axes.spines[["top", "right"]].set_visible(False)


@contextmanager
def _open_figure(path: Path, height: float) -> Iterator[tuple[Any, Any]]:
    """Two panels, written to `path` at the end; `height` in inches."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "sstar", "pdf.fonttype": 42}):
        figure = Figure(figsize=(7.0, height), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        yield left, right
        try:
            with open_replacement(path) as stream:
                kind, dated = path.suffix.removeprefix("."), {"Date": None} if path.suffix == ".svg" else None
                figure.savefig(stream, format=kind, dpi=300, metadata=dated)
        except OSError as error:
            raise InfrastructureError(
                f"{path}: cannot write ({error.strerror}); name another --plot"
            ) from error


def _draw_rows(axes: Any, run: Run, scores: Scores) -> None:
    """Every rate of one run."""
    rows = list_intervals(run, scores)[::-1]
    for place, (_, rate, kind) in enumerate(rows):
        axes.plot([100 * rate.low, 100 * rate.high], [place, place], color=_COLOURS[kind], alpha=0.6, lw=2)
        axes.plot([100 * rate.value], [place], "o", color=_COLOURS[kind], ms=4)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_xlabel(f"right, % of {len(run.count.scores)} problems (95% intervals)")


def _draw_curves(axes: Any, run: Run, scores: Scores) -> None:
    """The curves of one run, and every method that chose at the number of its samples."""
    for name, kind, rates in list_curves(run, scores):
        values = [100 * rate.value for rate in rates.values()]
        axes.plot(list(rates), values, "o-", color=_COLOURS[kind], ms=3, lw=1.2, label=name)
    most = max(scores.pass_at, default=1)
    known = ("pass@1", "debugged@1", "random", "first", "majority", "oracle")
    others = [name for name in scores.rates if name not in known and name != run.select]
    for place, name in enumerate([run.select, *others]):
        if name not in scores.rates:
            continue
        marker, colour = "Ds^vP*X"[place % 7], _COLOURS["chosen" if place == 0 else "s4"]
        label = f"{name} (selected@1)" if place == 0 else name
        axes.plot([most], [100 * scores.rates[name].value], marker, color=colour, ms=5, label=label)


def _draw_rows_of_all(axes: Any, pairs: Pairs, names: list[str]) -> None:
    """Every rate, with a dot for each run that has it; the dot of what a run chose is a diamond."""
    count = len(pairs)
    for number, (run, scores) in enumerate(pairs):
        colour, label = _RUNS[number % len(_RUNS)], name_run(run)
        for place, name in enumerate(names[::-1]):
            rate = scores.rates.get(name)
            if rate is None or not rate.problems:
                continue
            y = place + 0.7 * ((count - 1) / 2 - number) / count
            axes.plot([100 * rate.low, 100 * rate.high], [y, y], color=colour, alpha=0.5, lw=1.5)
            mark = "D" if name == run.select else "o"
            axes.plot([100 * rate.value], [y], mark, color=colour, ms=3.5, label=label)
            label = "_nolegend_"
    axes.set_yticks(range(len(names)), [LABELS.get(name, name) for name in names[::-1]])
    axes.set_xlabel("right, % of each run's problems (95% intervals)")
    axes.legend(frameon=False, fontsize=6, loc="best")


def _draw_curves_of_all(axes: Any, pairs: Pairs) -> None:
    """pass@k of every run as a line, what was chosen as a diamond."""
    for number, (run, scores) in enumerate(pairs):
        colour, chosen = _RUNS[number % len(_RUNS)], find_selected(run, scores)
        values = [100 * rate.value for rate in scores.pass_at.values()]
        if values:
            label = f"pass@k: {name_run(run)}"
            axes.plot(list(scores.pass_at), values, "o-", color=colour, ms=3, lw=1.2, label=label)
        if chosen is not None:
            axes.plot([max(scores.pass_at, default=1)], [100 * chosen.value], "D", color=colour, ms=5)
