"""Recorded candidates as pools to select from.

Every candidate carries the recorded public and hidden verdict and who wrote it. Candidates are shuffled by
problem id, so that the order of a file, which often is the order of models, tells nothing.
"""

from __future__ import annotations

import ast
import random
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.recorded.data import COMMON_IMPORTS, load, number, prepare, read_given_tests, read_lines
from sstar_code.problems import Kind, Problem, Test, load_set
from sstar_code.problems.values import encode, encode_lines
from sstar_code.selection import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["FIVE", "NAMES", "PoolProblem", "load_pool"]

FIVE = ("codet16", "humaneval_pool", "chat10", "mbpp_pool", "apps150")
"""The pools whose mean is reported."""


@dataclass(frozen=True, slots=True)
class PoolProblem:
    """One problem and its recorded candidates."""

    problem: Problem
    candidates: tuple[Candidate, ...]
    """`public_passed` is all of the public tests or none: single results are not recorded."""
    draw: str = ""
    """Tells pools of the same problem apart: the number of the draw, or model and prompt."""


def load_pool(name: str, data: Path, *, draws: int = 1) -> list[PoolProblem]:
    """The pool called `name` of the recorded sets in the folder `data`.

    `codetN` are `draws` seeded draws of N of the 100 samples a problem of humaneval_codet: 16 as `codet16`.

    Raises:
        KeyError: no pool of that name; `NAMES` lists them.
    """
    if drawn := re.fullmatch(r"codet(\d+)", name):
        whole = list(_read_codet(data))
        return [_draw(item, int(drawn[1]), number) for number in range(draws) for item in whole]
    return [_shuffle(item) for item in _READERS[name](data)]


def _shuffle(item: PoolProblem) -> PoolProblem:
    candidates = list(item.candidates)
    random.Random(f"order:{item.problem.id}:{item.draw}").shuffle(candidates)
    return replace(item, candidates=tuple(candidates))


def _draw(item: PoolProblem, size: int, number: int) -> PoolProblem:
    rng = random.Random(f"draw:{number}:{item.problem.id}")
    candidates = rng.sample(item.candidates, min(size, len(item.candidates)))
    return PoolProblem(item.problem, tuple(candidates), str(number))


def _candidate(
    problem: Problem, code: str, *, public: bool, hidden: bool, sources: Sequence[str]
) -> Candidate:
    total = max(1, len(problem.public_tests))
    return Candidate(code, total if public else 0, total, public and hidden, tuple(dict.fromkeys(sources)))


def _read_humaneval(folder: Path) -> dict[str, Problem]:
    """By number, with the public tests that the recorded verdicts were taken on."""
    given = read_given_tests(folder)
    problems = load(f"humaneval:{folder / 'humaneval' / 'HumanEval.jsonl.gz'}")
    return {name: prepare(replace(item, public_tests=given[name])) for name, item in problems.items()}


def _read_codet(folder: Path) -> Iterator[PoolProblem]:
    problems, place = _read_humaneval(folder), folder / "humaneval_codet"
    verdicts = {row["task_id"]: row for row in read_lines(place / "verdicts.jsonl.gz")}
    name = "HumanEval_codegen16B_temp0.8_topp0.95_num100_max300_code_solution.jsonl.gz"
    for row in read_lines(place / name):
        problem, seen = problems[number(row["task_id"])], verdicts[row["task_id"]]
        recorded = zip(row["samples"], seen["public_pass"], seen["plus_pass"], strict=True)
        candidates = [
            _candidate(problem, problem.starter_code + text, public=public, hidden=plus, sources=())
            for text, public, plus in recorded
        ]
        yield PoolProblem(problem, tuple(candidates))


def _read_pool(
    folder: Path, name: str, problems: Callable[[Path], Mapping[str, Problem]]
) -> Iterator[PoolProblem]:
    """Pools of many models: sources are `model/method`."""
    known = problems(folder)
    for row in read_lines(folder / name / "samples.jsonl.gz"):
        problem = known[number(row["id"] if "id" in row else row["task_id"])]
        yield PoolProblem(problem, tuple(_pooled(problem, item) for item in row["samples"]))


def _pooled(problem: Problem, item: dict[str, Any]) -> Candidate:
    sources = [f"{source['model']}/{source['method']}" for source in item["sources"]]
    hidden = item["plus_pass"] if "plus_pass" in item else item["hidden_pass"]
    public = item["public_pass"] is not False  # None: the problem has no public test
    return _candidate(problem, item["code"], public=public, hidden=hidden, sources=sources)


