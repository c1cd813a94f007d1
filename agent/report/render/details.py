"""What the page shows of one problem when it is opened: plain data, long texts cut and marked as cut."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.report.data.run import Run

__all__ = ["Caps", "pack", "pack_all", "read_details"]

_GZIP = 31
"""`wbits` for a gzip header, which is what browsers unpack."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Characters kept of each kind of text; 0 leaves the kind out."""

    statement: int = 20_000
    code: int = 20_000
    output: int = 2_000
    """Of an input or an output."""
    answer: int = 4_000
    """Of a model's answer to a question of selection."""
    feedback: int = 2_000
    """Of what a debugging round was told."""


_LEVELS = (
    Caps(),
    Caps(12_000, 12_000, 800, 1_200, 800),
    Caps(8_000, 8_000, 400, 600, 0),
    Caps(4_000, 4_000, 200, 0, 0),
    Caps(1_500, 1_500, 100, 0, 0),
)
_PROBED = 24


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
    for caps in _LEVELS:
        size = sum(len(pack(read_details(run, one, caps))) for one in probed)
        if size * len(ids) <= most_bytes * len(probed):
            break
    return {problem_id: pack(read_details(run, problem_id, caps)) for problem_id in ids}, caps


def read_details(run: Run, problem_id: str, caps: Caps) -> dict[str, Any]:
    """One problem: statement, candidates by sample and round, selections with evidence, answers."""
    codes: dict[str, int] = {}
    problem = run.problems.get(problem_id)
    details: dict[str, Any] = {
        "id": problem_id,
        "error": run.errors.get(problem_id),
        "samples": _samples(run, problem_id, codes),
        "failed": _failed(run, problem_id),
        "methods": _methods(run, problem_id, caps),
        "feedback": _feedback(run, problem_id, caps.feedback),
        "answers": _answers(run, problem_id, caps.answer),
        "stages": [
            [name, count.calls, count.prompt, count.output, count.seconds, count.executions, count.cpu_s]
            for name, count in run.stages.get(problem_id, {}).items()
        ],
    }
    if problem is not None:
        details["statement"] = cut(problem.statement, caps.statement)
        details["starter"] = cut(problem.starter_code, caps.code)
        tests = [test for test in problem.public_tests if test.program is None][:8]
        details["public"] = [[cut(t.input, caps.output), cut(t.output or "", caps.output)] for t in tests]
        details["hidden"] = len(problem.hidden_tests)
    else:
        details["prompt"] = cut(_first_prompt(run, problem_id), caps.statement)
    details["codes"] = [cut(code, caps.code) for code in codes]
    return details


def _samples(run: Run, problem_id: str, codes: dict[str, int]) -> list[list[list[Any]]]:
    """For each sample its rounds: [round, place of the code, public passed, of, best, hidden verdict]."""
    samples: dict[int, list[list[Any]]] = {}
    for sample, number, code, *rest in run.database.execute(
        "SELECT sample, round, code, public_passed, public_total, is_best, hidden_verdict FROM candidates "
        "WHERE problem_id = ? ORDER BY sample, round",
        (problem_id,),
    ):
        place = None if code is None else codes.setdefault(code, len(codes))
        samples.setdefault(sample, []).append([number, place, *rest])
    return [samples[sample] for sample in sorted(samples)]


def _failed(run: Run, problem_id: str) -> dict[int, str]:
    """By sample, why its last call failed for good."""
    outcome = run.outcomes.get(problem_id)
    samples = outcome.samples if outcome is not None else ()
    return {sample.sample: sample.failed for sample in samples if sample.failed}


def _methods(run: Run, problem_id: str, caps: Caps) -> list[dict[str, Any]]:
    from sstar_code.agent.report.data.read import read_selection

    methods = []
    for name in run.choices.get(problem_id, {}):
        selection = read_selection(run, problem_id, name)
        if selection is None:
            continue
        row: dict[str, Any] = asdict(selection)
        row["right"] = run.outcomes[problem_id].is_right(selection.chosen)
        row["confidence"] = round(row["confidence"], 4)
        for item in row["distinguishing"]:
            item["input"] = cut(item["input"], caps.output)
            item["outputs"] = {place: cut(text, caps.output) for place, text in item["outputs"].items()}
        for item in row["asked"]:
            item["input"] = cut(item["input"], caps.output)
            item["options"] = [cut(text, caps.output) for text in item["options"]]
        for item in row["derived"]:
            item["input"], item["output"] = cut(item["input"], caps.output), cut(item["output"], caps.output)
        methods.append({key: value for key, value in row.items() if value not in ((), [], None)})
    return sorted(methods, key=lambda row: row["method"] != run.select)


def _feedback(run: Run, problem_id: str, most: int) -> dict[str, Any]:
    """What each debugging round was told, by `sample.round`."""
    if not most:
        return {}
    told: dict[str, Any] = {}
    for sample, number, text in run.database.execute(
        "SELECT sample, round, json_extract(request, '$.messages[#-1].content') FROM calls "
        "WHERE problem_id = ? AND stage = 'debug'",
        (problem_id,),
    ):
        told[f"{sample}.{number}"] = cut(_between(text or "", "# What happened", "# Answer"), most)
    return told


def _between(text: str, start: str, end: str) -> str:
    """The part of a prompt that is about this program; all of it where the prompt is another one."""
    _, found, rest = text.rpartition(start + "\n")
    return (rest.rpartition("\n" + end)[0] or rest).strip() if found else text


def _answers(run: Run, problem_id: str, most: int) -> list[Any]:
    """Stage, which question, answer, tokens: of everything selection asked."""
    if not most:
        return []
    rows: Sequence[tuple[str, str, str, int, int]] = run.database.execute(
        "SELECT stage, ordinal, json_extract(answer, '$.text'), "
        "COALESCE(json_extract(answer, '$.usage.prompt'), 0), "
        "COALESCE(json_extract(answer, '$.usage.output'), 0) FROM calls "
        "WHERE problem_id = ? AND stage NOT IN ('generate', 'debug') ORDER BY rowid",
        (problem_id,),
    ).fetchall()
    return [
        [stage, which, cut(text or "", most), prompt + output] for stage, which, text, prompt, output in rows
    ]


def _first_prompt(run: Run, problem_id: str) -> str:
    """What the model was asked first: it holds the statement where the set itself cannot be read."""
    row = run.database.execute(
        "SELECT json_extract(request, '$.messages[#-1].content') FROM calls "
        "WHERE problem_id = ? AND stage = 'generate' LIMIT 1",
        (problem_id,),
    ).fetchone()
    return str(row[0] or "") if row else ""
