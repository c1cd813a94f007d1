"""A sandbox for candidates that are one function of a repository; all else goes to the sandbox behind it.

The method develops and selects programs by running them in a `sandbox.Sandbox`. Here a program is the source
of a function: it is put in place in its file, and that version of the repository runs in a room of its own. A
call gives what the function does on plain arguments; an assertion names a group of examples or a test
function. What examples have to give is compared here, outside the room.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.repository.find.doctests import Wanted, judge_example
from sstar_code.agent.repository.find.source import split_lines
from sstar_code.agent.repository.pose.checks import TEST_LIMITS, Checks, ExampleGroup, TestFunction
from sstar_code.agent.repository.prove.runner import limits_as_json
from sstar_code.agent.repository.write.splice import MisfitError, put_candidate
from sstar_code.sandbox.outcome import Execution, Failure, Limits, Mode, Program, Status
from sstar_code.sandbox.repository.session import RepositoryLostError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.pose.target import Target
    from sstar_code.agent.repository.prove.runner import Workshop
    from sstar_code.agent.repository.write.splice import Written
    from sstar_code.sandbox.outcome import Sandbox

__all__ = ["Stand", "Task"]

_TEST_TOTAL_S = 600.0


@dataclass(frozen=True, slots=True)
class Task:
    """One function to be written, as the stand knows it."""

    stub: Stub
    place_module: str
    base: Path
    target: Target | None
    checks: Checks
    mark: str
    """First line of the preamble of every program that is a candidate for it."""
    public_inputs: frozenset[str] = frozenset()
    """Calls of which an example promises the result alone."""
    reached: set[str] = field(default_factory=set)
    """Labels of other open functions that a candidate called."""
    blocked: set[str] = field(default_factory=set)
    """Texts of the checks in which one did."""


class Stand:
    """Implements `sandbox.Sandbox` over a sandbox that has been entered and a workshop."""

    def __init__(self, behind: Sandbox, workshop: Workshop) -> None:
        """Candidates run in rooms of `workshop`, all else in `behind`."""
        self.name = behind.name
        self._behind = behind
        self._workshop = workshop
        self._tasks: dict[str, Task] = {}

    @property
    def workers(self) -> int:
        """Programs that run at once."""
        return self._behind.workers

    def add(self, task: Task) -> None:
        """Know candidates for `task` by their preamble."""
        self._tasks[task.mark] = task

    async def __aenter__(self) -> Self:
        """The sandbox behind is its owner's to enter."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The sandbox behind is its owner's to leave."""

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """As `Sandbox.run`; a candidate that does not fit into its file is `CE`."""
        task = self._tasks.get(program.preamble.partition("\n")[0])
        if task is None:
            return await self._behind.run(program, inputs, limits, stop_on_failure=stop_on_failure)
        try:
            written = put_candidate(task.stub, program.code)
        except MisfitError as error:
            return [Execution(Status.CE, failure=Failure("CannotBeUsed", str(error)))] * len(inputs)
        try:
            if program.mode is Mode.CALL:
                runs = await self._call(task, written, inputs, limits)
            else:
                runs = await self._check(task, written, inputs)
        except RepositoryLostError as error:
            lost = Failure("RoomLost", f"it ended the process that runs it: {error}")
            runs = [Execution(Status.RE, failure=lost)] * len(inputs)
        if stop_on_failure:
            bad = [place for place, run in enumerate(runs) if run.status is not Status.OK]
            runs = runs[: bad[0] + 1] if bad else runs
        return runs

    async def _call(
        self, task: Task, written: Written, inputs: Sequence[str], limits: Limits
    ) -> list[Execution]:
        if task.target is None:
            failure = Failure("CannotBeCalled", "it takes objects that plain values do not make")
            return [Execution(Status.RE, failure=failure)] * len(inputs)
        request = {
            "do": "call",
            "target": task.target.as_json(),
            "inputs": list(inputs),
            "plain": [text in task.public_inputs for text in inputs],
            "limits": limits_as_json(limits),
        }
        total_s = len(inputs) * limits.wall_ceiling_s
        answers = await self._workshop.ask(_version(written), request, total_s, task.base)
        return [_execution(task, written, answer, limits) for answer in answers]

    async def _check(self, task: Task, written: Written, texts: Sequence[str]) -> list[Execution]:
        """Run the examples and tests that `texts` are the texts of."""
        groups = {item.text: item for item in task.checks.groups}
        tests = {item.text: item for item in task.checks.tests}
        found = {text: groups.get(text) or tests.get(text) for text in texts}
        wanted_groups = [item for item in found.values() if isinstance(item, ExampleGroup)]
        wanted_tests = [item for item in found.values() if isinstance(item, TestFunction)]
        runs: dict[str, Execution] = {}
        if wanted_groups:
            runs |= await self._run_examples(task, written, wanted_groups)
        if wanted_tests:
            runs |= await self._run_tests(task, written, wanted_tests)
        unknown = Execution(Status.RE, failure=Failure("NoSuchTest", "the repository has no such test"))
        return [runs.get(text, unknown) for text in texts]

    async def _run_examples(
        self, task: Task, written: Written, groups: Sequence[ExampleGroup]
    ) -> dict[str, Execution]:
        request = {
            "do": "examples",
            "module": task.place_module,
            "groups": [[item.source for item in group.examples] for group in groups],
            "limits": limits_as_json(TEST_LIMITS),
        }
        total_s = len(groups) * TEST_LIMITS.wall_ceiling_s
        answers = await self._workshop.ask(_version(written), request, total_s, task.base)
        runs = {}
        for group, answer in zip(groups, answers, strict=True):
            run = _execution(task, written, answer, TEST_LIMITS)
            _note_blocked(task, group.text, answer)
            runs[group.text] = run if run.status is not Status.OK else _judge(group, answer, run)
        return runs

    async def _run_tests(
        self, task: Task, written: Written, tests: Sequence[TestFunction]
    ) -> dict[str, Execution]:
        ids = [name for test in tests for name in test.ids]
        run = await self._workshop.run_tests(_version(written), ids, TEST_LIMITS, _TEST_TOTAL_S)
        by_id = {str(item["test"]): item for item in run.results}
        lost = {"status": "RE", "failure": ["NotRun", "the test process ended before this test"]}
        if run.is_over:
            lost = {"status": "TLE", "limit": "wall"}
        executions = {}
        for test in tests:
            answers = [by_id.get(name, lost) for name in test.ids]
            worst = next((item for item in answers if item["status"] != "OK"), answers[0])
            _note_blocked(task, test.text, worst)
            executions[test.text] = _execution(task, written, worst, TEST_LIMITS, test)
        return executions


def _version(written: Written) -> dict[Path, bytes]:
    return {written.source.path: written.source.data}


def _note_blocked(task: Task, text: str, answer: dict[str, Any]) -> None:
    if set(answer.get("reached", ())) - {task.stub.label}:
        task.blocked.add(text)


def _judge(group: ExampleGroup, answer: dict[str, Any], run: Execution) -> Execution:
    """Compare what each example gave with what it has to give."""
    outcomes = answer.get("outcomes")
    if not isinstance(outcomes, list) or len(outcomes) != len(group.examples):
        return Execution(Status.RE, failure=Failure("NotRun", "the examples did not come to their end"))
    for example, (got, raised) in zip(group.examples, outcomes, strict=True):
        fault = judge_example(example, Wanted(str(got), str(raised)))
        if fault:
            message = f">>> {example.source.strip()} : {fault}"
            return Execution(Status.RE, failure=Failure("AssertionError", message[:500]), cpu_s=run.cpu_s)
    return run


def _execution(
    task: Task, written: Written, answer: dict[str, Any], limits: Limits, test: TestFunction | None = None
) -> Execution:
    """What the inside told, as the record that the method knows."""
    status = Status(answer["status"])
    others = set(answer.get("reached", ())) - {task.stub.label}
    task.reached.update(others)
    failure = None
    stderr = ""
    if status is not Status.OK:
        kind, message = [*answer.get("failure", ["", ""]), "", ""][:2]
        place = _line_text(written, answer)
        at = f" (in line `{place}`)" if place else ""
        also = f"; it calls {', '.join(sorted(others))}, still open" if others else ""
        failure = Failure(str(kind), f"{message}{at}{also}"[:500]) if kind else None
        line = int(answer.get("line") or 0)
        if test is not None and line:
            stderr = f'File "test.py", line {line - test.first_line + 2}'  # the text has one line before it
    if status is Status.OK and answer.get("memory_mb", 0) > limits.memory_mb:
        status = Status.MLE
    return Execution(
        status,
        stdout=str(answer.get("stdout", "")) if "result" not in answer else "",
        stderr=stderr,
        result=answer.get("result"),
        failure=failure,
        cpu_s=float(answer.get("cpu_s", 0.0)),
        wall_s=float(answer.get("wall_s", 0.0)),
        memory_mb=float(answer.get("memory_mb", 0.0)),
        limit=answer.get("limit"),
    )


def _line_text(written: Written, answer: dict[str, Any]) -> str:
    """The line of the new body in which it failed."""
    own = [
        int(line)
        for file, line in answer.get("places", ())
        if Path(str(file)) == written.source.path and written.first_line <= int(line) <= written.last_line
    ]
    return split_lines(written.source.text)[own[-1] - 1].strip()[:120] if own else ""
