"""Grades existing samples: every sample on all public and hidden tests of its problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from agent.stats import Rate, mean_rate, pass_at_k
from sandbox import Verdict
from sandbox.grade import run_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from problems import Problem
    from sandbox import Sandbox
    from sandbox.grade import Report

__all__ = ["Graded", "flatten", "grade_samples", "score"]


@dataclass(frozen=True, slots=True)
class Graded:
    """One sample's verdict. Outputs are not kept: a large set has gigabytes of them."""

    problem_id: str
    sample: int
    """Counts the samples of its problem in file order, from 0."""
    verdict: Verdict
    row: Mapping[str, Any]
    """The line of `verdicts.jsonl`."""


async def grade_samples(
    samples: Sequence[tuple[Problem, int, str]],
    sandbox: Sandbox,
    *,
    all_tests: bool = False,
    on_graded: Callable[[Graded], None],
    at_once: int,
) -> list[Graded]:
    """Grade (problem, sample number, program) triples, `at_once` of them under way; in the order given.

    Unless `all_tests`, grading of a sample ends with the batch of tests that holds its first failure.
    """
    results: dict[int, Graded] = {}
    limiter = anyio.CapacityLimiter(at_once)

    async def grade(place: int, problem: Problem, number: int, code: str) -> None:
        async with limiter:
            tests = [*problem.public_tests, *problem.hidden_tests]
            report = await run_tests(sandbox, problem, code, tests, stop_on_failure=not all_tests)
        row = {"problem_id": problem.id, "sample": number, **_describe(report)}
        results[place] = Graded(problem.id, number, report.verdict, row)
        on_graded(results[place])

    async with anyio.create_task_group() as group:
        for place, (problem, number, code) in enumerate(samples):
            group.start_soon(grade, place, problem, number, code)
    return [results[place] for place in range(len(samples))]


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


def score(graded: Sequence[Graded], counts: Mapping[str, int]) -> dict[str, Any]:
    """pass@k over problems for k in 1, 5, 10, 100 where every problem has that many samples.

    Samples that the sandbox lost (IE) are in no rate and counted in `errors`. `counts` is the number of
    tests by problem: a problem without tests is counted apart and is in no rate.
    """
    by_problem: dict[str, list[Graded]] = {}
    for item in graded:
        by_problem.setdefault(item.problem_id, []).append(item)
    errors = sum(item.verdict is Verdict.IE for item in graded)
    tallies: list[tuple[int, int]] = []
    for problem_id, items in by_problem.items():
        sound = [item for item in items if item.verdict is not Verdict.IE]
        if counts[problem_id] and sound:
            tallies.append((len(sound), sum(item.verdict is Verdict.AC for item in sound)))
    smallest = min((total for total, _ in tallies), default=0)
    rates = {
        f"pass@{k}": mean_rate([pass_at_k(total, right, k) for total, right in tallies])
        for k in (1, 5, 10, 100)
        if k == 1 or k <= smallest
    }
    verdicts = [item.verdict.value for item in graded]
    return {
        "problems": len(by_problem),
        "samples": len(graded),
        "errors": errors,
        "untested_problems": sum(counts[problem_id] == 0 for problem_id in by_problem),
        "passed": sum(right for _, right in tallies),
        "verdicts": {name.value: verdicts.count(name.value) for name in Verdict if name.value in verdicts},
        "rates": rates,
    }


def flatten(scores: Mapping[str, Any]) -> dict[str, Any]:
    """For `--json`: rates as plain numbers beside their intervals."""
    rates: Mapping[str, Rate] = scores["rates"]
    plain = {name: value for name, value in scores.items() if name != "rates"}
    plain |= {name: rate.value if rate.problems else None for name, rate in rates.items()}
    plain["intervals"] = {name: [rate.low, rate.high] for name, rate in rates.items() if rate.problems}
    return plain
