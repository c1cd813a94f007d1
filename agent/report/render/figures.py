"""The figures of a run: its curves and bars, drawn for the page or, with matplotlib, for a paper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.report.data.curves import calibrate, majority_at, tokens_per_sample, trace_flow
from sstar_code.agent.report.render.charts import (
    Curve,
    draw_bars,
    draw_calibration,
    draw_curves,
    draw_flow,
    draw_intervals,
)
from sstar_code.agent.report.render.tables import ordered_stages
from sstar_code.agent.run.summary import LABELS
from sstar_code.problems import InfrastructureError, UserError

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores
    from sstar_code.agent.run.summary import Rate

_VERDICTS = {
    "AC": ("good", "right"),
    "WA": ("bad", "wrong output"),
    "RE": ("s1", "failed to run"),
    "TLE": ("s2", "too slow"),
    "CE": ("s4", "no program"),
    "MLE": ("lost", "too much memory"),
    "OLE": ("lost", "too much output"),
    "IE": ("lost", "sandbox failed"),
}
"""Verdict -> class of its colour and words."""
_TOKENS = {"prompt": "s4", "cached prompt": "s2", "thinking": "s1", "output": "chosen"}
_COLOURS = {"chosen": "#0b62c4", "s1": "#b45a00", "s2": "#7b3fb5", "s3": "#1a7f45", "s4": "#5d6770"}


def draw_all(run: Run, scores: Scores) -> dict[str, str]:
    """The figures of the page by their names in the template; empty where there is nothing to draw."""
    calibration, tokens = calibrate(run, run.select), tokens_per_sample(run)
    return {
        "flow": draw_flow(*trace_flow(run), "Problems from sampling to choice"),
        "methods_chart": draw_intervals(_list_intervals(run, scores), "Rates of all methods"),
        "samples_chart": _draw_accuracy(run, scores, ("Accuracy against samples", "samples a problem")),
        "tokens_chart": _draw_accuracy(
            run,
            scores,
            ("Accuracy against tokens", "tokens a problem, prompt and output"),
            first=tokens["generate"],
            whole=tokens["generate"] + tokens["debug"],
            select=tokens["select"],
        ),
        "calibration_chart": draw_calibration(calibration, "Confidence against rate")
        if calibration.bins
        else "",
        "verdicts_chart": _draw_verdicts(scores),
        "tokens_bars": _draw_token_bars(run),
        "seconds_bars": draw_bars(
            {
                name: {"model": count.seconds, "programs": count.cpu_s}
                for name, count in ordered_stages(run).items()
            },
            {"model": "chosen", "programs": "s1"},
            "Seconds by stage",
            " s",
        ),
    }


def _list_intervals(run: Run, scores: Scores) -> list[tuple[str, Rate, str]]:
    """Name, rate and class of its colour: the chosen method, the ceiling, the rest."""
    kinds = {run.select: "chosen", "oracle": "s3", "pass@1": "s1"}
    return [(LABELS.get(name, name), rate, kinds.get(name, "s4")) for name, rate in scores.rates.items()]


def _list_curves(run: Run, scores: Scores) -> list[tuple[str, str, Mapping[int, Rate]]]:
    """Name, class and rates by number of samples."""
    curves = [
        ("oracle of k, debugged", "s3", scores.oracle_at),
        ("pass@k, no debugging", "s1", scores.pass_at),
        ("majority of k", "s2", majority_at(run, list(scores.pass_at), len(run.count.scores))),
    ]
    return [curve for curve in curves if curve[2]]


def _draw_accuracy(
    run: Run, scores: Scores, words: tuple[str, str], *, first: float = 1, whole: float = 1, select: float = 0
) -> str:
    """Rates against what they cost; empty where nothing was graded or the cost is not known.

    `words` are the title and the axis; `first` is the cost of a first answer, `whole` that of a sample with
    its debugging, and `select` that of the choice.
    """
    if not scores.pass_at or not first:
        return ""
    curves = []
    for name, kind, rates in _list_curves(run, scores):
        each = first if rates is scores.pass_at else whole
        curves.append(Curve(name, kind, [(k * each, rate) for k, rate in rates.items()]))
    curves += _mark_choice(run, scores, max(scores.pass_at) * whole + select)
    return draw_curves(curves, *words)


def _mark_choice(run: Run, scores: Scores, place: float) -> list[Curve]:
    chosen = scores.rates.get(run.select)
    return [Curve(f"{run.select} (selected@1)", "chosen", [(place, chosen)])] if chosen else []


def _draw_verdicts(scores: Scores) -> str:
    """Samples by verdict, before and after debugging."""
    kinds = {name: _VERDICTS[name][0] for name in _list_verdicts(scores)}
    counted = {"first answer": scores.first_verdicts, "after debugging": scores.final_verdicts}
    rows = {title: {name: float(counts.get(name, 0)) for name in kinds} for title, counts in counted.items()}
    return draw_bars(rows, kinds, "Samples by verdict")


def _list_verdicts(scores: Scores) -> list[str]:
    """The verdicts that occur, AC first."""
    return [name for name in _VERDICTS if name in scores.first_verdicts or name in scores.final_verdicts]


def verdict_key(scores: Scores) -> list[dict[str, str]]:
    """Class and words of each verdict."""
    shown = ((name, *_VERDICTS[name]) for name in _list_verdicts(scores))
    return [{"kind": kind, "name": f"{name}, {words}"} for name, kind, words in shown]


def _draw_token_bars(run: Run) -> str:
    """Tokens by stage."""
    rows: dict[str, dict[str, float]] = {}
    for name, count in ordered_stages(run).items():
        if count.calls:
            cached, thinking = count.cached or 0, count.reasoning or 0
            values = (count.prompt - cached, cached, thinking, count.output - thinking)
            rows[name] = {part: float(value) for part, value in zip(_TOKENS, values, strict=True)}
    return draw_bars(rows, _TOKENS, "Tokens by stage")


def token_key(run: Run) -> list[dict[str, str]]:
    """Class and words of each kind of token that the server told."""
    counts = run.total.values()
    hidden = {
        "cached prompt": not any(count.cached for count in counts),
        "thinking": not any(count.reasoning for count in counts),
    }
    return [
        {"kind": kind, "name": f"{part} tokens"} for part, kind in _TOKENS.items() if not hidden.get(part)
    ]


def draw_figure(run: Run, scores: Scores, path: Path) -> None:
    """Write one figure for a paper to `path`: every method with its interval, and accuracy against samples.

    The name's end says in which format (`.png`, `.svg` or `.pdf`).

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
        rows = _list_intervals(run, scores)[::-1]
        for place, (_, rate, kind) in enumerate(rows):
            low, high, colour = 100 * rate.low, 100 * rate.high, _COLOURS[kind]
            left.plot([low, high], [place, place], color=colour, alpha=0.6, lw=2)
            left.plot([100 * rate.value], [place], "o", color=colour, ms=4)
        left.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        left.set_xlim(0, 100)
        left.set_xlabel(f"right, % of {len(run.count.scores)} problems (95% intervals)")
        for name, kind, rates in _list_curves(run, scores):
            values = [100 * rate.value for rate in rates.values()]
            right.plot(list(rates), values, "o-", color=_COLOURS[kind], ms=3, lw=1.2, label=name)
        for curve in _mark_choice(run, scores, max(scores.pass_at)):
            ((most, chosen),) = curve.points
            value = [100 * chosen.value]
            right.plot([most], value, "D", color=_COLOURS[curve.kind], ms=5, label=curve.name)
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
