"""One run of an assert-style test: two forks of the program process, the candidate's and the test's.

The process that forks them has not read the test: it goes from the stream to the memory file that is the
standard input of the test's process. The candidate's has other files, its own user where there is one for
each run, and is not allowed to send signals to another process or to read it.
"""

from __future__ import annotations

import errno
import os
import signal
from typing import Any

from sstar_code.sandbox.inside import driver, kernel, run
from sstar_code.sandbox.inside.asserting import candidate, tester

_ENDS = (len(run.STREAMS), len(run.STREAMS) + 1)
"""The descriptors of the two pipes in either process."""
_FLAG = 3
"""The byte of the page by which the candidate's process says that it has confined itself."""
_FAILED = 71
_TAIL = 8192


def execute(state: run.SupervisorState, job: driver.Job, limits: dict[str, Any]) -> run.End:
    """Run the test on descriptor 0 against the program `job`; how it ended, with the candidate's cost.

    Raises:
        OSError: the run could not be made or cleaned up after; this is not the candidate's doing.
    """
    (heard, asked) = os.pipe()
    (told, answered) = os.pipe()
    files = [os.memfd_create("stream") for _ in run.STREAMS]
    state.page[_FLAG] = 0
    start = run.begin(state, limits)
    pid = os.fork()
    if pid == 0:
        _enter(state, limits, start, (heard, answered), group=start.uid, files=files)
        candidate.perform(job, _ENDS)
    ours = run.begin(state, limits)
    other = os.fork()
    if other == 0:
        _enter(state, limits, ours, (told, asked), group=start.uid, files=[])
        tester.perform(job, ours.token.decode("ascii"), _ENDS)
    for descriptor in (heard, asked, told, answered):
        os.close(descriptor)
    (watch, test) = (kernel.Watch(pid, start, state.proc), kernel.Watch(other, ours, state.proc))
    (watch.waits_for, test.waits_for) = (other, pid)
    _attend(state, watch, test)
    try:
        end = run.conclude(state, watch, test)
        if state.page[_FLAG] != 1 and watch.status == _FAILED << 8:
            raise OSError(errno.EPERM, "a run could not confine itself")
        _keep_output(files, limits["output_kb"] << 10)
    finally:
        for descriptor in files:
            os.close(descriptor)
    end = end._replace(token=ours.token.decode("ascii"))
    if watch.killed is not None:
        return end
    if test.killed is None and test.status == tester.GONE << 8:  # the candidate's end says why
        return end
    return end._replace(status=test.status, killed=test.killed)


def _attend(state: run.SupervisorState, watch: kernel.Watch, test: kernel.Watch) -> None:
    """Wait until both are over; the candidate has nothing left to do when the test is."""
    while left := [each for each in (watch, test) if not each.is_over]:
        run.wait_for_child(min(each.wait_s for each in left))
        for each in left:
            each.look()
        state.tell(watch.spent_s + test.spent_s)
        if test.is_over and not watch.is_over:
            os.kill(watch.pid, signal.SIGKILL)


def _enter(
    state: run.SupervisorState,
    limits: dict[str, Any],
    start: kernel.Start,
    ends: tuple[int, int],
    *,
    group: int,
    files: list[int],
) -> None:
    """Become one of the two processes: `files` in the place of its streams, its `ends` behind them."""
    try:
        for target, descriptor in enumerate(files):
            os.dup2(descriptor, target)
        kept = [os.dup(end) for end in ends]  # beyond both places, which the pipes or their like have
        for target, descriptor in zip(_ENDS, kept):  # noqa: B905 - 3.9
            os.dup2(descriptor, target)
        run.confine(state, limits, start, (_ENDS[-1] + 1, _FLAG if files else 0, max(0, group)))
        os.umask(0o007)  # either may read the files that the other writes
    except BaseException:  # noqa: BLE001 - the parent finds the flag missing
        os._exit(_FAILED)


def _keep_output(files: list[int], most: int) -> None:
    """Append what the candidate wrote to standard error; have too much of either stream seen as such."""
    (out, err) = (os.fstat(descriptor).st_size for descriptor in files[1:3])
    if max(out, err) > most:
        os.ftruncate(1, max(out, err))
    place = max(0, err - _TAIL)
    while place < err:
        sent = os.sendfile(2, files[2], place, err - place)
        place = place + sent if sent else err
