"""`report.html`: one file, no network; what comes from outside is in it as text, never as markup."""

from __future__ import annotations

import base64
import hashlib
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from sstar_code.agent.report.data.curves import calibrate, trace_flow
from sstar_code.agent.report.data.read import open_run
from sstar_code.agent.report.data.scores import count_scores
from sstar_code.agent.report.render import charts, page_charts, rows
from sstar_code.agent.report.render.details import pack_all
from sstar_code.agent.run.folder import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores
    from sstar_code.problems import Problem

__all__ = ["build_page", "write_page"]

_DETAIL_BYTES = 15_000_000
"""Of the packed sections of all problems: with the rest the page stays under 20 MB."""


def write_page(folder: Path, problems: Mapping[str, Problem] | None = None) -> Path:
    """Write `report.html` into the run folder and give its path; `problems` by id, where the caller has them.

    Raises:
        UserError: it is no run folder of `sstar eval`, or it cannot be read.
        InfrastructureError: the page cannot be written; an earlier one stays.
    """
    with open_run(folder, problems) as run:
        page = build_page(run, count_scores(run))
    path = folder / "report.html"
    write_text(path, page)
    return path


def build_page(run: Run, scores: Scores) -> str:
    """The whole page as HTML."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    style, script = _asset("page.css"), _asset("page.js")
    details, caps = pack_all(run, _DETAIL_BYTES)
    problems = rows.problem_rows(run, scores)
    drawings = {name: Markup(drawing) for name, drawing in _draw(run, scores).items()}  # noqa: S704 - our own SVG, every word in it escaped
    groups = [
        {"kind": kind, "drawing": Markup(charts.draw_groups(members, f"Rates by {kind}"))}  # noqa: S704 - likewise
        for kind, members in scores.groups.items()
    ]
    page = environment.from_string(_asset("page.html.j2")).render(
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_hash=_digest(style),
        script_hash=_digest(script),
        about=rows.about(run, scores),
        version=version("sstar-code"),
        caps=caps,
        figures=rows.headline_figures(run, scores),
        warnings=rows.warnings(scores),
        has_lost=scores.asked > scores.graded,
        rounds=rows.round_rows(scores),
        methods=rows.method_rows(run, scores),
        calibration=rows.calibration_words(calibrate(run, run.select)),
        verdict_key=page_charts.verdict_key(scores),
        token_key=page_charts.token_key(run),
        stages=rows.stage_rows(run),
        groups=groups,
        outcomes=rows.count_outcomes(problems),
        columns=rows.columns(scores),
        text_columns=rows.TEXT_COLUMNS,
        problems=problems,
        settings=rows.setting_rows(run),
        details=[details[problem_id] for problem_id in run.problem_ids],
        **drawings,
    )
    return page.encode("utf-8", "backslashreplace").decode()  # a text may hold lone surrogates


def _draw(run: Run, scores: Scores) -> dict[str, str]:
    """By the name that the template has for each; empty where there is nothing to draw."""
    steps, links = trace_flow(run)
    calibration = calibrate(run, run.select)
    return {
        "flow": charts.draw_flow(steps, links, "Problems from sampling to choice"),
        "methods_chart": charts.draw_intervals(
            page_charts.interval_rows(run, scores), "Rates of all methods"
        ),
        "samples_chart": page_charts.draw_samples(run, scores),
        "tokens_chart": page_charts.draw_tokens(run, scores),
        "calibration_chart": page_charts.draw_confidence(calibration),
        "verdicts_chart": page_charts.draw_verdicts(scores),
        "tokens_bars": page_charts.draw_token_bars(run),
        "seconds_bars": page_charts.draw_second_bars(run),
    }


def _asset(name: str) -> str:
    return (files("sstar_code.agent.report.render") / "assets" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """As a content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
