"""Compares our verdicts on recorded programs with the verdicts recorded beside them.

    python -m benchmarks.recorded.agreement FOLDER [--only NAME] [--sandbox auto|docker|local] [--out FILE]
        [--memory FILE] [--every N]

FOLDER holds humaneval/, mbpp/ and the recorded sets named in SETS. A verdict here is pass or fail: AC or not.
--out lists every difference with our error and the program, --memory keeps executions, so that a run that was
cut, or is repeated after a change of checkers, runs nothing twice.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.recorded.data import load, number, prepare, read_given_tests, read_lines
from benchmarks.tables import write_table
from sstar_code.agent.run.store import Store
from sstar_code.problems import Problem, Test, load_set
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.choose import NAMES, make_sandbox
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.memo import MemoSandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sstar_code.sandbox.grade import Report


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded verdict."""

    name: str
    """Row of the table."""
    problem: Problem
    sample: int
    code: str
    tests: Sequence[Test]
    recorded: bool


def read_codet(folder: Path) -> Iterator[Case]:
    problems = load(f"humaneval:{folder / 'humaneval' / 'HumanEval.jsonl.gz'}")
    place = folder / "humaneval_codet"
    name = "HumanEval_codegen16B_temp0.8_topp0.95_num100_max300_code_solution.jsonl.gz"
    verdicts = {row["task_id"]: row for row in read_lines(place / "verdicts.jsonl.gz")}
    for row in read_lines(place / name):
        problem, recorded = problems[number(row["task_id"])], verdicts[row["task_id"]]
        for sample, completion in enumerate(row["samples"]):
            code = problem.starter_code + completion
            yield Case(
                "humaneval_codet base",
                problem,
                sample,
                code,
                problem.hidden_tests,
                recorded["base_pass"][sample],
            )


def read_livecodebench(folder: Path) -> Iterator[Case]:
    place = folder / "livecodebench"
    problems = {problem.id: problem for problem in load_set(f"lcb:{place / 'problems.jsonl.gz'}").problems}
    seen: Counter[str] = Counter()
    for row in read_lines(place / "verdicts.jsonl.gz"):
        problem = problems[row["question_id"]]
        sample = seen[problem.id]
        seen[problem.id] += 1
        if row["public_pass"] is not None:
            tests = problem.public_tests
            yield Case("livecodebench public", problem, sample, row["code"], tests, row["public_pass"])


def read_mbpp_pool(folder: Path) -> Iterator[Case]:
    """The recorded verdicts build on each other: base needs public, plus needs base."""
    problems = load(f"mbpp+:{folder / 'mbpp' / 'MbppPlus-OriginFmt.jsonl.gz'}")
    for row in read_lines(folder / "mbpp_pool" / "samples.jsonl.gz"):
        problem = prepare(problems[number(row["task_id"])])
        asserts, everything = problem.hidden_tests[:-1], problem.hidden_tests
        for sample, item in enumerate(row["samples"]):
            make = partial(Case, problem=problem, sample=sample, code=item["code"])
            yield make("mbpp_pool public", tests=problem.public_tests, recorded=item["public_pass"])
            yield make("mbpp_pool base", tests=asserts, recorded=item["base_pass"])
            yield make("mbpp_pool plus", tests=everything, recorded=item["plus_pass"])


def read_humaneval_samples(folder: Path, name: str) -> Iterator[Case]:
    problems = load(f"humaneval:{folder / 'humaneval' / 'HumanEval.jsonl.gz'}")
    given = read_given_tests(folder)
    seen: Counter[str] = Counter()
    for row in read_lines(folder / name / "samples.jsonl.gz"):
        problem = prepare(problems[number(row["task_id"])])
        for item in row["samples"]:
            make = partial(Case, problem=problem, sample=seen[problem.id], code=item["code"])
            seen[problem.id] += 1
            tests = given[number(problem.id)]
            yield make(f"{name} public", tests=tests, recorded=item["public_pass"])
            yield make(f"{name} base", tests=problem.hidden_tests, recorded=item["base_pass"])


def read_stdin_samples(folder: Path, name: str, spec: str, key: str) -> Iterator[Case]:
    problems = {problem.id: problem for problem in load_set(spec).problems}
    for row in read_lines(folder / name / "samples.jsonl.gz"):
        problem = problems[str(row[key])]
        for sample, item in enumerate(row["samples"]):
            make = partial(Case, problem=problem, sample=sample, code=item["code"])
            if item["public_pass"] is not None:
                yield make(f"{name} public", tests=problem.public_tests, recorded=item["public_pass"])
            yield make(f"{name} hidden", tests=problem.hidden_tests, recorded=item["hidden_pass"])


def read_apps(folder: Path) -> Iterator[Case]:
    spec = f"apps:{folder / 'apps150' / 'selected150.jsonl'}"
    return read_stdin_samples(folder, "apps150", spec, "id")


