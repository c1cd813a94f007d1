"""Which charts the report has, and what is drawn in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.agent.report.data.curves import majority_at, tokens_per_sample
from sstar_code.agent.report.render import charts, plots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstar_code.agent.report.data.curves import Calibration
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores
    from sstar_code.agent.run.statistics import Rate
    from sstar_code.agent.run.usage import StageCount

__all__ = [
    "draw_confidence",
    "draw_samples",
    "draw_second_bars",
    "draw_token_bars",
    "draw_tokens",
    "draw_verdicts",
    "interval_rows",
    "label",
    "ordered_stages",
    "sample_curves",
    "token_key",
    "verdict_key",
]

STAGES = ("generate", "debug", "inputs", "judge", "select", "grade")
_LABELS = {
    "pass@1": "one sample (pass@1)",
    "debugged@1": "one sample, debugged",
    "random": "random of the best",
    "first": "first of the best",
    "majority": "majority (largest group)",
    "oracle": "oracle (best possible)",
}
_VERDICTS = {"AC": "good", "WA": "bad", "RE": "s1", "TLE": "s2", "CE": "s4"}
_TOKENS = {"prompt": "s4", "cached prompt": "s2", "thinking": "s1", "output": "chosen"}


def label(name: str) -> str:
    """What a rate is called on the page."""
    return _LABELS.get(name, name)


def interval_rows(run: Run, scores: Scores) -> list[tuple[str, Rate, str]]:
    """Name, rate and class of its colour: the chosen method, the ceiling, the rest."""
    kinds = {run.select: "chosen", "oracle": "s3", "pass@1": "s1"}
    return [(label(name), rate, kinds.get(name, "s4")) for name, rate in scores.rates.items()]


def sample_curves(run: Run, scores: Scores) -> list[tuple[str, str, Mapping[int, Rate]]]:
    """Name, class and rates by number of samples."""
    curves = [
        ("oracle of k, debugged", "s3", scores.oracle_at),
        ("pass@k, no debugging", "s1", scores.pass_at),
        ("majority of k", "s2", majority_at(run, list(scores.pass_at), scores.asked)),
    ]
    return [curve for curve in curves if curve[2]]


def draw_samples(run: Run, scores: Scores) -> str:
    """Rates by number of samples, and the choice at all of them; empty where nothing was graded."""
    curves = [
        plots.Curve(name, kind, list(rates.items())) for name, kind, rates in sample_curves(run, scores)
    ]
    if not curves:
        return ""
    chosen = scores.rates.get(run.select)
    if chosen is not None:
        curves.append(plots.Curve(f"{run.select} (selected@1)", "chosen", [(max(scores.pass_at), chosen)]))
    return plots.draw_curves(curves, "Accuracy against samples", "samples a problem")


def draw_tokens(run: Run, scores: Scores) -> str:
    """Rates by tokens a problem; empty where nothing was graded or no tokens were counted."""
    tokens = tokens_per_sample(run)
    if not tokens["generate"] or not scores.pass_at:
        return ""
    curves = []
    for name, kind, rates in sample_curves(run, scores):
        each = tokens["generate"] + (0 if kind == "s1" else tokens["debug"])
        curves.append(plots.Curve(name, kind, [(k * each, rate) for k, rate in rates.items()]))
    chosen = scores.rates.get(run.select)
    if chosen is not None:
        place = max(scores.pass_at) * (tokens["generate"] + tokens["debug"]) + tokens["select"]
        curves.append(plots.Curve(f"{run.select} (selected@1)", "chosen", [(place, chosen)]))
    return plots.draw_curves(curves, "Accuracy against tokens", "tokens a problem, prompt and output")


def draw_confidence(calibration: Calibration) -> str:
    """The reliability of the choice; empty where there is none."""
    if not calibration.bins:
        return ""
    return plots.draw_calibration(calibration, "Confidence against rate")


def draw_verdicts(scores: Scores) -> str:
    """Samples by verdict, before and after debugging."""
    kinds = {name: _VERDICTS.get(name, "lost") for name in verdict_names(scores)}
    rows = {
        title: {name: float(counts.get(name, 0)) for name in kinds}
        for title, counts in (
            ("first answer", scores.first_verdicts),
            ("after debugging", scores.final_verdicts),
        )
    }
    return charts.draw_bars(rows, kinds, "Samples by verdict", "")


def verdict_names(scores: Scores) -> list[str]:
    """The verdicts that occur, AC first."""
    order = [*_VERDICTS, "MLE", "OLE", "IE"]
    return [name for name in order if name in scores.first_verdicts or name in scores.final_verdicts]


def verdict_key(scores: Scores) -> list[dict[str, str]]:
    """Class and words of each verdict."""
    words = {
        "AC": "AC, right",
        "WA": "WA, wrong output",
        "RE": "RE, failed to run",
        "TLE": "TLE, too slow",
        "CE": "CE, no program",
        "MLE": "MLE, too much memory",
        "OLE": "OLE, too much output",
        "IE": "IE, sandbox failed",
    }
    return [{"kind": _VERDICTS.get(name, "lost"), "name": words[name]} for name in verdict_names(scores)]


def draw_token_bars(run: Run) -> str:
    """Tokens by stage."""
    rows: dict[str, dict[str, float]] = {}
    for name, count in ordered_stages(run).items():
        if not count.calls:
            continue
        cached, thinking = count.cached or 0, count.reasoning or 0
        values = (count.prompt - cached, cached, thinking, count.output - thinking)
        rows[name] = {part: float(value) for part, value in zip(_TOKENS, values, strict=True)}
    return charts.draw_bars(rows, _TOKENS, "Tokens by stage", "")


def token_key(run: Run) -> list[dict[str, str]]:
    """Class and words of each kind of token that the server told."""
    counts = run.total.values()
    told = {
        "prompt": True,
        "cached prompt": any(count.cached for count in counts),
        "thinking": any(count.reasoning for count in counts),
        "output": True,
    }
    return [{"kind": kind, "name": f"{part} tokens"} for part, kind in _TOKENS.items() if told[part]]


def draw_second_bars(run: Run) -> str:
    """Seconds of the model and of programs by stage."""
    kinds = {"model": "chosen", "programs": "s1"}
    rows = {
        name: {"model": count.seconds, "programs": count.cpu_s} for name, count in ordered_stages(run).items()
    }
    return charts.draw_bars(rows, kinds, "Seconds by stage", " s")


def ordered_stages(run: Run) -> dict[str, StageCount]:
    """In the order of the method."""
    total = run.total
    names = [name for name in STAGES if name in total] + [name for name in total if name not in STAGES]
    return {name: total[name] for name in names}