def _read_mbpp(folder: Path) -> dict[str, Problem]:
    problems = load(f"mbpp+:{folder / 'mbpp' / 'MbppPlus-OriginFmt.jsonl.gz'}")
    return {name: prepare(problem) for name, problem in problems.items()}


def _read_apps(folder: Path) -> dict[str, Problem]:
    problems = load_set(f"apps:{folder / 'apps150' / 'selected150.jsonl'}").problems
    return {problem.id: problem for problem in problems}


def _read_chat10(folder: Path) -> Iterator[PoolProblem]:
    problems, rows = _read_humaneval(folder), defaultdict(list)
    for row in read_lines(folder / "humaneval_chat10" / "samples.jsonl.gz"):
        rows[number(row["task_id"])].append(row)
    for name, of_problem in rows.items():
        problem = problems[name]
        candidates = [
            _candidate(
                problem,
                item["code"],
                public=item["public_pass"],
                hidden=item["plus_pass"],
                sources=(row["model"],),
            )
            for row in of_problem
            for item in row["samples"]
        ]
        yield PoolProblem(problem, tuple(candidates))


def _read_livecodebench(folder: Path) -> Iterator[PoolProblem]:
    """Problems whose candidates have all been run on the public tests."""
    place = folder / "livecodebench"
    problems = {problem.id: problem for problem in load_set(f"lcb:{place / 'problems.jsonl.gz'}").problems}
    rows = defaultdict(list)
    for row in read_lines(place / "verdicts.jsonl.gz"):
        rows[row["question_id"]].append(row)
    for name, of_problem in rows.items():
        if any(row["public_pass"] is None for row in of_problem):
            continue
        problem = problems[name]
        candidates = [
            _candidate(
                problem, row["code"], public=row["public_pass"], hidden=row["graded"], sources=row["models"]
            )
            for row in of_problem
        ]
        yield PoolProblem(problem, tuple(candidates))


def _read_specfix(folder: Path, name: str) -> Iterator[PoolProblem]:
    """A pool for every problem, model and prompt: samples of one model, whose statement may be ambiguous."""
    problems = {"humaneval": _read_humaneval, "mbpp": _read_mbpp, "taco_lite": _read_taco}[name](folder)
    for row in read_lines(folder / "specfix" / f"{name}_samples.jsonl.gz"):
        problem = problems.get(number(row["task_id"]))
        if problem is None:
            continue
        problem = replace(problem, statement=row["requirement"], starter_code="")
        candidates = [
            _candidate(
                problem, item["code"], public=item["public_pass"], hidden=item["hidden_pass"], sources=()
            )
            for item in row["samples"]
        ]
        prompt = " without examples" if row["examples_removed_from_prompt"] else ""
        yield PoolProblem(problem, tuple(candidates), row["model"] + prompt)


def _read_taco(folder: Path) -> dict[str, Problem]:
    """Those whose own solution passes the recorded tests."""
    place = folder / "specfix"
    sound = {
        row["task_id"]
        for row in read_lines(place / "taco_lite_canonical_check.jsonl")
        if row["canonical_passes_public"] and row["canonical_passes_hidden"]
    }
    problems = {}
    for row in read_lines(place / "taco_lite.jsonl.gz"):
        if row["task_id"] in sound:
            inputs, outputs = ast.literal_eval(row["input_output_examples"] or "[[], []]") or ([], [])
            tests = [
                Test(encode_lines(call), encode(value))
                for call, (value,) in zip(inputs, outputs, strict=True)
            ]
            problems[number(row["task_id"])] = Problem(
                id=row["task_id"],
                statement=row["requirement"],
                kind=Kind.FUNCTION,
                entry_point=row["entry_point"],
                public_tests=tuple(tests),
                preamble=COMMON_IMPORTS,
                checker="python",
            )
    return problems


_READERS: dict[str, Callable[[Path], Iterator[PoolProblem]]] = {
    "humaneval_pool": partial(_read_pool, name="humaneval_pool", problems=_read_humaneval),
    "chat10": _read_chat10,
    "mbpp_pool": partial(_read_pool, name="mbpp_pool", problems=_read_mbpp),
    "apps150": partial(_read_pool, name="apps150", problems=_read_apps),
    "livecodebench": _read_livecodebench,
    "specfix-humaneval": partial(_read_specfix, name="humaneval"),
    "specfix-mbpp": partial(_read_specfix, name="mbpp"),
    "specfix-taco_lite": partial(_read_specfix, name="taco_lite"),
}

NAMES = ("codet16", "codet100", *_READERS)
