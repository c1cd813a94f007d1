"""One figure for a paper: every method with its interval, and accuracy against samples; as SVG or PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.agent.report.render import page_charts
from sstar_code.problems import InfrastructureError, UserError

if TYPE_CHECKING:
    from pathlib import Path

    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores

__all__ = ["draw_figure"]

_COLOURS = {"chosen": "#0b62c4", "s1": "#b45a00", "s2": "#7b3fb5", "s3": "#1a7f45", "s4": "#5d6770"}


def draw_figure(run: Run, scores: Scores, path: Path) -> None:
    """Write the figure to `path`; the name's end says in which format (`.png`, `.svg` or `.pdf`).

    Raises:
        UserError: another ending, nothing graded, or matplotlib (extra `plot`) is not installed.
        InfrastructureError: `path` cannot be written.
    """
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise UserError(f"--plot {path}: the name has to end in .png, .svg or .pdf")
    if not scores.pass_at:
        raise UserError(f"{run.folder}: nothing is graded yet, so there is nothing to plot")
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("--plot needs matplotlib: pip install 'matplotlib>=3.10'") from error
    with rc_context({"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "sstar", "pdf.fonttype": 42}):
        figure = Figure(figsize=(7.0, 2.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        rows = page_charts.interval_rows(run, scores)
        for place, (_, rate, kind) in enumerate(reversed(rows)):
            left.plot(
                [100 * rate.low, 100 * rate.high], [place, place], color=_COLOURS[kind], alpha=0.6, lw=2
            )
            left.plot([100 * rate.value], [place], "o", color=_COLOURS[kind], ms=4)
        left.set_yticks(range(len(rows)), [name for name, _, _ in reversed(rows)])
        left.set_xlim(0, 100)
        left.set_xlabel(f"right, % of {scores.asked} problems (95% intervals)")
        for name, kind, rates in page_charts.sample_curves(run, scores):
            values = [100 * rate.value for rate in rates.values()]
            right.plot(list(rates), values, "o-", color=_COLOURS[kind], ms=3, lw=1.2, label=name)
        chosen, most = scores.rates[run.select], max(scores.pass_at)
        right.plot(
            [most],
            [100 * chosen.value],
            "D",
            color=_COLOURS["chosen"],
            ms=5,
            label=f"{run.select} (selected@1)",
        )
        right.set_xscale("log", base=2)
        right.set_xticks(list(scores.pass_at), [str(k) for k in scores.pass_at])
        right.set_ylim(0, 100)
        right.set_xlabel("samples a problem")
        right.legend(frameon=False, fontsize=7)
        for axes in (left, right):
            axes.grid(visible=True, alpha=0.25, lw=0.5)
            axes.spines[["top", "right"]].set_visible(False)
        try:
            figure.savefig(path, dpi=300, metadata={"Date": None} if path.suffix == ".svg" else None)
        except OSError as error:
            raise InfrastructureError(
                f"{path}: cannot write ({error.strerror}); name another --plot"
            ) from error
