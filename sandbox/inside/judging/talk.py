"""A candidate and its interactor, each the other's standard input and output, confined apart.

Each has its own user where there is one for each run, and its own files; the interactor alone has those of
the test. We hold all four ends of the two pipes until one of the two has ended: so whoever is found to have
ended first did that by itself, and did not merely find the other gone.
"""

from __future__ import annotations

import errno
import json
import os
import signal
from typing import Any, NamedTuple

from sstar_code.sandbox.inside import driver, kernel, run
from sstar_code.sandbox.inside.compiling import native
from sstar_code.sandbox.inside.judging import files

_MORE_WALL_S = 20.0
"""The interactor may wait so much longer than the candidate, whose silence ends the run."""
_FLAG = 3
"""The byte of the page by which the interactor says that it has confined itself."""
_FAILED = 71


class _Side(NamedTuple):
    """One of the two programs."""

    job: driver.Job | native.Image
    limits: dict[str, Any]
    start: kernel.Start
    flag: int


def execute(
    state: run.SupervisorState,
    job: driver.Job | native.Image,
    limits: dict[str, Any],
    judge: driver.Job | native.Image,
) -> run.End:
    """Run `job` against `judge`; how `job` ended.

    Its standard output, which went to the judge, is the report of how that ended instead: a line of JSON,
    then what it wrote to its own output file. A candidate that the judge's verdict found still running has
    status 0.

    Raises:
        OSError: a run could not be made or cleaned up after; this is not the candidate's doing.
    """
    opened = files.open_files()
    if isinstance(job, native.Image) and (end := native.refuse(job, limits)) is not None:
        files.close(opened)
        return end
    more = {**limits, **limits["judge_limits"], "wall_s": limits["wall_s"] + _MORE_WALL_S}
    state.page[_FLAG] = 0
    mine = _Side(judge, more, run.begin(state, more), _FLAG)
    other = _Side(job, limits, run.begin(state, limits), 0)
    home = [run.move_up(os.dup(stream)) or 0 for stream in run.STREAMS]
    own = [run.move_up(os.memfd_create("stream")) or 0 for _ in range(2)]
    (asked, asking) = [run.move_up(end) or 0 for end in os.pipe()]
    (told, telling) = [run.move_up(end) or 0 for end in os.pipe()]
    ends = [asked, asking, told, telling]
    try:
        try:
            second = _start(state, mine, [told, asking, *own], opened)
            first = _start(state, other, [asked, telling, *home[2:]], [])
        finally:
            for target, descriptor in enumerate(home):
                os.dup2(descriptor, target)
        watch = kernel.Watch(first, other.start, state.proc)
        judging = kernel.Watch(second, mine.start, state.proc)
        (watch.waits_for, judging.waits_for) = (second, first)
        order = _attend(state, watch, judging, ends)
        stopped = order == "judge" and judging.status != 0
        if stopped:  # maybe before its first line, and before it had confined itself for that
            state.page[0] = 1
        ended = run.conclude(state, watch, judging)
        _check(state, mine, other, own)
        _report(judging, order, own[0], opened[1])
    finally:
        files.close(opened, home, own, ends)
    return ended._replace(status=0, killed=None) if stopped else ended


def _start(state: run.SupervisorState, side: _Side, streams: list[int], opened: list[int]) -> int:
    """The process of one side."""
    for target, descriptor in enumerate(streams):
        os.dup2(descriptor, target)
    for place, descriptor in enumerate(opened):
        os.dup2(descriptor, native.FIRST_FILE + place)
    arguments = files.name_files() if opened else ()
    try:
        if isinstance(side.job, native.Image):
            return native.launch(
                state, side.start, side.limits, side.job, arguments, files=len(arguments), flag=side.flag
            )
        pid = os.fork()
        if pid == 0:
            _perform(state, side, arguments)
        return pid
    finally:
        files.close(range(native.FIRST_FILE, native.FIRST_FILE + len(opened)))


def _perform(state: run.SupervisorState, side: _Side, arguments: tuple[str, ...]) -> None:
    try:
        kept = native.FIRST_FILE + len(arguments) if arguments else len(run.STREAMS)
        run.confine(state, side.limits, side.start, (kept, side.flag, 0))
        assert isinstance(side.job, driver.Job)
        side.job.arguments = arguments
        driver.perform(side.job, side.start.token.decode("ascii"))
    finally:
        os._exit(_FAILED)


def _attend(state: run.SupervisorState, watch: kernel.Watch, judging: kernel.Watch, ends: list[int]) -> str:
    """Wait until both are over; which ended first, `program`, `judge` or `both`."""
    order = ""
    while left := [each for each in (watch, judging) if not each.is_over]:
        run.wait_for_child(min(each.wait_s for each in left))
        for each in left:
            each.look()
        state.tell(watch.spent_s + judging.spent_s)
        if order or not (watch.is_over or judging.is_over):
            continue
        order = "both" if watch.is_over and judging.is_over else "program" if watch.is_over else "judge"
        files.close(ends)
        ends.clear()
        if order == "judge" and judging.status != 0:
            os.kill(watch.pid, signal.SIGKILL)
    return order


def _check(state: run.SupervisorState, mine: _Side, other: _Side, own: list[int]) -> None:
    """Promise that both were confined.

    Raises:
        OSError: one was not.
    """
    if state.page[_FLAG] != 1:
        raise OSError(errno.EPERM, "an interactor could not confine itself")
    for side, descriptor in ((mine, own[1]), (other, 3)):
        if isinstance(side.job, native.Image) and os.fstat(descriptor).st_size:
            raise OSError(os.pread(descriptor, 300, 0).decode("utf-8", "replace"))


def _report(judging: kernel.Watch, order: str, errors: int, written: int) -> None:
    """Lay down on descriptor 1 how the interactor ended, and what it wrote."""
    told = os.pread(errors, files.TOLD, 0).decode("utf-8", "replace")
    facts = {
        "status": judging.status,
        "killed": (judging.killed or b"").decode("ascii"),
        "first": order,
        "stderr": told,
    }
    os.ftruncate(1, 0)
    os.pwrite(1, json.dumps(facts).encode("ascii") + b"\n", 0)
    (place, left) = (0, os.fstat(written).st_size)
    os.lseek(1, 0, os.SEEK_END)
    while left:
        sent = os.sendfile(1, written, place, left)
        (place, left) = (place + sent, left - sent if sent else 0)
