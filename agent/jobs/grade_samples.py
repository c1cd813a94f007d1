"""Grades samples on all public and hidden tests of their problems: any tool's, or a set's own solutions."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.jobs.faults import describe_fault
from sstar_code.agent.run.files import replace_file, write_json
from sstar_code.agent.run.folder import read_manifest
from sstar_code.agent.run.history.which_set import read_which_set
from sstar_code.agent.run.summary import Rate, mean_rate, pass_at_k
from sstar_code.sandbox import Status, Verdict
from sstar_code.sandbox.grade import run_tests

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.problems import Problem, Test
    from sstar_code.sandbox import Sandbox
    from sstar_code.sandbox.grade import Report

_SHOWN_CHARS = 1000
_AHEAD = 512
"""Verdicts that may wait for a slow sample before them; they are what memory is needed for."""


Item = tuple["Problem", int, str | None]
"""A problem, the number of its sample, and the program; None where the sample holds none."""


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
    checker_fault: str = ""
    """How the problem's checker program ended, where it is why nothing is known of the sample (IE)."""
    error: str = ""
    """The error that was raised over the sample, where that is why (IE)."""
    score: float | None = None
    """The mean score of its tests, from 0 to 1; None where no checker gave a number."""

    @property
    def is_lost(self) -> bool:
        """Whether nothing is known of the sample because the sandbox lost a run of it."""
        return self.verdict is Verdict.IE and not (self.checker_fault or self.error)


async def grade_run(
    opening: AbstractAsyncContextManager[Session],
    samples: Iterable[Item],
    count: int,
    *,
    problems: Sequence[Problem],
    all_tests: bool,
    rate: str = "pass",
    on_graded: Callable[[Graded], None] = lambda _: None,
) -> dict[str, Any]:
    """The scores of `count` samples; every verdict is written as soon as those before it are.

    `problems` are those that were to be answered: one without a sample counts as not solved. `rate` is the
    name of the rates before the @: `pass` where the samples are first answers of a model.

    Raises:
        As `open_session`.
    """
    tally = Tally(problems, rate)
    async with opening as session:
        with (
            session.progress("grade", count) as progress,
            replace_file(session.folder / "verdicts.jsonl") as write,
        ):

            def note(graded: Graded) -> None:
                tally.add(graded)
                on_graded(graded)
                write(json.dumps(graded.row) + "\n")
                progress.advance(graded.verdict.value)

            sandbox = session.sandbox
            await grade_samples(
                samples, sandbox, all_tests=all_tests, on_graded=note, at_once=4 * sandbox.workers
            )
        which_set = read_which_set(read_manifest(session.folder))
        scores = {**tally.score(), "which_set": which_set.as_json()}
        write_json(session.folder / "summary.json", flatten(scores))
    return scores


async def grade_samples(
    samples: Iterable[Item],
    sandbox: Sandbox,
    *,
    all_tests: bool = False,
    on_graded: Callable[[Graded], None],
    at_once: int,
) -> None:
    """Grade (problem, sample number, program) triples, `at_once` of them under way.

    `samples` is read as they are needed; `on_graded` is told every verdict in the order of `samples`. Unless
    `all_tests`, grading of a sample ends with the batch of tests that holds its first failure. A sample of
    which the sandbox lost a run is graded once more, as late as the order allows.
    """
    queue, order = enumerate(samples), _InOrder(on_graded)
    lost: deque[tuple[int, Item]] = deque()
    async with anyio.create_task_group() as group:
        for _ in range(at_once):
            group.start_soon(_grade_next, queue, lost, sandbox, order, all_tests)


class _InOrder:
    """Passes verdicts on in the order of their places."""

    def __init__(self, tell: Callable[[Graded], None]) -> None:
        self._tell = tell
        self._waiting: dict[int, Graded] = {}
        self._next = 0
        self._moved = anyio.Event()

    def has_room(self, place: int) -> bool:
        return place < self._next + _AHEAD

    async def wait_for_move(self) -> None:
        await self._moved.wait()

    def put(self, place: int, graded: Graded) -> None:
        self._waiting[place] = graded
        while self._next in self._waiting:
            self._tell(self._waiting.pop(self._next))
            self._next += 1
        self._moved.set()
        self._moved = anyio.Event()


