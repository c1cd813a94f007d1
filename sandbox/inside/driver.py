"""Runs the candidate in the run's own process, after it has been confined.

Everything here is within the candidate's reach once its code has started, so nothing here is trusted: the
report on descriptor 3 can be forged by a candidate, who thereby forges its own answer and no other. The
process holds no descriptor of ours; it ends by a raw exit, and that is all its parent looks at.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import errno
import gc
import io
import json
import os
import resource
import sys
import types
import weakref
from typing import Any

from sstar_code.problems import values
from sstar_code.sandbox.inside.calling.call import MissingEntryPointError, Names, call

CODE_FILE, PREAMBLE_FILE, TEST_FILE = "solution.py", "preamble.py", "test.py"
REPORT = 3
_MESSAGE_LENGTH = 500


class Job:
    """A compiled program: the code objects in order and what to do with them.

    `lingers`: some of its objects may write when they are destroyed. `int_digits`: the longest integer that
    becomes text or comes from text; None: the interpreter's own limit.
    """

    __slots__ = ("arguments", "call", "codes", "entry_point", "int_digits", "lingers", "mode")

    def __init__(
        self,
        codes: list[types.CodeType],
        mode: str,
        entry_point: str,
        *,
        lingers: bool,
        int_digits: int | None = None,
        call: dict[str, Any] | None = None,
    ) -> None:
        self.codes = codes
        self.mode = mode
        self.entry_point = entry_point
        self.arguments: tuple[str, ...] = ()
        self.call = call or {}  # a `problems.calls.CallForm` as a dictionary
        self.lingers = lingers
        self.int_digits = int_digits


def perform(job: Job, token: str) -> None:
    """Run `job` on what is on standard input, report, exit. Never returns.

    `token` in the report says that the program was still under our control when it ended.
    """
    leave = os._exit
    status = 1
    try:
        status = _perform(job, token)
    finally:
        leave(status)


def enter(job: Job, name: str) -> dict[str, Any]:
    """Make this process one whose main module is called `name`; the name space of that module."""
    module = types.ModuleType(name)
    space = module.__dict__
    space.update(__builtins__=builtins, __file__=CODE_FILE, __cached__=None, __annotations__={})
    sys.modules["__main__"] = sys.modules[name] = module
    sys.argv = [CODE_FILE, *job.arguments]
    sys.setrecursionlimit(sys.getrecursionlimit() + _depth())
    if job.int_digits is not None and hasattr(sys, "set_int_max_str_digits"):  # older ones have no limit
        sys.set_int_max_str_digits(job.int_digits)
    gc.enable()
    return space


def _perform(job: Job, token: str) -> int:
    name = "__main__" if job.mode == "main" else "solution"
    space = enter(job, name)
    text = "" if job.mode == "main" else take_input()
    write, finish, explain = os.write, _finish, describe
    (status, report, names) = (0, b"", None)
    supplied: dict[str, Any] = {}
    done = b'{"token": "%s"}\n' % token.encode("ascii")
    alive = weakref.ref(sys.modules[name])
    try:
        for code in job.codes[:-1]:
            exec(code, space)  # noqa: S102 - it is what this process is for
        supplied = dict(space)
        for code in job.codes[-1:]:
            exec(code, space)  # noqa: S102
        used = [name for code in job.codes[-1:] for name in code.co_names]
        names = Names(space, supplied, used, job.entry_point)
        if job.mode == "call":
            report = done + values.encode(call(names, job.call, values.decode_lines(text))).encode("ascii")
    except BaseException as error:  # noqa: BLE001 - a candidate may raise anything
        (status, told) = explain(error, job.mode, token, text)
        report = json.dumps(told).encode("ascii") + b"\n"
    sent = 0
    while sent < len(report):  # nothing where the exit status says it all
        sent += write(REPORT, report[sent:])
    del space, supplied, names
    return finish(job, status, alive)


def _depth() -> int:
    """Frames below the candidate, `exec` included, that a program under its own interpreter has not."""
    count = 1
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - the only way to them
    while frame is not None:
        (count, frame) = (count + 1, frame.f_back)
    return count


def take_input() -> str:
    """Read and remove all of standard input, so that the candidate finds it empty."""
    size = os.fstat(0).st_size
    data = b""
    while len(data) < size:
        data += os.pread(0, size - len(data), len(data))
    os.ftruncate(0, 0)
    return data.decode("utf-8", "surrogatepass")


def describe(
    error: BaseException, mode: str, token: str, text: str, told: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    """The exit status and the report for what a candidate raised, or its test, whose source is `text`.

    `told`: what the candidate's process says of an exception of its own (`line`, `memory`).
    """
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))  # room to speak after a MemoryError
    if isinstance(error, MissingEntryPointError):
        return 1, {"token": token, "missing": str(error)}
    if isinstance(error, SystemExit) and mode == "main":
        status = error.code & 0xFF if isinstance(error.code, int) else 0
        if error.code is None or (isinstance(error.code, int) and status == 0):
            return 0, {"token": token}
        if isinstance(error.code, int):
            return status, {"token": token, "failure": [f"exit status {status}", "", None]}
        print(error.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        return 1, {"token": token, "failure": ["exit status 1", str(error.code)[:_MESSAGE_LENGTH], None]}
    (line, test_line, trace) = find_lines(error)
    (memory, own_text) = (is_short_of_memory(error), None)
    if told is not None:
        (line, memory, own_text) = (told.get("line"), told.get("memory") is True, told.get("text"))
    try:
        message = str(error) if own_text is None else str(own_text)
    except BaseException:  # noqa: BLE001 - __str__ is the candidate's code
        message = ""
    if not message and isinstance(error, AssertionError) and test_line and told is None and line is None:
        message = text.splitlines()[test_line - 1].strip()
    failure = [type(error).__name__, message[:_MESSAGE_LENGTH], line]
    with contextlib.suppress(BaseException):  # its output is a courtesy
        if trace is not None or told is None:
            sys.excepthook(type(error), error.with_traceback(trace), trace)
    return 1, {"token": token, "failure": failure, "memory": memory}


def find_lines(error: BaseException) -> tuple[int | None, int | None, types.TracebackType | None]:
    """The last line of the candidate, the last of the test, and the trace from the first of either on."""
    trace = error.__traceback__
    files = (CODE_FILE, PREAMBLE_FILE, TEST_FILE)
    while trace is not None and trace.tb_frame.f_code.co_filename not in files:
        trace = trace.tb_next
    (line, test_line) = (None, None)
    step = trace
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        line = step.tb_lineno if file == CODE_FILE else line
        test_line = step.tb_lineno if file == TEST_FILE else test_line
        step = step.tb_next
    return line, test_line, trace


def is_short_of_memory(error: BaseException) -> bool:
    """Whether it was raised because there is no more memory."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _finish(job: Job, status: int, alive: weakref.ref[types.ModuleType]) -> int:
    """Do what the interpreter does at its end (threads, exit handlers, buffers, objects); the exit status.

    `alive` refers to the program's module.
    """
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001 - waits for non-daemon threads
    atexit._run_exitfuncs()  # noqa: SLF001 - the interpreter calls it at a normal end
    status = flush_streams("stdout", "stderr") or status
    if job.lingers and job.mode == "main":
        _destroy_objects(alive)
    flush_streams("stdout", "stderr", "__stdout__")  # too late to change the exit status
    return status


