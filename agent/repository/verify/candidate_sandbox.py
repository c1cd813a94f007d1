"""A sandbox for candidates that are one function of a repository; all else goes to another sandbox.

The method develops and selects programs by running them in a `sandbox.Sandbox`. Here a program is the source
of a function: it is put in place in its file, and that version of the repository runs by itself. A call gives
what the function does on plain arguments; an assertion names a group of examples or a test function. What
examples have to give is compared here, outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sstar_code.agent.repository.find.doctests import judge_examples
from sstar_code.agent.repository.find.project_files import split_lines
from sstar_code.agent.repository.task.call import BEHAVIOURS
from sstar_code.agent.repository.verify.runner import TEST_LIMITS, limits_as_json
from sstar_code.agent.repository.write.changes import normalise_change
from sstar_code.agent.repository.write.splice import NO_FIT, MisfitError, put_candidate
from sstar_code.problems.values import decode
from sstar_code.sandbox.outcome import Execution, Failure, Limits, Mode, Program, SandboxWrapper, Status
from sstar_code.sandbox.repository import RepositoryLostError

if TYPE_CHECKING:
    from sstar_code.agent.repository.task.checks import TestFunction
    from sstar_code.agent.repository.task.problem import Task
    from sstar_code.agent.repository.verify.runner import RepositoryRunner
    from sstar_code.agent.repository.write.splice import Written
    from sstar_code.sandbox.environment import Environment
    from sstar_code.sandbox.outcome import Sandbox


_CALLS = "calls an open function: "
"""Begins the lines of an execution's standard error that name the open functions which it called: so they are
known where the execution is remembered, too."""


class CandidateSandbox:
    """Implements `sandbox.Sandbox` over a sandbox and a runner that have been entered."""

    def __init__(self, runner: RepositoryRunner, *, fallback: Sandbox) -> None:
        """Candidates for the tasks that are added run in `runner`, all other programs in `fallback`."""
        self.name = fallback.name
        self._fallback = fallback
        self._runner = runner
        self._tasks: dict[str, Task] = {}
        self._firsts: dict[tuple[str, str], str] = {}
        self._known: dict[tuple[str, str], str] = {}

    @property
    def workers(self) -> int:
        """Programs that run at once."""
        return self._fallback.workers

    @property
    def environment(self) -> Environment:
        """What programs that are no candidates find."""
        return self._fallback.environment

    def add(self, task: Task) -> None:
        """Know candidates for `task` by their preamble."""
        self._tasks[task.mark] = task

    def find_first(self, mark: str, code: str) -> str:
        """The first candidate for the task `mark` that changes its file as `code` does."""
        task = self._tasks.get(mark)
        if task is None:
            return code
        if (mark, code) not in self._known:
            change = normalise_change(task.stub, code)
            self._known[mark, code] = self._firsts.setdefault((mark, change), code)
        return self._known[mark, code]

    def note(self, program: Program, inputs: Sequence[str], runs: Sequence[Execution]) -> None:
        """Note in the task of `program` which open functions its runs called, and in which checks."""
        task = self._tasks.get(program.preamble.partition("\n")[0])
        if task is None:
            return
        for text, run in zip(inputs, runs, strict=False):  # the first failure may have ended them
            lines = run.stderr.splitlines()
            others = {line.removeprefix(_CALLS) for line in lines if line.startswith(_CALLS)}
            task.reached.update(others)
            if others and program.mode is Mode.ASSERT:
                task.blocked.add(text)
                task.got_far.add(program.code)

    async def __aenter__(self) -> Self:
        """Do nothing: both are their owner's to enter."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing: both are their owner's to leave."""

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """As `Sandbox.run`; a candidate that does not fit into its file is `CE`."""
        task = self._tasks.get(program.preamble.partition("\n")[0])
        if task is None:
            return await self._fallback.run(program, inputs, limits, stop_on_failure=stop_on_failure)
        try:
            written = put_candidate(task.stub, program.code)
        except MisfitError as error:
            return [Execution(Status.CE, failure=Failure(NO_FIT, str(error)))] * len(inputs)
        try:
            if program.mode is Mode.CALL:
                runs = await self._call(task, written, inputs, limits)
            else:
                runs = await self._check(task, written, inputs)
        except RepositoryLostError as error:
            lost = Failure("RepositoryLost", f"it ended the process that runs it: {error.reason}")
            runs = [Execution(Status.RE, failure=lost)] * len(inputs)
        if stop_on_failure:
            bad = [index for index, run in enumerate(runs) if run.status is not Status.OK]
            runs = runs[: bad[0] + 1] if bad else runs
        return runs

    async def _call(
        self, task: Task, written: Written, inputs: Sequence[str], limits: Limits
    ) -> list[Execution]:
        if task.target is None:
            failure = Failure("CannotBeCalled", "it takes objects that plain values do not make")
            return [Execution(Status.RE, failure=failure)] * len(inputs)
        public_inputs = {test.input for test in task.checks.literals}
        request = {
            "do": "call",
            "target": task.target.as_json(),
            "inputs": list(inputs),
            "plain": [text in public_inputs for text in inputs],
            "limits": limits_as_json(limits),
        }
        total_s = len(inputs) * limits.wall_ceiling_s
        answers = await self._runner.ask(_version(written), request, total_s, task.place.base)
        runs = [_execution(task, written, answer, limits) for answer in answers]
        return [
            run if answer.get("is_behaviour") is True or text in public_inputs else _tell_apart(run)
            for run, answer, text in zip(runs, answers, inputs, strict=True)
        ]

    async def _check(self, task: Task, written: Written, texts: Sequence[str]) -> list[Execution]:
        """Run the examples and tests that `texts` are the texts of."""
        groups = [item for item in task.checks.groups if item.text in texts]
        tests = [item for item in task.checks.tests if item.text in texts]
        runs: dict[str, Execution] = {}
        if groups:
            examples = [group.examples for group in groups]
            answers = await self._runner.run_examples(_version(written), task.place, examples)
            for group, answer in zip(groups, answers, strict=True):
                run = _execution(task, written, answer, TEST_LIMITS)
                fault: str | None = ""
                if run.status is Status.OK:
                    fault = judge_examples(group.examples, answer.get("outcomes"))
                runs[group.text] = run if fault == "" else _failed_examples(fault, run)
        if tests:
            runs |= await self._run_tests(task, written, tests)
        unknown = Execution(Status.RE, failure=Failure("NoSuchTest", "the repository has no such test"))
        return [runs.get(text, unknown) for text in texts]

    async def _run_tests(
        self, task: Task, written: Written, tests: Sequence[TestFunction]
    ) -> dict[str, Execution]:
        ids = [name for test in tests for name in test.ids]
        run = await self._runner.run_tests(_version(written), ids)
        by_id = {str(item["test"]): item for item in run.results}
        lost = {"status": "RE", "failure": ["NotRun", "the test process ended before this test"]}
        if run.is_over:
            lost = {"status": "TLE", "limit": "wall"}
        executions = {}
        for test in tests:
            answers = [by_id.get(name, lost) for name in test.ids]
            worst = next((item for item in answers if item["status"] != "OK"), answers[0])
            stderr = ""
            if line := int(worst.get("line") or 0):  # the text shown has one line before the test's first
                stderr = f'File "test.py", line {line - test.first_line + 2}'
            executions[test.text] = _execution(task, written, worst, TEST_LIMITS, stderr=stderr)
        return executions


class NotingSandbox(SandboxWrapper):
    """A sandbox whose runs are noted, also those that it only remembers.

    Candidates that change the file alike run as the first of them, so once.
    """

    def __init__(self, sandbox: Sandbox, candidates: CandidateSandbox) -> None:
        """Run in `sandbox`, and let `candidates` note what it gives."""
        super().__init__(sandbox)
        self._candidates = candidates

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """As `Sandbox.run`."""
        mark = program.preamble.partition("\n")[0]
        program = replace(program, code=self._candidates.find_first(mark, program.code))
        runs = await self._sandbox.run(program, inputs, limits, stop_on_failure=stop_on_failure)
        self._candidates.note(program, inputs, runs)
        return runs


def _tell_apart(run: Execution) -> Execution:
    """The same run, where what it returned looks like another behaviour: `{"returned": ...}` then.

    What a call did besides returning a value is a dictionary, as in `inside.project`; a returned one may be
    just like it.
    """
    try:
        value = None if run.result is None else decode(run.result)
    except (ValueError, RecursionError):
        return run
    if isinstance(value, dict) and value and set(value) <= BEHAVIOURS:
        return replace(run, result=f'{{"returned": {run.result}}}')
    return run


def _version(written: Written) -> dict[Path, bytes]:
    return {written.source.path: written.source.data}


def _failed_examples(fault: str | None, run: Execution) -> Execution:
    failure = Failure("NotRun", "the examples did not come to their end")
    if fault is not None:
        failure = Failure("AssertionError", fault[:500])
    return replace(run, status=Status.RE, failure=failure)


def _execution(
    task: Task, written: Written, answer: dict[str, Any], limits: Limits, *, stderr: str = ""
) -> Execution:
    """The answer as the record that the method knows."""
    status = Status(answer["status"])
    others = set(answer.get("reached", ())) - {task.stub.label}
    failure = None
    if status is Status.OK:
        stderr = ""
        if answer.get("memory_mb", 0) > limits.memory_mb:
            status = Status.MLE
    else:
        kind, message = [*answer.get("failure", ["", ""]), "", ""][:2]
        line = _failing_line(written, answer)
        at = f" (in line `{line}`)" if line else ""
        names = sorted(label.rpartition("::")[2] for label in others)
        also = f"; it calls {', '.join(names)}, still open" if names else ""
        failure = Failure(str(kind), f"{message}{at}{also}"[:500]) if kind else None
    return Execution(
        status,
        stdout=str(answer.get("stdout", "")) if "result" not in answer else "",
        stderr="\n".join([stderr, *(f"{_CALLS}{label}" for label in sorted(others))]).lstrip("\n"),
        result=answer.get("result"),
        failure=failure,
        cpu_s=float(answer.get("cpu_s", 0.0)),
        wall_s=float(answer.get("wall_s", 0.0)),
        memory_mb=float(answer.get("memory_mb", 0.0)),
        limit=answer.get("limit"),
    )


def _failing_line(written: Written, answer: dict[str, Any]) -> str:
    """The line of the new body in which it failed."""
    own = [
        int(line)
        for file, line in answer.get("places", ())
        if Path(str(file)) == written.source.path and written.first_line <= int(line) <= written.last_line
    ]
    return split_lines(written.source.text)[own[-1] - 1].strip()[:120] if own else ""
