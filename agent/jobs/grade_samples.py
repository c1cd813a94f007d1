"""Grades samples on all public and hidden tests of their problems: any tool's, or a set's own solutions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.run.files import replace_file, write_json
from sstar_code.agent.run.summary import Rate, mean_rate, pass_at_k
from sstar_code.problems.sets.faults import Fault
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox
    from sstar_code.sandbox.grade import Report

_AHEAD = 512
"""Verdicts that may wait for a slow sample before them; they are what memory is needed for."""


@dataclass(frozen=True, slots=True)
class Graded:
    """One sample's verdict. Outputs are not kept: a large set has gigabytes of them."""

    problem_id: str
    sample: int
    """Counts the samples of its problem in file order, from 0."""
    verdict: Verdict
    total: int
    """Tests of its problem."""
    row: Mapping[str, Any]
    """The line of `verdicts.jsonl`."""


async def grade_run(
    opening: AbstractAsyncContextManager[Session],
    samples: Iterable[tuple[Problem, int, str]],
    count: int,
    *,
    all_tests: bool,
) -> dict[str, Any]:
    """The scores of `count` samples; every verdict is written as soon as those before it are.

    Raises:
        As `open_session`.
    """
    tally = Tally()
    async with opening as session:
        with (
            session.progress("grade", count) as progress,
            replace_file(session.folder / "verdicts.jsonl") as write,
        ):

            def note(graded: Graded) -> None:
                tally.add(graded)
                write(json.dumps(graded.row) + "\n")
                progress.advance(graded.verdict.value)

            sandbox = session.sandbox
            await grade_samples(
                samples, sandbox, all_tests=all_tests, on_graded=note, at_once=4 * sandbox.workers
            )
        scores = tally.score()
        write_json(session.folder / "summary.json", flatten(scores))
    return scores


async def grade_samples(
    samples: Iterable[tuple[Problem, int, str]],
    sandbox: Sandbox,
    *,
    all_tests: bool = False,
    on_graded: Callable[[Graded], None],
    at_once: int,
) -> None:
    """Grade (problem, sample number, program) triples, `at_once` of them under way.

    `samples` is read as they are needed; `on_graded` is told every verdict in the order of `samples`. Unless
    `all_tests`, grading of a sample ends with the batch of tests that holds its first failure.
    """
    queue, order = enumerate(samples), _InOrder(on_graded)
    async with anyio.create_task_group() as group:
        for _ in range(at_once):
            group.start_soon(_grade_next, queue, sandbox, order, all_tests)


class _InOrder:
    """Passes verdicts on in the order of their places."""

    def __init__(self, tell: Callable[[Graded], None]) -> None:
        self._tell = tell
        self._waiting: dict[int, Graded] = {}
        self._next = 0
        self._moved = anyio.Event()

    async def wait_for_room(self, place: int) -> None:
        while place >= self._next + _AHEAD:
            await self._moved.wait()

    def put(self, place: int, graded: Graded) -> None:
        self._waiting[place] = graded
        while self._next in self._waiting:
            self._tell(self._waiting.pop(self._next))
            self._next += 1
        self._moved.set()
        self._moved = anyio.Event()


async def _grade_next(
    queue: Iterator[tuple[int, tuple[Problem, int, str]]], sandbox: Sandbox, order: _InOrder, all_tests: bool
) -> None:
    for place, (problem, number, code) in queue:
        await order.wait_for_room(place)
        tests = [*problem.public_tests, *problem.hidden_tests]
        report = await run_tests(sandbox, problem, code, tests, stop_on_failure=not all_tests)
        row = {"problem_id": problem.id, "sample": number, **_describe(report)}
        order.put(place, Graded(problem.id, number, report.verdict, report.total, row))


def _describe(report: Report) -> dict[str, Any]:
    return {
        "verdict": report.verdict.value,
        "passed": report.passed,
        "total": report.total,
        "tests": [
            {
                "verdict": result.verdict.value,
                "cpu_s": round(result.execution.cpu_s, 4),
                "wall_s": round(result.execution.wall_s, 4),
                "memory_mb": round(result.execution.memory_mb, 1),
            }
            for result in report.results
        ],
        "error": _first_error(report),
    }


