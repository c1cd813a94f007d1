"""`report.html`: one file, no network; what comes from outside is in it as text, never as markup."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.report.data.curves import calibrate
from sstar_code.agent.report.data.run import open_run
from sstar_code.agent.report.data.scores import count_scores
from sstar_code.agent.report.render import figures, tables
from sstar_code.agent.report.render.charts import draw_groups
from sstar_code.agent.report.render.details import pack_all
from sstar_code.agent.run.files import write_text
from sstar_code.agent.run.summary import LABELS
from sstar_code.agent.run.usage import add_up

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores
    from sstar_code.problems import Problem

_DETAIL_BYTES = 15_000_000
"""Size of the packed sections of all problems: with the rest the page stays under 20 MB."""


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
    calibration = calibrate(run, run.select)
    problems = tables.problem_rows(run, scores)
    outcomes = Counter(row.outcome for row in problems)
    environment.filters |= {"percent": tables.percent, "interval": tables.interval}
    drawings = {name: Markup(drawing) for name, drawing in figures.draw_all(run, scores).items()}  # noqa: S704 - our own SVG, every word in it escaped
    groups = [
        {"kind": kind, "drawing": Markup(draw_groups(members, f"Rates by {kind}"))}  # noqa: S704 - likewise
        for kind, members in scores.groups.items()
    ]
    page = environment.from_string(_asset("page.html.j2")).render(
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_hash=_digest(style),
        script_hash=_digest(script),
        run=run,
        rates=scores.rates,
        public=scores.public,
        labels=LABELS,
        graded_alone=tables.describe_graded(run, scores),
        total=add_up(run.total.values()),
        cost=run.summary.get("cost", {}).get("total"),
        answered=run.store.answered_between(),
        list_names=tables.list_names,
        has_lost=not all(run.count.scores.values()),
        version=version("sstar-code"),
        caps=caps,
        methods=tables.method_table(run, scores),
        rounds=tables.round_table(scores),
        stages=tables.stage_table(run),
        calibration=calibration,
        verdict_key=figures.verdict_key(scores),
        token_key=figures.token_key(run),
        groups=groups,
        outcomes=outcomes,
        marks=tables.OUTCOMES,
        problems=problems,
        details=[details[problem_id] for problem_id in run.problem_ids],
        **drawings,
    )
    return page.encode("utf-8", "backslashreplace").decode()  # a text may hold lone surrogates


def _asset(name: str) -> str:
    return (files("sstar_code.agent.report.render") / "assets" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The digest as a content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
