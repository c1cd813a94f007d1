"""Runs a problem's generator: a program that is told by its arguments which input it prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.problems.formats.judges import (
    CPP,
    GENERATOR,
    assemble_judge,
    is_cpp,
    lacks_testlib,
    list_commands,
    refuse_without_testlib,
)
from sstar_code.sandbox.judging.checkers import tell
from sstar_code.sandbox.outcome import Limits, Mode, Program, Sandbox, SandboxError, Status, is_cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.problems import Problem

MOST_CHARS = 1 << 20
"""Characters of the longest input that is looked at."""
_MOST_RUNS = 50
_LIMITS = Limits(cpu_s=10.0, kept_chars=MOST_CHARS)
_ARGUMENTS = """\
import random, sys
sys.argv[1:] = filter(None, sys.stdin.read().split("\\n"))
random.seed(repr(sys.argv[1:]))
"""
"""For generators in Python: their arguments, and for those that set no seed another one for each of them."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What came of one run of a generator."""

    command: str
    """Its arguments, for messages."""
    input: str
    """What it printed; empty where it failed, or where that is too long to be looked at."""
    fault: str = ""
    """How it failed, in one line."""


def build_generator(problem: Problem) -> Program:
    """The problem's generator; the input of a run is its arguments, one a line.

    Raises:
        UserError: it includes testlib's header, which was not named.
    """
    generator = problem.generator
    assert generator is not None
    if not is_cpp(generator):
        return Program(generator["program"], preamble=_ARGUMENTS)
    if lacks_testlib(generator):
        raise refuse_without_testlib(problem.id, GENERATOR)
    return Program(assemble_judge(generator), Mode.ARGUMENTS, language=CPP)


async def make_inputs(sandbox: Sandbox, problem: Problem) -> list[Generated]:
    """What the problem's generator prints for each of its commands, the first fifty.

    Raises:
        SandboxError: the sandbox lost a run.
        UserError: it includes testlib's header, which was not named.
    """
    assert problem.generator is not None
    commands: Sequence[str] = list_commands(problem.generator)[:_MOST_RUNS]
    found = []
    for command, run in zip(
        commands, await sandbox.run(build_generator(problem), commands, _LIMITS), strict=True
    ):
        shown = command.replace("\n", " ")
        if run.status is Status.IE:
            raise SandboxError(f"a run of the generator of {problem.id} was lost: {tell(run)}")
        if run.status is not Status.OK:
            found.append(Generated(shown, "", f"{run.status.value}: {tell(run)}"))
        else:
            found.append(Generated(shown, "" if is_cut(run.stdout) else run.stdout))
    return found
