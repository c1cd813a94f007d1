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
from typing import Any

from sstar_code.problems import values

CODE_FILE, PREAMBLE_FILE, TEST_FILE = "solution.py", "preamble.py", "test.py"
_REPORT = 3
_MESSAGE_LENGTH = 500


class Job:
    """A compiled program: the code objects in order, what to do with them, and whether it opens files."""

    __slots__ = ("codes", "entry_point", "mode", "opens")

    def __init__(self, codes: list[types.CodeType], mode: str, entry_point: str, *, opens: bool) -> None:
        self.codes = codes
        self.mode = mode
        self.entry_point = entry_point
        self.opens = opens


class _MissingEntryPointError(Exception):
    pass


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


def _perform(job: Job, token: str) -> int:
    name = "__main__" if job.mode == "main" else "solution"
    module = types.ModuleType(name)
    space = module.__dict__
    space.update(__builtins__=builtins, __file__=CODE_FILE)
    sys.modules["__main__"] = sys.modules[name] = module
    sys.argv = [CODE_FILE]
    text = "" if job.mode == "main" else _take_input()
    write, finish, describe = os.write, _finish, _describe
    (status, report) = (0, b"")
    done = b'{"token": "%s"}\n' % token.encode("ascii")
    sys.setrecursionlimit(sys.getrecursionlimit() + _depth())
    gc.enable()
    try:
        for code in job.codes:
            exec(code, space)  # noqa: S102 - it is what this process is for
        if job.mode == "call":
            target = _find(space, job.entry_point)
            report = done + values.encode(target(*values.decode_lines(text))).encode("ascii")
        elif job.mode == "assert":
            exec(compile(text, TEST_FILE, "exec", dont_inherit=True), space)  # noqa: S102
            report = done
    except BaseException as error:  # noqa: BLE001 - a candidate may raise anything
        (status, told) = describe(error, job.mode, token, text)
        report = json.dumps(told).encode("ascii") + b"\n"
    sent = 0
    while sent < len(report):  # nothing where the exit status says it all
        sent += write(_REPORT, report[sent:])
    return finish(job, status)


def _depth() -> int:
    """Frames below the candidate, `exec` included, that a program under its own interpreter has not."""
    count = 1
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - the only way to them
    while frame is not None:
        (count, frame) = (count + 1, frame.f_back)
    return count


def _take_input() -> str:
    """Read and remove all of standard input, so that the candidate finds it empty."""
    size = os.fstat(0).st_size
    data = b""
    while len(data) < size:
        data += os.pread(0, size - len(data), len(data))
    os.ftruncate(0, 0)
    return data.decode("utf-8", "surrogatepass")


def _find(space: dict[str, Any], entry_point: str) -> Any:
    (owner, _, method) = entry_point.rpartition(".")
    name = owner or method
    if name not in space:
        raise _MissingEntryPointError(f"it does not define {name}")
    if not owner:
        return space[name]
    if not hasattr(space[owner], method):
        raise _MissingEntryPointError(f"{owner} has no method {method}")
    return getattr(space[owner](), method)


def _describe(error: BaseException, mode: str, token: str, text: str) -> tuple[int, dict[str, Any]]:
    """The exit status and the report for what a candidate raised."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))  # room to speak after a MemoryError
    if isinstance(error, _MissingEntryPointError):
        return 1, {"token": token, "missing": str(error)}
    if isinstance(error, SystemExit) and mode == "main":
        status = error.code & 0xFF if isinstance(error.code, int) else 0
        if error.code is None or (isinstance(error.code, int) and status == 0):
            return 0, {"token": token}
        if isinstance(error.code, int):
            return status, {"token": token, "failure": [f"exit status {status}", "", None]}
        print(error.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        return 1, {"token": token, "failure": ["exit status 1", str(error.code)[:_MESSAGE_LENGTH], None]}
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename not in (
        CODE_FILE,
        PREAMBLE_FILE,
        TEST_FILE,
    ):
        trace = trace.tb_next
    (line, test_line) = (None, None)
    step = trace
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        line = step.tb_lineno if file == CODE_FILE else line
        test_line = step.tb_lineno if file == TEST_FILE else test_line
        step = step.tb_next
    short_of_memory = isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno == errno.ENOMEM
    )
    try:
        message = str(error)
    except BaseException:  # noqa: BLE001 - __str__ is the candidate's code
        message = ""
    if not message and isinstance(error, AssertionError) and test_line and line is None:
        message = text.splitlines()[test_line - 1].strip()
    failure = [type(error).__name__, message[:_MESSAGE_LENGTH], line]
    with contextlib.suppress(BaseException):  # its output is a courtesy
        sys.excepthook(type(error), error.with_traceback(trace), trace)
    return 1, {"token": token, "failure": failure, "memory": short_of_memory}


def _finish(job: Job, status: int) -> int:
    """Do what the interpreter does at its end (threads, exit handlers, buffers); the exit status."""
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001 - waits for non-daemon threads
    atexit._run_exitfuncs()  # noqa: SLF001 - the interpreter calls it at a normal end
    if job.opens:
        for item in gc.get_objects():
            if isinstance(item, io.IOBase) and not item.closed and item.writable():
                item.flush()
    streams = [getattr(sys, name, None) for name in ("stdout", "stderr", "__stdout__")]
    if streams[2] is streams[0]:
        del streams[2]
    for stream in streams:
        if stream is not None and not getattr(stream, "closed", False):
            try:
                stream.flush()
            except BaseException:  # noqa: BLE001 - a full file, or a stream of the candidate's own
                status = status or 120
    return status
