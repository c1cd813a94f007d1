"""Recorded programs for an official judge, and for ours on the same tests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.recorded.agreement import Case
from benchmarks.recorded.data import COMMON_IMPORTS, load, number, read_lines
from sstar_code.problems import Problem, Test, load_set
from sstar_code.problems.formats.evalplus import read_rule
from sstar_code.problems.formats.reference_tests import Rule, compare_with_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["DATASETS", "Program", "read_evalplus", "read_expected", "read_livecodebench"]

DATASETS = {
    "mbpp": ("mbpp+", "mbpp/MbppPlus-OriginFmt.jsonl.gz", ("mbpp_pool",)),
    "humaneval": ("humaneval+", "humaneval/HumanEvalPlus.jsonl.gz", ("humaneval_pool", "humaneval_chat10")),
}
"""evalplus's name of a set -> our loader, the published file that it reads, and the recorded programs."""

_MODULES = ("base64", "pickle", "zlib")


@dataclass(frozen=True, slots=True)
class Program:
    """A program for the official judge and the same program for ours."""

    judge: str
    """`livecodebench`, `humaneval` or `mbpp`."""
    question: dict[str, Any]
    """What official.py is asked."""
    cases: tuple[Case, ...]
    """One a verdict of the official judge; `recorded` says nothing here."""


class _Source(str):
    """Python source that is its own `repr`, so that it goes into a test program as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def read_livecodebench(folder: Path) -> Iterator[Program]:
    """Every recorded program on all tests known here, public ones and the few revealed ones."""
    place = folder / "livecodebench"
    problems = {problem.id: problem for problem in load_set(f"lcb:{place / 'problems.jsonl.gz'}").problems}
    seen: Counter[str] = Counter()
    for row in read_lines(place / "verdicts.jsonl.gz"):
        problem = problems[row["question_id"]]
        tests = (*problem.public_tests, *problem.hidden_tests)
        sample = seen[problem.id]
        seen[problem.id] += 1
        if not tests:
            continue
        name = problem.entry_point.rpartition(".")[2] if problem.entry_point else None
        inputs, outputs = [test.input for test in tests], [test.output for test in tests]
        question = {
            "case": f"{problem.id}#{sample}",
            "code": row["code"],
            "tests": {"inputs": inputs, "outputs": outputs, "fn_name": name},
        }
        yield Program(
            "livecodebench",
            question,
            (Case("livecodebench", problem, sample, row["code"], tests, recorded=False),),
        )


def read_expected(path: Path, rules: Mapping[str, Rule], names: Mapping[str, str]) -> dict[str, list[Test]]:
    """The base and the plus test of every problem, by id, from what official_inputs.py wrote.

    The inputs and the expected outputs are evalplus's; how outputs are compared is ours.
    """
    found: dict[str, list[Test]] = {}
    for row in read_lines(path):
        task = row["task"]
        for part in ("base", "plus"):
            (inputs, outputs), name = row[part], names[task]
            reference = row["solution"] if outputs is None else answer(name, outputs)
            given: Any = _Source(unpack(inputs))
            program = compare_with_reference(
                name, reference, given, absolute=float(row["atol"]), rule=rules[task]
            )
            found.setdefault(task, []).append(Test(program=program))
    return found


def answer(name: str, outputs: str) -> str:
    """Python source of a function `name` that gives the packed `outputs`, one a call."""
    return f"_outputs = iter({unpack(outputs)})\n\n\ndef {name}(*_):\n    return next(_outputs)\n"


def unpack(text: str) -> str:
    """Python source of the value that official_inputs.py packed as `text`."""
    return f"(lambda b, p, z: p.loads(z.decompress(b.b85decode({text!r}))))(*map(__import__, {_MODULES}))"


def find_rules(folder: Path, dataset: str) -> dict[str, Rule]:
    """How our loader of the published tests has the answers to a problem compared, by id."""
    rows = read_lines(folder / DATASETS[dataset][1])
    if dataset == "mbpp":
        return {
            f"Mbpp/{row['task_id']}": read_rule(
                str(row["task_id"]), [text.strip() for text in row["test_list"]]
            )
            for row in rows
        }
    return {
        row["task_id"]: "zero of polynomial" if row["entry_point"] == "find_zero" else "equal" for row in rows
    }


def read_evalplus(folder: Path, dataset: str, expected: Path | None, *, own: bool) -> Iterator[Program]:
    """Recorded programs of HumanEval or MBPP, with common imports first, on base and plus tests.

    `expected` is what official_inputs.py wrote: ours runs on evalplus's inputs then, else on the set's
    published tests. With `own` the programs are the set's own solutions.
    """
    spec, published, pools = DATASETS[dataset]
    problems = load(f"{spec}:{folder / published}")
    tests: dict[str, list[Test]] = {}
    if expected is not None:
        names = {problem.id: str(problem.entry_point) for problem in problems.values()}
        tests = read_expected(expected, find_rules(folder, dataset), names)
    codes = _read_own(problems, dataset) if own else _read_pools(folder, problems, pools)
    seen: Counter[tuple[str, str]] = Counter()
    for pool, problem, code in codes:
        sample = seen[pool, problem.id]
        seen[pool, problem.id] += 1
        base, plus = problem.hidden_tests[:-1], problem.hidden_tests
        if tests:
            base, plus = tests[problem.id][:1], tests[problem.id]
        yield Program(
            dataset,
            {"case": f"{pool}/{problem.id}#{sample}", "code": code, "task": problem.id},
            (
                Case(f"{pool} base", problem, sample, code, base, recorded=False),
                Case(f"{pool} plus", problem, sample, code, plus, recorded=False),
            ),
        )


def _read_pools(
    folder: Path, problems: Mapping[str, Problem], pools: tuple[str, ...]
) -> Iterator[tuple[str, Problem, str]]:
    for pool in pools:
        for row in read_lines(folder / pool / "samples.jsonl.gz"):
            for item in row["samples"]:
                yield pool, problems[number(row["task_id"])], COMMON_IMPORTS + item["code"]


def _read_own(problems: Mapping[str, Problem], dataset: str) -> Iterator[tuple[str, Problem, str]]:
    for problem in problems.values():
        yield f"{dataset} own solutions", problem, str(problem.metadata["reference"])
