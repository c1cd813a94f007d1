"""The page of a run: one file without scripts from elsewhere, and the details of its problems."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.report.data.curves import calibrate
from sstar_code.agent.report.data.run import open_run
from sstar_code.agent.report.data.scores import count_scores
from sstar_code.agent.report.explain import LEGEND
from sstar_code.agent.report.reason import TERMS, explain_choice, show_output
from sstar_code.agent.report.render import abstention, figures, tables
from sstar_code.agent.run.files import write_text
from sstar_code.agent.run.outcomes import add_up, read_record
from sstar_code.agent.run.summary import LABELS
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.judging.question import show_input
from sstar_code.selection.protocols import Candidate, Selection

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, Request
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores
    from sstar_code.problems import Problem

_GZIP = 31
"""`wbits` for a gzip header, which is what browsers unpack."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Characters kept of each kind of text; 0 leaves the kind out."""

    statement: int = 20_000
    code: int = 20_000
    output: int = 2_000
    """An input or an output."""
    answer: int = 4_000
    """A model's answer to a question of selection."""
    feedback: int = 2_000
    """The feedback that a debugging round was given."""


LEVELS = (
    Caps(),
    Caps(12_000, 12_000, 800, 1_200, 800),
    Caps(8_000, 8_000, 400, 600, 0),
    Caps(4_000, 4_000, 200, 0, 0),
    Caps(1_500, 1_500, 100, 0, 0),
)
"""Caps to choose from, for small runs first."""
_PROBED = 24
"""Problems on which the caps are tried, about."""


def cut(text: str, most: int) -> str | list[Any]:
    """`text`, or its beginning and the number of characters left out."""
    return text if len(text) <= most else [text[:most], len(text) - most]


def pack(data: Any) -> str:
    """JSON, gzipped, in base64."""
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    return base64.b64encode(packer.compress(text) + packer.flush()).decode()