async def _grade_next(
    queue: Iterator[tuple[int, Item]],
    lost: deque[tuple[int, Item]],
    sandbox: Sandbox,
    order: _InOrder,
    all_tests: bool,
) -> None:
    async def try_again() -> None:
        place, item = lost.popleft()
        order.put(place, await _grade(item, sandbox, all_tests=all_tests))

    for place, item in queue:
        while not order.has_room(place):
            await (try_again() if lost else order.wait_for_move())
        graded = await _grade(item, sandbox, all_tests=all_tests)
        if graded.is_lost:
            lost.append((place, item))
        else:
            order.put(place, graded)
    while lost:
        await try_again()


async def _grade(item: Item, sandbox: Sandbox, *, all_tests: bool) -> Graded:
    (problem, number, code) = item
    tests = list_judging_tests(problem)
    if code is None:
        row = _missing_row(problem, number, len(tests))
        return Graded(problem.id, number, Verdict.CE, len(tests), row)
    try:
        report = await run_tests(sandbox, problem, code, tests, stop_on_failure=not all_tests)
    except Exception as error:  # noqa: BLE001 - what is no matter of one problem is raised again
        line = describe_fault(error, problem.id)
        row = _missing_row(problem, number, len(tests), Verdict.IE, line)
        return Graded(problem.id, number, Verdict.IE, len(tests), row, error=line)
    row = {"problem_id": problem.id, "sample": number, **describe_report(report)}
    return Graded(
        problem.id, number, report.verdict, report.total, row, report.checker_fault, score=report.score
    )


def list_judging_tests(problem: Problem) -> list[Test]:
    """The public and hidden tests that expect something; others tell nothing of a program."""
    tests = [*problem.public_tests, *problem.hidden_tests]
    return [test for test in tests if test.program is not None or test.output is not None]


def is_tested(problem: Problem) -> bool:
    """Whether there is a judging test; tests that are slow to read are taken for some."""
    stored = bool(problem.hidden_tests) and not isinstance(problem.hidden_tests, tuple)
    return stored or bool(list_judging_tests(problem))


def _missing_row(
    problem: Problem,
    number: int,
    total: int,
    verdict: Verdict = Verdict.CE,
    error: str = "the sample holds no program",
) -> dict[str, Any]:
    return {
        "problem_id": problem.id,
        "sample": number,
        "verdict": verdict.value,
        "passed": False,
        "passed_tests": 0,
        "total_tests": total,
        "tests": [],
        "error": error,
        "first_failure": None,
    }


def describe_report(report: Report) -> dict[str, Any]:
    """The verdicts as a row of `verdicts.jsonl` has them, without the names of problem and sample."""
    return {
        "verdict": report.verdict.value,
        "passed": report.total > 0 and report.verdict is Verdict.AC,
        "passed_tests": report.passed,
        "total_tests": report.total,
        **({} if report.score is None else {"score": report.score}),
        "tests": [
            {
                "verdict": result.verdict.value,
                "cpu_s": round(result.execution.cpu_s, 4),
                "wall_s": round(result.execution.wall_s, 4),
                "memory_mb": round(result.execution.memory_mb, 1),
                **({} if result.score is None else {"score": result.score}),
            }
            for result in report.results
        ],
        "error": _first_error(report),
        "first_failure": _first_failure(report),
    }


def _first_error(report: Report) -> str | None:
    failures = report.failures
    if not failures:
        return None
    place = report.results.index(failures[0]) + 1
    failure = failures[0].execution.failure
    if failure is None:
        note = f": {failures[0].note}" if failures[0].note else ""
        return f"test {place}: {failures[0].verdict.value}{note}"
    line = f" (line {failure.line})" if failure.line else ""
    return f"test {place}: {failure.type}: {failure.message}{line}"


