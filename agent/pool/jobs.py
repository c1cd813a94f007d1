"""A job: a program with inputs to run it on, or with tests to judge it by, as a request has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sstar_code.agent.jobs.grade_samples import describe_report
from sstar_code.agent.serving.errors import RefusedError, bad_request
from sstar_code.problems import Kind, Problem, ProblemFileError
from sstar_code.problems.errors import show, suggest
from sstar_code.problems.formats.jsonl import read_problem
from sstar_code.problems.formats.judges import (
    TESTLIB,
    attach_header,
    find_judges,
    lacks_testlib,
    list_languages,
)
from sstar_code.problems.formats.rows import Row
from sstar_code.problems.values import encode
from sstar_code.sandbox import Execution, Sandbox, Status, Verdict
from sstar_code.sandbox.grade import limits_for, program_for, run_tests
from sstar_code.sandbox.languages.marks import mark
from sstar_code.sandbox.languages.table import PYTHON, find_language

MOST_JOBS = 10_000
"""Jobs of one request."""
MOST_RUNS = 300_000
"""Runs of one request: each takes memory for what is told of it, also where nothing is printed."""
MOST_ANSWER_MB = 256
"""Megabytes of one request's results, as they are sent."""
_AT_ONCE = 200
"""Inputs that are run before what is kept of them is counted."""
_OF_PROBLEMS = ("entry_point", "time_limit_s", "memory_limit_mb", "int_digits", "checker", "preamble", "call")
_KEYS = ("id", "code", "language", "inputs", "tests", "stop_on_failure", *_OF_PROBLEMS)
_REQUEST_KEYS = ("jobs", "priority", "stream")
_MOST_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Job:
    """One program and what is to be done with it."""

    id: str
    """As the client named it, or its place in the request, from 0."""
    code: str
    """Marked with its language (`sandbox.languages.marks`) where that is not Python."""
    problem: Problem
    """Entry point, limits and checker; with tests to judge by also those."""
    inputs: tuple[str, ...] | None
    """None: the problem's hidden tests are judged."""
    stop_on_failure: bool = False

    @property
    def runs(self) -> int:
        """Runs of the program at most, and at least 1."""
        return max(1, len(self.problem.hidden_tests if self.inputs is None else self.inputs))


@dataclass(frozen=True, slots=True)
class Batch:
    """The jobs of one request."""

    jobs: tuple[Job, ...]
    priority: int = 0
    """Jobs of a higher one are run first."""
    stream: bool = False
    """Whether each result is sent as it comes, else all at the end in the order of the jobs."""


def read_batch(body: Any, languages: Collection[str] = (PYTHON,), testlib: str | None = None) -> Batch:
    """The jobs that a request's body asks for.

    `languages` are those that the sandbox has, `testlib` is the text of the header for checkers in C++.

    Raises:
        RefusedError: it is not in the form that docs/operating/pool.md has; the message names job and key.
    """
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object with `jobs`")
    _refuse_unknown(body, _REQUEST_KEYS, "")
    jobs = body.get("jobs")
    if not isinstance(jobs, list) or not jobs:
        raise bad_request("`jobs` must be a list with at least one job", "jobs")
    if len(jobs) > MOST_JOBS:
        raise bad_request(f"{len(jobs)} jobs; one request holds at most {MOST_JOBS}: send several", "jobs")
    priority, stream = body.get("priority", 0), body.get("stream", False)
    if type(priority) is not int or abs(priority) > _MOST_PRIORITY:
        raise bad_request(
            f"`priority` must be an integer from -{_MOST_PRIORITY} to {_MOST_PRIORITY}", "priority"
        )
    if not isinstance(stream, bool):
        raise bad_request("`stream` must be true or false", "stream")
    made = tuple(_read_job(number, item, languages, testlib) for number, item in enumerate(jobs))
    runs = sum(job.runs for job in made)
    if runs > MOST_RUNS:
        raise bad_request(f"{runs} runs; one request holds at most {MOST_RUNS}: send several", "jobs")
    return Batch(made, priority, stream)


