"""The figures of a run for its page: its curves and bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sstar_code.agent.report.data.curves import calibrate, majority_at, tokens_per_sample, trace_flow
from sstar_code.agent.report.render.charts import (
    Curve,
    draw_bars,
    draw_calibration,
    draw_curves,
    draw_flow,
    draw_groups,
    draw_intervals,
)
from sstar_code.agent.report.render.tables import ordered_stages
from sstar_code.agent.run.summary import LABELS

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Group, Scores
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


def draw_all(run: Run, scores: Scores) -> dict[str, str]:
    """The figures of the page by their names in the template; empty where there is nothing to draw."""
    calibration, tokens = calibrate(run, run.select), tokens_per_sample(run)
    intervals = list_intervals(run, scores)
    return {
        "flow": _draw_both(draw_flow, *trace_flow(run), "Problems from sampling to choice")
        if run.count.graded
        else "",
        "methods_chart": _draw_both(draw_intervals, intervals, "Rates of all methods") if intervals else "",
        "samples_chart": _draw_accuracy(run, scores, ("Accuracy against samples", "samples a problem")),
        "tokens_chart": _draw_accuracy(
            run,
            scores,
            ("Accuracy against tokens", "tokens a problem, prompt and output"),
            first=tokens["generate"],
            whole=tokens["generate"] + tokens["debug"],
            select=tokens["select"],
        ),
        "calibration_chart": _draw_both(draw_calibration, calibration, "Confidence against rate")
        if calibration.bins
        else "",
        "verdicts_chart": _draw_verdicts(scores),
        "tokens_bars": _draw_token_bars(run),
        "seconds_bars": _draw_both(
            draw_bars,
            {
                name: {"model": count.seconds, "programs": count.cpu_s}
                for name, count in ordered_stages(run).items()
            },
            {"model": "chosen", "programs": "s1"},
            "Seconds by stage",
            " s",
        ),
    }


def _draw_both(draw: Callable[..., str], *what: Any) -> str:
    """A chart for wide screens and its narrow form; the style sheet shows one of them."""
    return f'<div class="roomy">{draw(*what)}</div><div class="phone">{draw(*what, narrow=True)}</div>'


def draw_group(groups: Sequence[Group], title: str) -> str:
    """Rates of groups of problems, in both forms."""
    return _draw_both(draw_groups, groups, title)


def list_intervals(run: Run, scores: Scores) -> list[tuple[str, Rate, str]]:
    """Name, rate and class of its colour: the chosen method, the ceiling, the rest."""
    kinds = {run.select: "chosen", "oracle": "s3", "pass@1": "s1"}
    return [(LABELS.get(name, name), rate, kinds.get(name, "s4")) for name, rate in scores.rates.items()]


def list_curves(run: Run, scores: Scores) -> list[tuple[str, str, Mapping[int, Rate]]]:
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
    for name, kind, rates in list_curves(run, scores):
        each = first if rates is scores.pass_at else whole
        curves.append(Curve(name, kind, [(k * each, rate) for k, rate in rates.items()]))
    curves += _mark_choice(run, scores, max(scores.pass_at) * whole + select)
    return _draw_both(draw_curves, curves, *words)


def _mark_choice(run: Run, scores: Scores, place: float) -> list[Curve]:
    chosen = scores.rates.get(run.select)
    return [Curve(f"{run.select} (selected@1)", "chosen", [(place, chosen)])] if chosen else []


def _draw_verdicts(scores: Scores) -> str:
    """Samples by verdict, before and after debugging."""
    kinds = {name: _VERDICTS[name][0] for name in _list_verdicts(scores)}
    counted = {"first answer": scores.first_verdicts, "after debugging": scores.final_verdicts}
    rows = {title: {name: float(counts.get(name, 0)) for name in kinds} for title, counts in counted.items()}
    return _draw_both(draw_bars, rows, kinds, "Samples by verdict")


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
    return _draw_both(draw_bars, rows, _TOKENS, "Tokens by stage")


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