def _destroy_objects(alive: weakref.ref[types.ModuleType]) -> None:
    """Destroy the program's objects in the interpreter's order, so that what they then write is written.

    The module goes first. What only a circle keeps goes with it, and where something else keeps the module,
    its names are emptied: the private ones first.
    """
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, name, getattr(sys, f"__{name}__", None))
    for name in ("__main__", "solution"):
        sys.modules.pop(name, None)
    gc.collect()
    module = alive()
    if module is not None:
        space = module.__dict__
        names = [name for name in space if isinstance(name, str) and name != "__builtins__"]
        private = [name for name in names if name[:1] == "_" and name[1:2] != "_"]
        for name in (*private, *names):
            space[name] = None
        del module, space
        gc.collect()
    for item in gc.get_objects():  # what a library's module or the builtins hold
        with contextlib.suppress(Exception):
            if isinstance(item, io.IOBase) and not item.closed and item.writable():
                item.flush()


def flush_streams(*names: str) -> int:
    """Flush the streams that `sys` has under `names`; the exit status of a failure, else 0."""
    status = 0
    streams = [getattr(sys, name, None) for name in names]
    for stream in streams:
        if stream is not None:
            try:
                if not getattr(stream, "closed", False):  # fails where its buffer was taken away
                    stream.flush()
            except BaseException:  # noqa: BLE001 - a full file, or a stream of the candidate's own
                status = 120
    return status
