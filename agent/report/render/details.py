"""The data of one problem that the page shows when it is opened; long texts are cut and marked as cut."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, Request
    from sstar_code.agent.report.data.run import Run

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
        details["public"] = [[cut(t.input, caps.output), cut(t.output or "", caps.output)] for t in tests]
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
    methods = []
    for text in run.store.selections(problem_id).values():
        row: dict[str, Any] = json.loads(text)
        row["right"] = run.outcomes[problem_id].is_right(row["chosen"])
        row["confidence"] = round(row["confidence"], 4)
        for item in row.get("distinguishing", ()):
            item["input"] = cut(item["input"], caps.output)
            item["outputs"] = {place: cut(text, caps.output) for place, text in item["outputs"].items()}
        for item in row.get("asked", ()):
            item["input"] = cut(item["input"], caps.output)
            item["options"] = [cut(text, caps.output) for text in item["options"]]
        for item in row.get("derived", ()):
            item["input"], item["output"] = cut(item["input"], caps.output), cut(item["output"], caps.output)
        methods.append({key: value for key, value in row.items() if value not in ([], None)})
    return sorted(methods, key=lambda row: row["method"] != run.select)


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