def _refuse_unknown(data: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in data:
        if key not in known:
            raise bad_request(
                f"{where}unknown key {key!r}{suggest(key, known)}; known are {', '.join(known)}", key
            )


def _read_job(number: int, data: Any, languages: Collection[str], testlib: str | None) -> Job:
    where = f"jobs[{number}]: "
    if not isinstance(data, dict):
        raise bad_request(f"{where}a job must be a JSON object")
    _refuse_unknown(data, _KEYS, where)
    code, inputs, tests = data.get("code"), data.get("inputs"), data.get("tests")
    if not isinstance(code, str):
        raise bad_request(f"{where}`code` must be the text of a program", "code")
    if (inputs is None) == (tests is None):
        raise bad_request(f"{where}give `inputs` to run the program on, or `tests` to judge it by", "inputs")
    stop = data.get("stop_on_failure", False)
    if not isinstance(stop, bool):
        raise bad_request(f"{where}`stop_on_failure` must be true or false", "stop_on_failure")
    name = data.get("id", str(number))
    if not isinstance(name, str):
        raise bad_request(f"{where}`id` must be a text", "id")
    entry_point = data.get("entry_point")
    row = {key: data[key] for key in _OF_PROBLEMS if key in data}
    row |= {"id": "job", "statement": "-", "kind": "stdin" if entry_point is None else "function"}
    row["hidden_tests"] = [] if tests is None else tests
    try:
        problem = read_problem(Row(Path("request"), number, row))
    except ProblemFileError as error:
        raise bad_request(where + str(error).partition(": ")[2]) from None
    problem = _equip(problem, where, languages, testlib)
    texts = None if inputs is None else _read_inputs(inputs, where, is_call=entry_point is not None)
    if inputs is None and not problem.hidden_tests:
        raise bad_request(f"{where}`tests` must hold at least one test", "tests")
    return Job(
        name, _mark(code, data.get("language", PYTHON), where, problem, languages), problem, texts, stop
    )


def _equip(problem: Problem, where: str, languages: Collection[str], testlib: str | None) -> Problem:
    """`problem` with the header in its checker, which this pool can run."""
    problem = attach_header(problem, testlib, need=False)
    why = ""
    if list_languages([problem]) and all(name == PYTHON for name in languages):
        why = "is in C++, and this pool has Python alone; start it with `sstar pool --language cpp`"
    elif any(map(lacks_testlib, find_judges(problem).values())):
        why = f"includes {TESTLIB}, which this pool has not; start it with `sstar pool --testlib PATH`"
    if why:
        raise bad_request(f"{where}its checker {why}", "checker")
    return problem


def _mark(code: str, name: Any, where: str, problem: Problem, languages: Collection[str]) -> str:
    try:
        language = find_language(name if isinstance(name, str) else show(name, 60)).name
    except ValueError as error:
        raise bad_request(f"{where}{error}", "language") from None
    if language not in languages:
        raise bad_request(
            f"{where}this pool has no {language}; start it with `sstar pool --language {language}`",
            "language",
        )
    if language != PYTHON and problem.kind is not Kind.STDIN:
        raise bad_request(
            f"{where}a {language} program reads standard input; it is not called", "entry_point"
        )
    return mark(code, language)


def _read_inputs(inputs: Any, where: str, *, is_call: bool) -> tuple[str, ...]:
    """Texts for standard input; of a call's arguments one value a line."""
    if not isinstance(inputs, list):
        raise bad_request(f"{where}`inputs` must be a list", "inputs")
    texts = []
    for item in inputs:
        if isinstance(item, list) and is_call:
            texts.append("\n".join(map(encode, item)))
        elif isinstance(item, str):
            texts.append(item)
        else:
            form = "a list of arguments or their text, a value a line" if is_call else "a text"
            raise bad_request(f"{where}each of `inputs` must be {form}", "inputs")
    return tuple(texts)


async def run_job(sandbox: Sandbox, job: Job) -> dict[str, Any]:
    """What came of the job, as it is sent.

    Raises:
        SandboxError: no program can be run any more.
    """
    if job.inputs is None:
        tests = tuple(job.problem.hidden_tests)
        report = await run_tests(sandbox, job.problem, job.code, tests, stop_on_failure=job.stop_on_failure)
        return {"id": job.id, **describe_report(report)}
    program, limits = program_for(job.problem, job.code), limits_for(job.problem)
    executions: list[Execution] = []
    kept = 0
    for start in range(0, len(job.inputs), _AT_ONCE):
        inputs = job.inputs[start : start + _AT_ONCE]
        runs = await sandbox.run(program, inputs, limits, stop_on_failure=job.stop_on_failure)
        executions += runs
        kept += sum(len(run.stdout) + len(run.stderr) + len(run.result or "") for run in runs)
        if kept > MOST_ANSWER_MB << 20:
            raise too_long()
        if job.stop_on_failure and runs[-1].status is not Status.OK:
            break
    return {"id": job.id, "executions": [_to_json(run) for run in executions]}


def too_long() -> RefusedError:
    """The error of a request whose results are more than memory should hold."""
    return RefusedError(
        413,
        f"the results are longer than {MOST_ANSWER_MB} MB: send fewer jobs or inputs at once",
        code="results_too_large",
    )


def _to_json(run: Execution) -> dict[str, Any]:
    made = asdict(run)
    made["status"] = run.status.value
    return made


def is_lost(result: Mapping[str, Any]) -> bool:
    """Whether the sandbox failed, not the program: the same job may be asked for again."""
    if "verdict" in result:
        return bool(result["verdict"] == Verdict.IE.value)
    return any(run["status"] == Verdict.IE.value for run in result["executions"])