def _first_error(report: Report) -> str | None:
    failures = report.failures
    if not failures:
        return None
    place = report.results.index(failures[0]) + 1
    failure = failures[0].execution.failure
    if failure is None:
        return f"test {place}: {failures[0].verdict.value}"
    line = f" (line {failure.line})" if failure.line else ""
    return f"test {place}: {failure.type}: {failure.message}{line}"


class Tally:
    """Counts verdicts into rates; holds two numbers a problem, however many samples there are."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._right: Counter[str] = Counter()
        self._seen: dict[str, int] = {}
        self._verdicts: Counter[Verdict] = Counter()

    def add(self, graded: Graded) -> None:
        """Count one sample."""
        self._verdicts[graded.verdict] += 1
        self._seen[graded.problem_id] = graded.total
        self._count[graded.problem_id] += 1
        self._right[graded.problem_id] += graded.verdict is Verdict.AC

    def score(self) -> dict[str, Any]:
        """pass@k over problems for k in 1, 5, 10, 100 where every problem has that many samples.

        Samples that the sandbox lost (IE) count as wrong and in `errors`; a problem without tests is counted
        apart and is in no rate.
        """
        tallies = [(self._count[name], self._right[name]) for name, tests in self._seen.items() if tests]
        smallest = min((total for total, _ in tallies), default=0)
        rates = {
            f"pass@{k}": mean_rate([pass_at_k(total, right, k) for total, right in tallies])
            for k in (1, 5, 10, 100)
            if k == 1 or k <= smallest
        }
        return {
            "problems": len(self._seen),
            "samples": self._verdicts.total(),
            "errors": self._verdicts[Verdict.IE],
            "untested_problems": sum(not tests for tests in self._seen.values()),
            "passed": sum(right for _, right in tallies),
            "verdicts": {name.value: self._verdicts[name] for name in Verdict if self._verdicts[name]},
            "rates": rates,
        }


def flatten(scores: Mapping[str, Any]) -> dict[str, Any]:
    """For `--json`: rates as plain numbers beside their intervals."""
    rates: Mapping[str, Rate] = scores["rates"]
    plain = {name: value for name, value in scores.items() if name != "rates"}
    plain |= {name: rate.value if rate.problems else None for name, rate in rates.items()}
    plain["intervals"] = {name: [rate.low, rate.high] for name, rate in rates.items() if rate.problems}
    return plain


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of the references."""

    faults: tuple[Fault, ...]
    references: int
    passed: int
    lost: int
    """By the sandbox (IE): nothing is known of them."""


async def check_run(
    opening: AbstractAsyncContextManager[Session], references: Sequence[tuple[Problem, int, str]]
) -> Checked:
    """Run the references with progress.

    Raises:
        As `open_session`.
    """
    async with opening as session:
        with session.progress("references", len(references)) as progress:
            return await check_references(
                references, session.sandbox, lambda graded: progress.advance(graded.verdict.value)
            )


async def check_references(
    references: Iterable[tuple[Problem, int, str]], sandbox: Sandbox, on_graded: Callable[[Graded], None]
) -> Checked:
    """Run (problem, number, program) triples on all tests; one that fails is a fault of its problem."""
    graded: list[Graded] = []

    def note(item: Graded) -> None:
        graded.append(item)
        on_graded(item)

    await grade_samples(_with_tests(references), sandbox, on_graded=note, at_once=2 * sandbox.workers)
    faults = tuple(
        Fault(item.problem_id, f"reference {item.sample} fails: {item.row['error']}")
        for item in graded
        if item.verdict not in (Verdict.AC, Verdict.IE)
    )
    lost = sum(item.verdict is Verdict.IE for item in graded)
    return Checked(faults, len(graded), len(graded) - lost - len(faults), lost)


def _with_tests(references: Iterable[tuple[Problem, int, str]]) -> Iterator[tuple[Problem, int, str]]:
    return (item for item in references if item[0].public_tests or item[0].hidden_tests)
