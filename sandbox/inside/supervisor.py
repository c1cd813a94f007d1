"""The supervisor: starts a program process for each request and stays clean itself.

It never reads a request: the program process that it forks when the stream has something does, so neither
the supervisor nor the next program process ever holds a candidate's source, input or output.
"""

from __future__ import annotations

import _sitebuiltins
import atexit
import builtins
import fcntl
import gc
import io
import json
import os
import platform
import resource
import select
import signal
import sys
import traceback
import warnings
from typing import Any

from sstar_code.sandbox.inside import driver, kernel, program, run, seccomp
from sstar_code.sandbox.inside.stream import Stream

_COMMON = (
    "bisect", "collections", "functools", "heapq", "itertools", "math", "operator", "re", "string",
    "typing",
)  # fmt: skip
"""The modules that contest programs import most; imported here, once."""
_GONE = 3
_COMPILED_TOO_LONG = signal.SIGXCPU
_PROBE = {"cpu_s": 10.0, "wall_s": 60.0, "memory_mb": 512, "output_kb": 16}


def main(settings: dict[str, Any]) -> None:
    """Set up the place, say hello, serve until the stream ends. Never returns."""
    kernel.close_from(3)
    (source, sink, log) = (fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in (0, 1, 2))
    stream = Stream(source, sink)
    try:
        try:
            state = _prepare(settings)
        except OSError as error:
            stream.send(json.dumps({"error": str(error)}).encode("ascii"))
            stream.flush()
            raise
        hello = {"python": platform.python_version(), "seccomp": state.seccomp}
        stream.send(json.dumps({"hello": hello}).encode("ascii"))
        stream.flush()
        while _serve_one(stream, state, log):
            pass
    except BaseException:  # noqa: BLE001 - the log is all that is left
        os.write(log, traceback.format_exc().encode())
        os._exit(1)
    os._exit(0)


def _prepare(settings: dict[str, Any]) -> run.SupervisorState:
    """Everything that is the same for every run, done before the first fork.

    Raises:
        OSError: runs cannot be confined as the settings ask.
    """
    _lay_streams()
    warnings.simplefilter("ignore")
    for name in _COMMON:
        program.import_module(name)
    for name in ("exit", "quit"):  # what `site` would have set
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    atexit._clear()  # noqa: SLF001 - nothing of ours may run at a candidate's end
    run.set_common_limits()
    kernel.control(kernel.NO_NEW_PRIVILEGES)
    kernel.control(kernel.DUMPABLE, 0)
    kernel.control(kernel.CHILD_SUBREAPER)  # what a run leaves behind is ours to end
    if settings["seccomp"]:
        if not seccomp.SUPPORTED:
            raise OSError(f"no system call filter for {platform.machine()}")
        kernel.Filter(seccomp.build_common()).install()
    state = run.SupervisorState(settings)
    if not state.uids and not _is_counted_apart():
        state.processes = 0
    gc.disable()  # a collection would touch, and so copy, the pages that forks share
    gc.collect()
    gc.freeze()
    _probe(state)
    return state


def _is_counted_apart() -> bool:
    """Whether the kernel counts our processes without those of the same user elsewhere.

    It does in a user namespace since Linux 5.14. Elsewhere at least two more count: who started us, and who
    started that.
    """
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_NPROC, (4, 4))
            grandchild = os.fork()
            if grandchild:
                os.waitpid(grandchild, 0)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _lay_streams() -> None:
    """Memory files on 0 to 3, and the interpreter's streams anew on top of them: forks reuse both."""
    for descriptor in (0, 1, 2, 3):
        file = os.memfd_create("stream")
        if file != descriptor:
            os.dup2(file, descriptor)
            os.close(file)
    # newline: as plain python3 on Linux, which leaves the CR of a line that ends with CR LF in the text
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0)), "utf-8", "surrogateescape", newline="\n")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w")), "utf-8", "surrogateescape")
    sys.stderr = io.TextIOWrapper(io.BufferedWriter(io.FileIO(2, "w")), "utf-8", "backslashreplace")
    (sys.__stdin__, sys.__stdout__, sys.__stderr__) = (sys.stdin, sys.stdout, sys.stderr)  # type: ignore[misc]


