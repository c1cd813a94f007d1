"""A pool of workers, one for each usable core."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import anyio
from anyio import to_thread

from sstar_code.problems.problem import MAX_PROGRAM
from sstar_code.sandbox.environment import Environment
from sstar_code.sandbox.languages.table import PYTHON
from sstar_code.sandbox.outcome import Execution, Limits, Program, SandboxError, Status
from sstar_code.sandbox.ownership import reap_folders
from sstar_code.sandbox.workers.classify import classify, compile_failure, lost
from sstar_code.sandbox.workers.protocol import PART_S, Conversation, Worker, WorkerLost

_log = logging.getLogger(__name__)
_ROOT = Path("/")


def count_usable_cores(root: Path = _ROOT) -> int:
    """The smaller of the affinity mask and the cgroup's CPU quota (v2 and v1), at least 1.

    `root` stands for `/` in tests.
    """
    cores = len(os.sched_getaffinity(0))
    quotas = [quota for folder in _groups(root) if (quota := _quota(folder)) is not None]
    return max(1, min([cores, *(int(quota) for quota in quotas)]))


def _groups(root: Path) -> list[Path]:
    """The folders of our control groups and of all above them, as far as they can be seen."""
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        (_, controllers, path) = line.split(":", 2)
        base = root / "sys/fs/cgroup"
        if "cpu" in controllers.split(","):
            base = base / "cpu"
        elif controllers:
            continue
        inner = base / path.strip("/")
        found += [inner, *(parent for parent in inner.parents if parent.is_relative_to(base))]
    return found


def _quota(folder: Path) -> float | None:
    """Cores that the group may use; None for no limit."""
    try:
        (quota, period) = (folder / "cpu.max").read_text("ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        micros = int((folder / "cpu.cfs_quota_us").read_text("ascii"))
        period_us = int((folder / "cpu.cfs_period_us").read_text("ascii"))
    except (OSError, ValueError):
        return None
    return micros / period_us if micros > 0 and period_us > 0 else None


_RECYCLE_AFTER = 20_000
_CHECK_EVERY = 500
_TRIES = 2
_RESTART_PAUSES_S = (0.5, 2.0, 10.0)
"""Between attempts to start a worker once the first had started: an engine may be away for a moment."""


class PooledSandbox:
    """Implements `outcome.Sandbox` over the workers that `make_worker` makes.

    Args:
        name: for messages, like `docker`.
        make_worker: makes a worker that has not been started.
        workers: the most that run at once; None: the usable cores.
        recycle_after: runs after which a worker is replaced by a fresh one.
        check_every: runs after which a worker has to prove itself on a program whose output is known, or is
            replaced.
    """

    def __init__(
        self,
        name: str,
        make_worker: Callable[[], Worker],
        *,
        workers: int | None = None,
        recycle_after: int = _RECYCLE_AFTER,
        check_every: int = _CHECK_EVERY,
    ) -> None:
        self.name = name
        self.workers = workers if workers is not None else count_usable_cores()
        if self.workers < 1:
            raise ValueError("a sandbox needs at least one worker")
        self._make_worker = make_worker
        self._recycle_after = recycle_after
        self._check_every = check_every
        self._idle: deque[Conversation] = deque()
        self._open: set[Conversation] = set()
        self._slots = anyio.CapacityLimiter(self.workers)
        self._threads = anyio.CapacityLimiter(2 * self.workers + 2)
        self._entered = False
        self.features: dict[str, Any] = {}
        """The facts that the first worker's supervisor gave about itself: `python`, `seccomp`."""

    async def __aenter__(self) -> Self:
        """Start the first worker; the others start when they are needed.

        Raises:
            SandboxError: it cannot be started; the message says what to do.
        """
        self._entered = True
        try:
            await to_thread.run_sync(reap_folders)
            self._idle.append(await self._start())
            self.features = self._idle[-1].features
        except BaseException:
            self._entered = False
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every worker, also those at work."""
        self._entered = False
        await self._close()

    async def _close(self) -> None:
        self._idle.clear()
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as group:
                for conversation in list(self._open):
                    group.start_soon(self._discard, conversation)

    @property
    def environment(self) -> Environment:
        """The Python and the libraries that programs find, as the first worker told.

        Raises:
            SandboxError: the sandbox has not been entered yet.
        """
        if not self.features:
            raise SandboxError(f"what the {self.name} sandbox has is known once it is entered")
        (major, minor, *_) = str(self.features["python"]).split(".")
        return Environment(
            f"{major}.{minor}",
            tuple(self.features.get("libraries", ())),
            tuple(self.features.get("languages", ())),
        )

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """As `Sandbox.run` promises.

        Raises:
            SandboxError: no worker can be started any more.
        """
        return await self._run(program, inputs, limits, stop=stop_on_failure, part_s=None)

    async def run_part(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """As `outcome.run_part` promises.

        Raises:
            SandboxError: no worker can be started any more.
        """
        return await self._run(program, inputs, limits, stop=stop_on_failure, part_s=PART_S)

    async def _run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop: bool, part_s: float | None
    ) -> list[Execution]:
        if not self._entered:
            raise SandboxError(f"the {self.name} sandbox is closed: use it inside `async with`")
        if program.language not in (PYTHON, *self.features.get("languages", ())):
            raise SandboxError(f"this {self.name} sandbox was opened without {program.language}")
        size = len(program.code) + len(program.preamble)
        if size > MAX_PROGRAM:
            return [_refuse(size)] * (1 if stop else len(inputs))
        data = [text.encode("utf-8", "surrogatepass") for text in inputs]
        async with self._slots:
            done = await self._run_all(program, data, limits, stop=stop, part_s=part_s)
        if stop:
            place = next((at for at, run in enumerate(done) if run.status is not Status.OK), None)
            return done if place is None else done[: place + 1]
        return done

    async def _run_all(
        self, program: Program, inputs: list[bytes], limits: Limits, *, stop: bool, part_s: float | None
    ) -> list[Execution]:
        """Every run's record; what a broken worker left undone is done by the next.

        With `part_s` the list ends with what was done when a worker stopped or broke.
        """
        done: list[Execution] = []
        (tries, reached, lost_in_a_row, eager) = (0, 0, 0, False)
        while len(done) < len(inputs):
            try:
                await self._work(program, inputs, limits, done, stop=stop, eager=eager, part_s=part_s)
                if part_s is not None:
                    break
            except WorkerLost as error:
                _log.info("a worker of the %s sandbox is replaced: %s", self.name, error)
                if part_s is not None and len(done) > reached:
                    break
                eager = True  # which input it is that breaks workers must come out now
                tries = tries + 1 if len(done) == reached else 1
                lost_in_a_row = lost_in_a_row if len(done) == reached else 0
                reached = len(done)
                if tries < _TRIES:
                    continue
                lost_in_a_row += 1
                # Where two inputs in a row bring down two workers each, the rest will not do better.
                count = 1 if lost_in_a_row == 1 else len(inputs) - len(done)
                done += [lost(f"the sandbox broke {_TRIES} times: {error}")] * count
                (tries, reached) = (0, len(done))
            if stop and done and done[-1].status is not Status.OK:
                break
        return done

    async def _work(
        self, program: Program, inputs: list[bytes], limits: Limits, done: list[Execution], **how: Any
    ) -> None:
        """Have one worker do what is left of `inputs`; its records are appended to `done`."""
        conversation = self._take(program) if self._idle else await self._restart()
        records: list[Execution] = []
        try:
            left = inputs[len(done) :]
            work = partial(_exchange, conversation, program, left, limits, records, **how)
            await self._in_thread(work)
            if conversation.runs - conversation.checked_at >= self._check_every:
                await self._in_thread(conversation.check)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._discard(conversation)
            done += records
            raise
        done += records
        if conversation.runs >= self._recycle_after or not self._entered:
            await self._discard(conversation)
        else:
            self._idle.append(conversation)

    def _take(self, program: Program) -> Conversation:
        """The idle worker that has compiled `program` before, else the one that waits longest."""
        key = (program.language, program.sanitized, program.code)
        place = next((at for at, idle in enumerate(self._idle) if key in idle.compiled), 0)
        conversation = self._idle[place]
        del self._idle[place]
        return conversation

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)

    async def _restart(self) -> Conversation:
        for pause_s in _RESTART_PAUSES_S:
            try:
                return await self._start()
            except SandboxError:
                await anyio.sleep(pause_s)
                if self._idle:
                    return self._idle.popleft()
        return await self._start()

    async def _start(self) -> Conversation:
        conversation = Conversation(self._make_worker())
        self._open.add(conversation)
        try:
            await self._in_thread(conversation.open)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._discard(conversation)
            raise
        return conversation

    async def _discard(self, conversation: Conversation) -> None:
        await to_thread.run_sync(conversation.worker.kill, limiter=self._threads)
        self._open.discard(conversation)


def _refuse(size: int) -> Execution:
    """The record of a program that is not even sent: compiling it may take all the memory there is."""
    message = f"a program of {size} characters; at most {MAX_PROGRAM} are run"
    return compile_failure({"type": "SyntaxError", "message": message, "line": None})


def _exchange(
    conversation: Conversation,
    program: Program,
    inputs: list[bytes],
    limits: Limits,
    records: list[Execution],
    *,
    stop: bool,
    eager: bool,
    part_s: float | None = None,
) -> None:
    for head, blob in _run(conversation, program, inputs, limits, stop=stop, eager=eager, part_s=part_s):
        if "compile" in head:
            failed = compile_failure(head["compile"])
            records += [failed] * (1 if stop else len(inputs))
        else:
            records.append(_classify(head, blob, program, limits))
    # A run that nobody of ours killed did it itself, or the kernel did, short of memory: trying again tells.
    for place, record in enumerate(records):
        if record.status is not Status.CE and record.failure is not None and record.failure.type == "SIGKILL":
            try:
                ((head, blob),) = _run(conversation, program, [inputs[place]], limits)
            except WorkerLost:
                del records[place:]
                raise
            if "compile" in head:
                del records[place:]
                raise WorkerLost("what it compiled before it cannot compile any more")
            records[place] = _classify(head, blob, program, limits)


def _classify(head: dict[str, Any], blob: bytes, program: Program, limits: Limits) -> Execution:
    return classify(head, blob, program.mode, limits, program.language, sanitized=program.sanitized)


def _run(
    conversation: Conversation,
    program: Program,
    inputs: list[bytes],
    limits: Limits,
    *,
    stop: bool = False,
    **how: Any,
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The answers of `Conversation.run`; those of a second try where the process that compiles was ended.

    Raises:
        WorkerLost: it was ended again. The program is not at fault: nobody knows what it would have done.
    """
    why = ""
    for _ in range(2):
        why = ""
        for head, blob in conversation.run(program, inputs, limits, stop_on_failure=stop, **how):
            if "lost" in head:
                why = head["lost"]
            else:
                yield head, blob
        if not why:
            return
    raise WorkerLost(why)