def read_codecontests(folder: Path) -> Iterator[Case]:
    spec = f"codecontests:{folder / 'codecontests73' / 'problems.jsonl.gz'}"
    return read_stdin_samples(folder, "codecontests73", spec, "problem")


SETS: dict[str, Callable[[Path], Iterator[Case]]] = {
    "humaneval_codet": read_codet,
    "livecodebench": read_livecodebench,
    "mbpp_pool": read_mbpp_pool,
    "apps150": read_apps,
    "codecontests73": read_codecontests,
    "humaneval_pool": partial(read_humaneval_samples, name="humaneval_pool"),
    "humaneval_chat10": partial(read_humaneval_samples, name="humaneval_chat10"),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A case and what we say; outputs are dropped, because all sets are in memory at once."""

    case: Case
    verdict: Verdict
    details: dict[str, Any]

    @property
    def agrees(self) -> bool:
        return self.verdict is not Verdict.IE and (self.verdict is Verdict.AC) is self.case.recorded


def describe(report: Report) -> dict[str, Any]:
    """The most that a test took, and the first failure."""
    cost = {
        "most_cpu_s": round(max((result.execution.cpu_s for result in report.results), default=0.0), 2),
        "most_memory_mb": round(max((result.execution.memory_mb for result in report.results), default=0.0)),
    }
    if not report.failures:
        return cost
    result = report.failures[0]
    run, failure = result.execution, result.execution.failure
    return {
        **cost,
        "test": report.results.index(result),
        "error": f"{failure.type}: {failure.message}" if failure else "",
        "limit": run.limit,
        "input": result.test.input[:500],
        "expected": (result.test.output or "")[:500],
        "got": (run.output or "")[:500],
    }


async def judge(cases: Sequence[Case], sandbox: MemoSandbox) -> list[Judged]:
    done: dict[int, Judged] = {}
    limiter, started = anyio.CapacityLimiter(4 * sandbox.workers), time.monotonic()

    async def judge_one(place: int, case: Case) -> None:
        async with limiter:
            report = await run_tests(sandbox, case.problem, case.code, case.tests, stop_on_failure=True)
        done[place] = Judged(case, report.verdict, describe(report))
        if len(done) % 500 == 0 or len(done) == len(cases):
            seconds = time.monotonic() - started
            print(
                f"{len(done)}/{len(cases)} verdicts, {sandbox.executed} runs, {seconds:.0f} s",
                file=sys.stderr,
            )

    async with anyio.create_task_group() as group:
        for place, case in enumerate(cases):
            group.start_soon(judge_one, place, case)
    return [done[place] for place in range(len(cases))]


async def judge_sets(
    names: Sequence[str], folder: Path, sandbox_name: str, store: Store, every: int
) -> list[Judged]:
    judged: list[Judged] = []
    inner = make_sandbox(sandbox_name, say=partial(print, file=sys.stderr))
    async with MemoSandbox(inner, store) as sandbox:
        for name in names:
            print(name, file=sys.stderr)
            judged += await judge(list(SETS[name](folder))[::every], sandbox)
    return judged


def print_table(judged: Sequence[Judged]) -> None:
    rows = []
    for name in dict.fromkeys(item.case.name for item in judged):
        items = [item for item in judged if item.case.name == name]
        agree = sum(item.agrees for item in items)
        lost = sum(item.verdict is Verdict.IE for item in items)
        only_recorded = sum(item.case.recorded and not item.agrees for item in items) - sum(
            item.case.recorded for item in items if item.verdict is Verdict.IE
        )
        only_ours = len(items) - agree - lost - only_recorded
        share = f"{100 * agree / len(items):.2f}%"
        rows.append((name, len(items), agree, share, only_ours, only_recorded, lost))
    names = ("programs", "agree", "share", "only ours passes", "only recorded passes", "IE")
    print(write_table(("set and verdict", *names), rows))


def list_differences(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    return [
        {
            "set": item.case.name,
            "id": item.case.problem.id,
            "sample": item.case.sample,
            "ours": item.verdict.value,
            "recorded": item.case.recorded,
            **item.details,
            "code": item.case.code,
        }
        for item in judged
        if not item.agrees
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=SETS, action="append", help="this set alone; may be repeated")
    parser.add_argument("--sandbox", choices=NAMES, default="auto")
    parser.add_argument("--out", type=Path, help="JSON file for the differences")
    parser.add_argument("--memory", type=Path, help="SQLite file that keeps executions")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth verdict only")
    options = parser.parse_args()
    started = time.monotonic()
    with closing(Store(options.memory)) as store:
        names = options.only or list(SETS)
        judged = anyio.run(judge_sets, names, options.folder, options.sandbox, store, options.every)
    print_table(judged)
    print(f"\n{time.monotonic() - started:.0f} s")
    if options.out:
        options.out.write_text(json.dumps(list_differences(judged), indent=1))


if __name__ == "__main__":
    main()