def _first_failure(report: Report) -> dict[str, str | None] | None:
    """What the first failed test gave, expected and got; `got` is None where nothing came to be compared."""
    if not report.failures:
        return None
    test, run = report.failures[0].test, report.failures[0].execution
    got = run.stdout or None if test.program is not None or run.status is not Status.OK else run.output
    texts = {
        "input": test.input if test.program is None else test.program,
        "expected": test.output,
        "got": got,
    }
    return {name: None if text is None else _cap(text) for name, text in texts.items()}


def _cap(text: str) -> str:
    """`text`, of a long one the beginning and how long it is."""
    left = len(text) - _SHOWN_CHARS
    return text if left <= 0 else f"{text[:_SHOWN_CHARS]} [... {left} more characters]"


class Tally:
    """Counts verdicts into rates; holds two numbers a problem, however many samples there are."""

    def __init__(self, problems: Iterable[Problem] = (), rate: str = "pass") -> None:
        """Count `problems` too where no sample comes; `rate` is what its rates are called before the @."""
        problems = list(problems)
        self._rate = rate
        self._count: Counter[str] = Counter()
        self._right: Counter[str] = Counter()
        self._tested = {problem.id: is_tested(problem) for problem in problems}
        self._verdicts: Counter[Verdict] = Counter()
        self._at_fault: Counter[str] = Counter()
        self._errors: dict[str, str] = {}
        self._raised = 0
        self._scores: dict[str, list[float]] = {
            problem.id: [] for problem in problems if problem.full_score is not None
        }
        """The scores of the samples of problems that have scores."""

    def add(self, graded: Graded) -> None:
        """Count one sample."""
        self._verdicts[graded.verdict] += 1
        self._tested[graded.problem_id] = graded.total > 0
        self._count[graded.problem_id] += 1
        self._right[graded.problem_id] += graded.verdict is Verdict.AC
        if graded.checker_fault:
            self._at_fault[graded.problem_id] += 1
        if graded.score is not None or graded.problem_id in self._scores:
            self._scores.setdefault(graded.problem_id, []).append(graded.score or 0.0)
        if graded.error:
            self._errors.setdefault(graded.problem_id, graded.error)
            self._raised += 1

    def score(self) -> dict[str, Any]:
        """pass@k over problems for k in 1, 5, 10, 100 where every answered problem has that many samples.

        A problem without a sample counts as not solved, and is named. Samples of which nothing is known (IE)
        count as wrong and in `errors`; a problem without tests is counted apart and is in no rate.
        """
        tallies = [(self._count[name], self._right[name]) for name, tested in self._tested.items() if tested]
        smallest = min((total for total, _ in tallies if total), default=0)
        rates = {
            f"{self._rate}@{k}": mean_rate(
                [pass_at_k(total, right, k) if total else 0.0 for total, right in tallies]
            )
            for k in (1, 5, 10, 100)
            if k == 1 or k <= smallest
        }
        return {
            "problems": len(self._tested),
            "samples": self._verdicts.total(),
            "errors": self._verdicts[Verdict.IE],
            "checkers_at_fault": list(self._at_fault),
            "unjudged": self._at_fault.total(),
            "raised": self._raised,
            "problem_errors": self._errors,
            "untested_problems": sum(not tested for tested in self._tested.values()),
            "unanswered": [name for name in self._tested if not self._count[name]],
            "passed": sum(right for _, right in tallies),
            "verdicts": {name.value: self._verdicts[name] for name in Verdict if self._verdicts[name]},
            "rates": rates,
            **self._mean_score(),
        }

    def _mean_score(self) -> dict[str, Any]:
        """The mean over problems with scores of the mean over their samples; without a sample it is 0."""
        means = [sum(scores) / len(scores) if scores else 0.0 for scores in self._scores.values()]
        return {"score": sum(means) / len(means), "scored_problems": len(means)} if means else {}


def flatten(scores: Mapping[str, Any]) -> dict[str, Any]:
    """For `--json`: rates as plain numbers beside their intervals."""
    rates: Mapping[str, Rate] = scores["rates"]
    plain = {name: value for name, value in scores.items() if name != "rates"}
    plain |= {name: rate.value if rate.problems else None for name, rate in rates.items()}
    plain["intervals"] = {name: [rate.low, rate.high] for name, rate in rates.items() if rate.problems}
    return plain
