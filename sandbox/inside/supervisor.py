"""The supervisor: has a program process started for each request and stays clean itself.

It never reads a request: the program process that is forked when the stream has something does, so neither
the supervisor nor the next program process ever holds a candidate's source, input or output.

All that it reads is the names of the libraries that the next program imports. For every set of names it keeps
one process, forked from itself, that has imported them and forks the program processes: an import costs
time once a worker, and a program without it is not made slower by it.
"""

from __future__ import annotations

import _sitebuiltins
import atexit
import builtins
import contextlib
import fcntl
import gc
import importlib.util
import io
import json
import os
import platform
import re
import select
import signal
import sys
import traceback
import warnings
from typing import Any

from sstar_code.sandbox.inside import driver, kernel, program, run, seccomp
from sstar_code.sandbox.inside.compiling import native
from sstar_code.sandbox.inside.stream import Stream

_COMMON = (
    "bisect", "collections", "functools", "heapq", "itertools", "math", "operator", "re", "string",
    "typing",
)  # fmt: skip
"""The modules that contest programs import most; imported here, once."""
_MOST_SETS = 4
"""Sets of libraries that are kept imported at once."""
_NAME = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*){0,2}")
"""What is imported on a program's behalf; with an underscore in front it may be a program of the library."""
_GONE = 3
_COMPILED_TOO_LONG = signal.SIGXCPU
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)
"""Signals by which the compiler ends where the program is too much for it."""
_PROBE = {"cpu_s": 10.0, "wall_s": 60.0, "memory_mb": 512, "output_kb": 16}


def main(settings: dict[str, Any]) -> None:
    """Set up the place, say hello, serve until the stream ends. Never returns."""
    _keep_proc(settings)
    (source, sink, log) = (fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in (0, 1, 2))
    stream = Stream(source, sink)
    try:
        try:
            state = _prepare(settings)
        except OSError as error:
            stream.send(json.dumps({"error": str(error)}).encode("ascii"))
            stream.flush()
            raise
        known = [name for name in settings["libraries"] if importlib.util.find_spec(name) is not None]
        hello = {
            "python": platform.python_version(),
            "seccomp": state.seccomp,
            "landlock": state.domain is not None,
            "libraries": known,
            "languages": state.tools.languages if state.tools else [],
        }
        stream.send(json.dumps({"hello": hello}).encode("ascii"))
        stream.flush()
        starters: dict[tuple[str, ...], _Starter] = {}
        while _route_one(stream, state, log, frozenset(known), starters):
            pass
    except BaseException:  # noqa: BLE001 - the log is all that is left
        os.write(log, traceback.format_exc().encode())
        os._exit(1)
    os._exit(0)


def _keep_proc(settings: dict[str, Any]) -> None:
    """Close every descriptor but the streams and that of /proc, which is moved to where runs have none."""
    given = settings["proc_descriptor"]
    kernel.close_from(3 if given is None else given + 1)
    settings["proc_descriptor"] = None
    if given is not None:
        with contextlib.suppress(OSError):  # there is no /proc at all
            settings["proc_descriptor"] = fcntl.fcntl(given, fcntl.F_DUPFD, 10)
            os.close(given)


class _Starter:
    """A process that has imported a set of libraries and serves requests when it is told to."""

    def __init__(self, pid: int, orders: int, answers: int) -> None:
        self.pid = pid
        self.ends = (orders, answers, os.pidfd_open(pid))
        """Our ends of two pipes, a byte each way for a request, and what tells of its death."""
        self._poller = select.poll()
        for descriptor in self.ends[1:]:
            self._poller.register(descriptor, select.POLLIN)

    def serve(self) -> bool:
        """Have one request served; False when the other side has gone.

        Raises:
            ChildProcessError: the process died.
        """
        os.write(self.ends[0], b"1")
        ready = [descriptor for (descriptor, _) in self._poller.poll()]
        if self.ends[1] not in ready:
            raise ChildProcessError("the process that starts programs ended")
        return os.read(self.ends[1], 1) == b"1"

    def is_gone(self) -> bool:
        """Whether it died while it had nothing to do."""
        return bool(self._poller.poll(0))

    def end(self) -> None:
        """End it and wait for that."""
        for descriptor in self.ends:
            os.close(descriptor)
        os.waitpid(self.pid, 0)


def _route_one(
    stream: Stream,
    state: run.SupervisorState,
    log: int,
    known: frozenset[str],
    starters: dict[tuple[str, ...], _Starter],
) -> bool:
    """Have the next request served where its libraries are; False when the other side has gone."""
    try:
        (head, _) = stream.take()
    except EOFError:
        return False
    assert head is not None
    names = tuple(
        name for name in head["import"] if name.partition(".")[0] in known and _NAME.fullmatch(name)
    )
    starter = starters.pop(names, None)
    if starter is not None and starter.is_gone():
        starter.end()
        starter = None
    if starter is None:
        if len(starters) == _MOST_SETS:
            starters.pop(next(iter(starters))).end()
        starter = _start(names, stream, state, log, starters)
    starters[names] = starter  # the last in order is the one used last
    return starter.serve()


