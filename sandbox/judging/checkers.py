"""Asks a problem's checker program about an output: one run of its own, confined like a candidate's.

In Python it reads {"input", "expected", "output"} as JSON on standard input, and status 0 accepts. In C++ it
is called as testlib's are, with the paths of input, output and answer, and its exit status is testlib's. It
is never in one process with a candidate, nor beside one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sstar_code.problems.formats.judges import (
    CPP,
    assemble_judge,
    is_cpp,
    lacks_testlib,
    refuse_without_testlib,
)
from sstar_code.sandbox.inside.frames import pack_files
from sstar_code.sandbox.judging.ruling import (
    CHECKER_AT_FAULT,
    Ruling,
    read_exit_status,
    read_score,
    rule_by_score,
    rule_by_testlib,
)
from sstar_code.sandbox.outcome import Execution, Limits, Mode, Program, Sandbox, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstar_code.problems import Problem, Test

_NOTE_CHARS = 500
_KEPT_CHARS = 1 << 16
_LIMITS = Limits(cpu_s=10.0, kept_chars=_KEPT_CHARS)


async def ask_checker(sandbox: Sandbox, problem: Problem, test: Test, output: str) -> Ruling:
    """The verdict of the problem's checker program on `output`.

    Its exit status rejects, and so does every failure that the output makes: an exception, a limit, a signal.
    Where what is expected, given as output, makes it fail as well, or it does not compile, it is at fault
    itself: the verdict is IE, as nothing is known of the candidate, and the words say so.

    Raises:
        UserError: it includes testlib's header, which was not named.
    """
    assert not isinstance(problem.checker, str)
    program = build(problem.checker, problem.id, "checker")
    end = await _ask(sandbox, program, test, output)
    if (ruling := _rule(end, program, problem)) is not None:
        return ruling
    if end.status is Status.IE:
        return Ruling(Verdict.IE, f"the checker's run was lost: {tell(end)}")
    told = f"{end.status.value}: {tell(end)[:_NOTE_CHARS]}"
    if end.status is not Status.CE:
        known = await _ask(sandbox, program, test, test.output)
        if _rule(known, program, problem) is not None:
            return Ruling(Verdict.WA, f"the checker cannot read it: {told}")
        if known.status is Status.IE:
            return Ruling(Verdict.IE, f"the checker's run was lost: {tell(known)}")
    return Ruling(Verdict.IE, f"{CHECKER_AT_FAULT}: {told}")


def build(judge: Mapping[str, str], problem_id: str, role: str) -> Program:
    """The program that is run for `judge`, given files where it is in C++.

    Raises:
        UserError: it includes testlib's header, which was not named.
    """
    if not is_cpp(judge):
        return Program(judge["program"])
    if lacks_testlib(judge):
        raise refuse_without_testlib(problem_id, role)
    return Program(assemble_judge(judge), Mode.FILES, language=CPP)


async def _ask(sandbox: Sandbox, program: Program, test: Test, output: str | None) -> Execution:
    if program.mode is Mode.FILES:
        question = pack_files(test.input, output or "", test.output or "")
    else:
        question = json.dumps({"input": test.input, "expected": test.output, "output": output})
    (end,) = await sandbox.run(program, [question], _LIMITS)
    return end


def _rule(end: Execution, program: Program, problem: Problem) -> Ruling | None:
    """What the checker says; None where it did not come to say anything."""
    if program.mode is Mode.FILES:
        status = read_exit_status(end)
        return None if status is None else rule_by_testlib(status, end.stderr, problem.full_score)
    if end.status is Status.OK:
        return _read_python(end, problem)
    return Ruling(Verdict.WA, f"the checker: {tell(end)[:_NOTE_CHARS]}") if _has_rejected(end) else None


def _read_python(end: Execution, problem: Problem) -> Ruling:
    """The verdict of status 0: with scores the last word printed is the number, else the output is right."""
    if problem.full_score is None:
        return Ruling(Verdict.AC)
    lines = end.stdout.split()
    score = read_score(lines[-1], problem.full_score) if lines else None
    return Ruling(Verdict.AC, "", 1.0) if score is None else rule_by_score(score)


def _has_rejected(end: Execution) -> bool:
    """Whether a checker program ended by itself, with an exit status or an exception."""
    return end.status is Status.RE and not (
        end.failure is not None and end.failure.type.startswith(("SIG", "signal "))
    )


def tell(end: Execution) -> str:
    """The words with which a checker program ended: the text it left, else its status."""
    failure = end.failure
    if _has_rejected(end) and (failure is None or failure.type.startswith("exit status")):
        own = failure.message if failure else ""
        lines = [line.strip() for text in (end.stderr, end.stdout) for line in text.splitlines()[-1:]]
        if said := own or next(filter(None, lines), ""):
            return said
    return ": ".join(part for part in (failure.type, failure.message) if part) if failure else ""
