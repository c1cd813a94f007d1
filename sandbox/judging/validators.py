"""Asks a problem's validator about inputs: it reads one on standard input and ends well if it is allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.problems.formats.judges import CPP, is_cpp
from sstar_code.sandbox.judging.checkers import build, tell
from sstar_code.sandbox.judging.ruling import read_exit_status, shorten
from sstar_code.sandbox.outcome import Limits, Program, Sandbox, SandboxError, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.problems import Problem

_LIMITS = Limits(cpu_s=10.0, kept_chars=1 << 12)
VALIDATOR_AT_FAULT = "the validator of the problem is at fault"


def build_validator(problem: Problem) -> Program:
    """The problem's validator, which reads an input on standard input.

    Raises:
        UserError: it includes testlib's header, which was not named.
    """
    assert problem.validator is not None
    program = build(problem.validator, problem.id, "validator")
    return Program(program.code, language=CPP) if is_cpp(problem.validator) else program


async def find_objections(sandbox: Sandbox, problem: Problem, inputs: Sequence[str]) -> list[str]:
    """What the problem's validator has against each of `inputs`; empty where it accepts it.

    Raises:
        SandboxError: the sandbox lost a run.
        UserError: it includes testlib's header, which was not named.
    """
    assert problem.validator is not None
    program = build_validator(problem)
    limits = replace(_LIMITS, memory_mb=max(_LIMITS.memory_mb, problem.memory_limit_mb))
    found = []
    for run in await sandbox.run(program, inputs, limits):
        if run.status is Status.IE:
            raise SandboxError(f"a run of the validator of {problem.id} was lost: {tell(run)}")
        status = read_exit_status(run)
        ended = status is not None or (run.status is Status.RE and not is_cpp(problem.validator))
        if not ended:
            found.append(f"{VALIDATOR_AT_FAULT}: {run.status.value}: {tell(run)}")
        else:
            words = shorten(run.stderr) if is_cpp(problem.validator) else shorten(tell(run))
            found.append("" if run.status is Status.OK else words or "no reason is given")
    return found