def _probe(state: run.SupervisorState) -> None:
    """Run nothing, confined, so that a place that cannot confine is found out now."""
    child = os.fork()
    if child == 0:
        try:
            kernel.control(kernel.CHILD_SUBREAPER)
            run.wait_for_signals()
            end = run.execute(state, driver.Job([], "main", "", opens=False), _PROBE)
            os._exit(0 if end.status == 0 else 1)
        except BaseException:  # noqa: BLE001 - told by the exit status
            os._exit(1)
    (_, status) = os.waitpid(child, 0)
    if status != 0:
        detail = os.pread(2, 300, 0).decode("utf-8", "replace").strip()
        raise OSError(f"a first, empty run failed {detail}")


def _serve_one(stream: Stream, state: run.SupervisorState, log: int) -> bool:
    """Have the next request served; False when the other side has gone."""
    poller = select.poll()
    poller.register(stream.source, select.POLLIN)
    ((_, events),) = poller.poll()
    if not events & select.POLLIN:
        return False
    state.page[2] = 0
    child = os.fork()
    if child == 0:
        _be_program(stream, state, log)
    handle = os.pidfd_open(child)
    poller.modify(stream.source, 0)  # only a hang-up is of interest now
    poller.register(handle, select.POLLIN)

    def pause(seconds: float) -> None:
        ready = [descriptor for (descriptor, _) in poller.poll(seconds * 1000)]
        if ready and handle not in ready:
            os.kill(child, signal.SIGKILL)
            raise EOFError

    try:
        (end, status, output_kb) = run.attend(state, child, pause)
    except EOFError:
        return False
    finally:
        os.close(handle)
    if end is not None:
        name = int.from_bytes(state.page[8:16], "little")
        program.send_answer(stream, end, name, 0, output_kb, stop=False, fine=True)
        stream.send(b'{"id": %d, "done": true}' % name)
        stream.flush()
        return True
    _reap_others()
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _GONE:
        return False
    if status == 0:
        return True
    if state.page[1] != 1:
        raise ChildProcessError(f"the program process ended with status {status}")
    _answer_for_the_dead(stream, state, status)
    return True


def _be_program(stream: Stream, state: run.SupervisorState, log: int) -> None:
    status = 1
    try:
        if not state.alone:
            kernel.control(kernel.PARENT_DEATH_SIGNAL, signal.SIGKILL)
        program.serve(stream, state)
        status = 0
    except EOFError:
        status = _GONE
    except BaseException:  # noqa: BLE001 - the log is all that is left
        os.write(log, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _reap_others() -> None:
    """As PID 1 we are the parent of every process whose own has died."""
    while True:
        try:
            (pid, _) = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return


def _answer_for_the_dead(stream: Stream, state: run.SupervisorState, status: int) -> None:
    """The process that compiles was brought down: say by what, and skip the rest of the request.

    By the program, or by the kernel when memory is short (SIGKILL): then the other side tries again.
    """
    name = int.from_bytes(state.page[8:16], "little")
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    (kind, message) = ("SyntaxError", "it cannot be compiled: the compiler crashed")
    if number == _COMPILED_TOO_LONG:
        message = "it cannot be compiled in 10 s"
    elif number == signal.SIGKILL:
        (kind, message) = ("SIGKILL", "it cannot be compiled: the compiler was killed, short of memory")
    why = {"type": kind, "message": message, "line": None}
    stream.send(json.dumps({"id": name, "compile": why}).encode("ascii"))
    stream.flush()
    while True:
        (head, size) = stream.take()
        stream.copy(size, None)
        if head is not None:
            stream.send(b'{"id": %d, "done": true}' % name)
            stream.flush()
            state.page[1] = 0
            return