def pack_all(run: Run, most_bytes: int) -> tuple[dict[str, str], Caps]:
    """The packed details of every problem of `run`, cut so that all of them fit into about `most_bytes`.

    Which caps fit is found out on some of the problems, spread over the run.
    """
    ids = run.problem_ids
    probed = ids[:: max(1, len(ids) // _PROBED)]
    for caps in LEVELS:
        size = sum(len(pack(read_details(run, one, caps))) for one in probed)
        if size * len(ids) <= most_bytes * len(probed):
            break
    return {problem_id: pack(read_details(run, problem_id, caps)) for problem_id in ids}, caps


def read_details(run: Run, problem_id: str, caps: Caps) -> dict[str, Any]:
    """One problem: statement, candidates by sample and round, selections with evidence, answers."""
    codes: dict[str, int] = {}
    calls = run.store.calls(problem_id)
    outcome = run.outcomes.get(problem_id)
    details: dict[str, Any] = {
        "id": problem_id,
        "error": run.count.errors.get(problem_id),
        "samples": _samples(run, problem_id, codes),
        "failed": {one.sample: one.failed for one in outcome.samples if one.failed} if outcome else {},
        "methods": _methods(run, problem_id, caps) if outcome else [],
        "feedback": _feedback(calls, caps.feedback),
        "answers": _answers(calls, caps.answer),
        "stages": [
            [name, count.calls, count.prompt, count.output, count.seconds, count.executions, count.cpu_s]
            for name, count in run.stages.get(problem_id, {}).items()
        ],
    }
    problem = run.problems.get(problem_id)
    if problem is not None:
        details["statement"] = cut(problem.statement, caps.statement)
        details["starter"] = cut(problem.starter_code, caps.code)
        tests = [test for test in problem.public_tests if test.program is None][:8]
        details["public"] = [
            [
                cut(show_input(problem, t.input), caps.output),
                cut(show_output(problem, t.output or ""), caps.output),
            ]
            for t in tests
        ]
        details["hidden"] = len(problem.hidden_tests)
    else:  # the first prompt holds the statement
        first = [request for request, _ in calls if request.purpose.stage == "generate"][:1]
        details["prompt"] = cut("".join(request.messages[-1].content for request in first), caps.statement)
    details["codes"] = [cut(code, caps.code) for code in codes]
    return details


def _samples(run: Run, problem_id: str, codes: dict[str, int]) -> list[list[list[Any]]]:
    """For each sample its rounds: [round, place of the code, public passed, of, best, hidden verdict]."""
    samples: dict[int, list[list[Any]]] = {}
    for row in run.rounds.get(problem_id, ()):
        place = None if row.code is None else codes.setdefault(row.code, len(codes))
        shown = [row.round, place, row.public_passed, row.public_total, int(row.is_best), row.hidden]
        samples.setdefault(row.sample, []).append(shown)
    return list(samples.values())


def _methods(run: Run, problem_id: str, caps: Caps) -> list[dict[str, Any]]:
    with run.store.blaming():
        return _read_methods(run, problem_id, caps)


def _read_methods(run: Run, problem_id: str, caps: Caps) -> list[dict[str, Any]]:
    methods = []
    problem = run.problems.get(problem_id)
    inputs, candidates = _Inputs(problem, caps.output), _list_candidates(run, problem_id)
    outcome = run.outcomes[problem_id]
    for text in run.store.selections(problem_id).values():
        row: dict[str, Any] = json.loads(text)
        row["right"] = None
        if outcome.graded:
            row["right"] = outcome.is_right(row["chosen"])
        row["why"] = explain_choice(
            problem_id, read_record(Selection, row), problem=problem, candidates=candidates
        )
        if row["confidence"] is None:
            row["evidence"] = []  # as in `explain_selection`: compared with nothing it says nothing
        else:
            row["confidence"] = round(row["confidence"], 4)
        for item in row.get("distinguishing", ()):
            inputs.show(item)
            item["outputs"] = {place: inputs.show_output(text) for place, text in item["outputs"].items()}
        for item in row.get("asked", ()):
            item["input"] = cut(item["input"], caps.output)
            item["options"] = [cut(text, caps.output) for text in item["options"]]
            item["expected"] = cut(item["expected"], caps.output) if item.get("expected") else None
        for item in row.get("derived", ()):
            inputs.show(item)
            item["output"] = inputs.show_output(item["output"])
        methods.append({key: value for key, value in row.items() if value not in ([], None)})
    return sorted(methods, key=lambda row: row["method"] != run.select)


def _list_candidates(run: Run, problem_id: str) -> list[Candidate]:
    """What there was to choose among: the round that stands for each sample; none where one is not known."""
    rows = {row.sample: row for row in run.rounds.get(problem_id, ()) if row.is_best}
    if sorted(rows) != list(range(len(rows))):
        return []
    return [
        Candidate(rows[number].code or "", rows[number].public_passed, rows[number].public_total)
        for number in sorted(rows)
    ]


class _Inputs:
    """Writes inputs and outputs of one problem as a person would, and marks inputs that it does not allow."""

    def __init__(self, problem: Problem | None, most: int) -> None:
        self._problem, self._most = problem, most

    @cached_property
    def _contract(self) -> Contract | None:
        """Only where there is an input to look at: to infer a contract takes up to half a second."""
        return None if self._problem is None else Contract.of(self._problem)

    def show(self, item: dict[str, Any]) -> None:
        """Put the input of `item` as it is shown, and `outside` where the contract does not admit it."""
        text = item["input"]
        if self._problem is None:
            item["input"] = cut(text, self._most)
            return
        if self._contract is not None and not self._contract.admits(text):
            item["outside"] = 1
        item["input"] = cut(show_input(self._problem, text), self._most)

    def show_output(self, text: str) -> str | list[Any]:
        """An output as it is shown."""
        return cut(text if self._problem is None else show_output(self._problem, text), self._most)


def _feedback(calls: Sequence[tuple[Request, Answer]], most: int) -> dict[str, Any]:
    """The feedback that each debugging round was given, by `sample.round`."""
    return {
        f"{request.purpose.sample}.{request.purpose.round}": cut(
            _between(request.messages[-1].content, "# What happened", "# Answer"), most
        )
        for request, _ in calls
        if most and request.purpose.stage == "debug"
    }


def _between(text: str, start: str, end: str) -> str:
    """The part of a prompt that is about this program; all of it where the prompt is another one."""
    _, found, rest = text.rpartition(start + "\n")
    return (rest.rpartition("\n" + end)[0] or rest).strip() if found else text


def _answers(calls: Sequence[tuple[Request, Answer]], most: int) -> list[Any]:
    """Stage, question, answer and tokens of everything that selection asked."""
    return [
        [
            request.purpose.stage,
            request.purpose.ordinal,
            cut(answer.text, most),
            (answer.usage.prompt or 0) + (answer.usage.output or 0),
        ]
        for request, answer in calls
        if most and request.purpose.stage not in ("generate", "debug")
    ]


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
        {"kind": kind, "drawing": Markup(figures.draw_group(members, f"Rates by {kind}"))}  # noqa: S704 - likewise
        for kind, members in scores.groups.items()
    ]
    page = environment.from_string(_asset("page.html.j2")).render(
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=write_policy(style, script),
        run=run,
        title=tables.name_run(run),
        settings=tables.list_settings(run),
        rates=scores.rates,
        public=scores.public,
        labels=LABELS,
        legend=LEGEND,
        term_names={name: shown for name, (shown, _) in TERMS.items()},
        differences=tables.difference_table(scores),
        method_costs=tables.method_cost_table(run),
        added=add_up(run.added.values()) if run.added else None,
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
        abstention=(abstention.HEADS, abstention.abstention_rows(run)),
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


def page_policy(*more: str) -> str:
    """The policy of the pages of `build_page`, with the directives `more` that only a header can have."""
    return write_policy(_asset("page.css"), _asset("page.js"), *more)


def write_policy(style: str, script: str, *more: str) -> str:
    """The content security policy of a page that runs this one style and script; `more` are directives."""
    own = f"script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:"
    return "; ".join(("default-src 'none'", own, "base-uri 'none'", "form-action 'none'", *more))


def _digest(text: str) -> str:
    """The digest as a content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