def _start(
    names: tuple[str, ...],
    stream: Stream,
    state: run.SupervisorState,
    log: int,
    others: dict[tuple[str, ...], _Starter],
) -> _Starter:
    (taken, orders) = os.pipe()
    (answers, told) = os.pipe()
    pid = os.fork()
    if pid:
        os.close(taken)
        os.close(told)
        return _Starter(pid, orders, answers)
    status = 1
    try:
        if not state.alone:
            kernel.control(kernel.PARENT_DEATH_SIGNAL, signal.SIGKILL)
        kernel.control(kernel.CHILD_SUBREAPER)  # what a run leaves behind is ours to end
        for descriptor in (orders, answers, *(end for other in others.values() for end in other.ends)):
            os.close(descriptor)
        program.import_libraries(names)
        gc.collect()
        gc.freeze()
        while os.read(taken, 1):
            if state.tools is not None:
                state.tools.prepare(state.page)
            os.write(told, b"1" if _serve_one(stream, state, log) else b"0")
        status = 0
    except BaseException:  # noqa: BLE001 - the log is all that is left
        os.write(log, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _prepare(settings: dict[str, Any]) -> run.SupervisorState:
    """Everything that is the same for every run, done before the first fork.

    Raises:
        OSError: runs cannot be confined as the settings ask.
    """
    _lay_streams()
    sys.path += settings["library_paths"]
    if settings["scratch"]:
        os.chdir(settings["scratch"])
    warnings.simplefilter("ignore")
    for name in _COMMON:
        program.import_module(name)
    for name in ("exit", "quit"):  # what `site` would have set, here and below
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    builtins.help = _sitebuiltins._Helper()  # noqa: SLF001
    for name in ("copyright", "credits", "license"):
        setattr(builtins, name, _sitebuiltins._Printer(name, sys.copyright))  # noqa: SLF001
    atexit._clear()  # noqa: SLF001 - nothing of ours may run at a candidate's end
    run.set_common_limits()
    kernel.control(kernel.NO_NEW_PRIVILEGES)
    kernel.control(kernel.DUMPABLE, 0)
    if settings["seccomp"]:
        if not seccomp.SUPPORTED:
            raise OSError(f"no system call filter for {platform.machine()}")
        kernel.Filter(seccomp.build_common(native=settings["tools"] is not None)).install()
    state = run.SupervisorState(settings)
    if settings["tools"] is not None:
        state.tools = native.Tools(
            settings["tools"], has_filter=state.filter is not None, has_domain=state.domain is not None
        )
    if not state.uids and not kernel.is_counted_apart():
        state.processes = 0
    state.watches_memory = _can_watch(state.proc)
    gc.disable()  # a collection would touch, and so copy, the pages that forks share
    gc.collect()
    gc.freeze()
    _probe(state)
    return state


def _can_watch(proc: int | None) -> bool:
    """Whether /proc is there and tells how much memory another process uses that cannot be traced."""
    (waiting, end) = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        os.read(waiting, 1)
        os._exit(0)
    used = kernel.used_kb(child, proc)
    os.close(end)
    os.close(waiting)
    os.waitpid(child, 0)
    return used > 0


def _lay_streams() -> None:
    """Memory files on 0 to 3, and the interpreter's streams anew on top of them: forks reuse both.

    The streams are made as the interpreter makes them, so that a program that asks them for their mode, their
    name or their descriptor, or closes them, finds what it finds under plain python3.
    """
    run.renew_streams()
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        mode = "w" if descriptor else "r"
        binary: Any = open(descriptor, mode + "b", closefd=False)  # noqa: SIM115 - it stays open
        binary.raw.name = f"<{name}>"
        errors = "surrogateescape" if descriptor < 2 else "backslashreplace"
        # newline: on Linux the CR of a line that ends with CR LF stays in the text
        text: Any = io.TextIOWrapper(binary, "utf-8", errors, newline="\n", line_buffering=descriptor == 2)
        text.mode = mode
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)


def _probe(state: run.SupervisorState) -> None:
    """Run nothing, confined, so that a place that cannot confine is found out now."""
    child = os.fork()
    if child == 0:
        try:
            kernel.control(kernel.CHILD_SUBREAPER)
            run.wait_for_signals()
            end = run.execute(state, driver.Job([], "main", "", lingers=False), _PROBE)
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
    run.renew_streams()  # for a program that becomes its own run: then we read what it wrote
    state.tell = lambda cpu_s: state.tell_for_child(stream, cpu_s)
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
        program.send_answer(stream, end, state.request, 0, output_kb, stop=False, fine=True)
        stream.send(b'{"id": %d, "done": true}' % state.request)
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

    By the program; or by somebody else, like the kernel when memory is short: the other side tries again.
    """
    name = state.request
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    answer: dict[str, Any] = {"compile": {"type": "SyntaxError", "line": None}}
    if number == _COMPILED_TOO_LONG:
        answer["compile"]["message"] = "it cannot be compiled in 10 s"
    elif number in _CRASHES:
        answer["compile"]["message"] = "it cannot be compiled: the compiler crashed"
    else:
        how = f"signal {number}" if number else f"exit status {os.WEXITSTATUS(status)}"
        answer = {"lost": f"the process that compiles ended by {how}"}
    stream.send(json.dumps({"id": name, **answer}).encode("ascii"))
    stream.flush()
    while True:
        (head, size) = stream.take()
        stream.copy(size, None)
        if head is not None:
            stream.send(b'{"id": %d, "done": true}' % name)
            stream.flush()
            state.page[1] = 0
            return
