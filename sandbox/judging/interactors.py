"""Reads what came of a candidate that talked to a problem's interactor.

Whoever ended first ended by itself (`inside.judging.talk`), and that decides: a verdict of the interactor
that did not need the candidate's end stands, and a candidate that failed before there was one has failed.
Where the problem has a checker program too, that judges what the interactor wrote, as the last.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sstar_code.problems.formats.judges import (
    CPP,
    assemble_judge,
    is_cpp,
    lacks_testlib,
    refuse_without_testlib,
)
from sstar_code.sandbox.inside.frames import pack_files
from sstar_code.sandbox.judging.checkers import ask_checker
from sstar_code.sandbox.judging.ruling import (
    CHECKER_AT_FAULT,
    INTERACTOR_AT_FAULT,
    Ruling,
    rule_by_testlib,
    shorten,
)
from sstar_code.sandbox.languages.table import PYTHON
from sstar_code.sandbox.outcome import JUDGE_ERROR, Execution, Limits, Mode, Program, Status, Verdict, is_cut

if TYPE_CHECKING:
    from sstar_code.problems import Problem, Test
    from sstar_code.sandbox.outcome import Sandbox

_GONE = ("SIGPIPE", "BrokenPipeError", "EOFError")
"""How a candidate ends that finds the interactor gone."""


@dataclass(frozen=True, slots=True)
class Talk:
    """How a conversation ended, as far as the interactor goes."""

    status: int
    """Its exit status; of one that was ended by a signal minus the signal."""
    killed: str
    """The limit that it was over, if any."""
    first: str
    """Who ended first: `program`, `judge` or `both`."""
    words: str
    """What it wrote to standard error."""
    written: str
    """What it wrote to its output file."""


def pair_up(program: Program, problem: Problem) -> Program:
    """`program` together with the problem's interactor.

    Raises:
        UserError: it includes testlib's header, which was not named.
    """
    judge = problem.interactor
    assert judge is not None
    if lacks_testlib(judge):
        raise refuse_without_testlib(problem.id, "interactor")
    language = CPP if is_cpp(judge) else PYTHON
    return Program(
        program.code,
        Mode.INTERACT,
        preamble=program.preamble,
        language=program.language,
        judge=assemble_judge(judge),
        judge_language=language,
    )


def pack_test(test: Test) -> str:
    """The input of a run against the interactor: the test's input, no output, and the answer."""
    return pack_files(test.input, "", test.output or "")


def read_talk(run: Execution) -> Talk | None:
    """What the run says of the interactor; None where there was none, because the candidate never started."""
    (line, _, written) = run.stdout.partition("\n")
    try:
        told = json.loads(line)
    except ValueError:
        return None
    number = told["status"] & 0x7F
    status = -number if number else told["status"] >> 8
    return Talk(status, told["killed"], told["first"], told["stderr"], written)


def show_output(run: Execution) -> Execution:
    """`run` with what the interactor wrote to its output file as the output, for whoever reads it."""
    talk = read_talk(run)
    return run if talk is None else replace(run, stdout=talk.written)


def is_broken(run: Execution) -> bool:
    """Whether the interactor does not compile."""
    return run.failure is not None and run.failure.type == JUDGE_ERROR


async def rule_talk(sandbox: Sandbox, problem: Problem, test: Test, run: Execution) -> Ruling:
    """The verdict on a conversation; IE where the interactor is at fault."""
    if is_broken(run):
        return Ruling(Verdict.IE, f"{INTERACTOR_AT_FAULT}: CE: {run.failure.message if run.failure else ''}")
    talk = read_talk(run)
    if talk is None:
        return Ruling(Verdict(run.status.value) if run.status is not Status.OK else Verdict.IE)
    failed = run.status is not Status.OK
    broke_off = failed and run.failure is not None and run.failure.type in _GONE
    if failed and not (talk.first == "judge" and broke_off):
        return Ruling(Verdict(run.status.value))
    ended = talk.killed or talk.status < 0
    if talk.status == -signal.SIGPIPE and not talk.killed:
        return Ruling(Verdict.WA, "the program ended before the interactor was through")
    if ended:
        return await _blame(sandbox, problem, test, talk)
    return await _conclude(sandbox, problem, test, talk)


async def _conclude(sandbox: Sandbox, problem: Problem, test: Test, talk: Talk) -> Ruling:
    """The verdict of an interactor that came to one; where it accepts, that of a checker program."""
    ruling = rule_by_testlib(talk.status, talk.words, problem.full_score)
    if ruling.verdict is Verdict.AC and not isinstance(problem.checker, str):
        return await _ask_last(sandbox, problem, test, talk)
    note = ruling.note.replace(CHECKER_AT_FAULT, INTERACTOR_AT_FAULT).replace(
        "the checker:", "the interactor:"
    )
    return Ruling(ruling.verdict, note, ruling.score)


async def _ask_last(sandbox: Sandbox, problem: Problem, test: Test, talk: Talk) -> Ruling:
    """The checker's verdict on what the interactor wrote to its output file, which is its `ouf`."""
    if is_cut(talk.written):
        return Ruling(Verdict.IE, f"{INTERACTOR_AT_FAULT}: it writes more than its checker is given")
    return await ask_checker(sandbox, problem, test, talk.written)


async def _blame(sandbox: Sandbox, problem: Problem, test: Test, talk: Talk) -> Ruling:
    """Whose fault it is that the interactor broke: its own where it does so when nobody says anything."""
    how = f"over its limit of {talk.killed}" if talk.killed else signal.Signals(-talk.status).name
    said = shorten(talk.words)
    told = f"{how}: {said}" if said else how
    silent = pair_up(Program(""), problem)
    (run,) = await sandbox.run(silent, [pack_test(test)], Limits())
    alone = read_talk(run)
    if alone is not None and not alone.killed and (alone.status >= 0 or alone.status == -signal.SIGPIPE):
        return Ruling(Verdict.WA, f"the interactor cannot follow it: {told}")
    return Ruling(Verdict.IE, f"{INTERACTOR_AT_FAULT}: {told}")
