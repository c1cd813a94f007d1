"""The program process: one request, from its first frame to its last.

It compiles the program once and forks a run per input, and executes nothing of a candidate's. Where there is
one input only, it becomes that run: what it knows then is that run's own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import sys
import time
from importlib.machinery import PathFinder
from importlib.util import LazyLoader
from typing import TYPE_CHECKING, Any, Union

from sstar_code.sandbox.inside import driver, kernel, run
from sstar_code.sandbox.inside.asserting import pair, trusting
from sstar_code.sandbox.inside.compiling import native
from sstar_code.sandbox.inside.judging import files, talk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sstar_code.sandbox.inside.stream import Stream

_TRUSTED = frozenset({
    "abc", "array", "bisect", "calendar", "cmath", "collections", "contextlib", "copy", "dataclasses",
    "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "inspect", "io",
    "itertools", "json", "math", "numbers", "operator", "os", "pprint", "queue", "random", "re",
    "statistics", "string", "struct", "sys", "textwrap", "threading", "time", "traceback", "types",
    "typing", "unicodedata", "uuid",
})  # fmt: skip
"""Standard modules without side effects: imported before the first fork if the program imports them."""
_LINGERING = ("__del__", "yield", "IO", "open(", "Buffered", "async ", "finalize", "weakref", "ExitStack")
"""Words of programs whose objects may write when they are destroyed; for others their end costs nothing."""
_RARE = frozenset({"numpy.ctypeslib", "numpy.fft", "numpy.ma", "numpy.polynomial", "numpy.random"})
"""Parts that few programs use and old releases load with the rest: every mapping makes a fork slower."""
_COMPILE_CPU_S = 10
_BYTE_ORDER_MARK = "\ufeff"
_EXECUTE: dict[str, Callable[[run.SupervisorState, Any, dict[str, Any]], run.End]] = {
    "main": run.execute,
    "call": run.execute,
    "native": native.execute,
    "files": files.execute,
    "arguments": files.execute_with_arguments,
    "assert": pair.execute,
    "trusting": lambda state, job, request: run.execute(state, job, request, trusting.perform),
}
_ANSWER = (
    b'{"id": %d, "run": %d, "token": "%s", "status": %d, "killed": "%s", "cpu_s": %.6f, "wall_s": %.6f, '
    b'"memory_kb": %d, "sizes": [%d, %d, %d], "tail": %d, "last": %d}'
)
"""`status` is that of wait(2); `killed` says over which limit, if any; `sizes` are the whole streams'."""


def serve(stream: Stream, state: run.SupervisorState) -> None:
    """Answer one request.

    Raises:
        EOFError: the other side has gone.
        OSError: the sandbox is broken.
    """
    (request, rest) = stream.take()
    stream.copy(rest, None)
    assert request is not None
    name = request["id"]
    state.page[8:16] = name.to_bytes(8, "little")
    state.page[1] = 1
    is_python = request["language"] == "python"
    (job, judge) = _build(request, state, stream)
    if isinstance(job, dict):
        answer = job if "lost" in job else {"compile": job}
        stream.send(json.dumps({"id": name, **answer}).encode("ascii"))
    del request["code"], request["preamble"], request["judge"]
    if request["alone"] and not isinstance(job, dict):
        (_, size) = stream.take()
        _lay_input(stream, size)
        stream.take()  # the end
        assert isinstance(job, driver.Job)
        run.become(state, job, request)
    if is_python:
        _expect_children()
    started_s = time.monotonic()
    skipping = isinstance(job, dict)
    place = 0
    while True:
        stream.flush_if_due()
        (head, size) = stream.take()
        if head is not None:  # the end
            stream.send(b'{"id": %d, "done": true}' % name)
            stream.flush()
            return
        if skipping or isinstance(job, dict):
            stream.copy(size, None)
            continue
        run.renew_streams()
        _lay_input(stream, size)
        if judge is not None:
            end = talk.execute(state, job, request, judge)
        else:
            given = request["mode"] in ("files", "arguments")
            end = _EXECUTE[request["mode"] if given else job.mode](state, job, request)
        fine = end.status == 0 and end.killed is None and end.cpu_s <= request["cpu_s"]
        is_over = request["part_s"] is not None and time.monotonic() - started_s > request["part_s"]
        skipping = send_answer(
            stream, end, name, place, request["output_kb"], stop=request["stop"], fine=fine, is_over=is_over
        )
        place += 1
        if request["eager"]:
            stream.flush()


_Built = Union[driver.Job, native.Image]  # noqa: UP007 - 3.9


def _build(
    request: dict[str, Any], state: run.SupervisorState, stream: Stream
) -> tuple[_Built | dict[str, Any], _Built | None]:
    """The program of `request`, or why it does not compile, and the judge that it talks to, if any."""
    (name, asked) = (request["id"], request["judge"])
    judge: _Built | dict[str, Any] | None = None
    job: _Built | dict[str, Any] | None = None
    if asked and asked["language"] == "python":
        judge = _compile({**request, **asked}, state)
    if request["language"] == "python":
        job = _compile(request, state)
    state.end_compiling()
    state.tell = lambda cpu_s: stream.send_heartbeat(name, cpu_s)
    if asked and judge is None:
        _expect_children()
        judge = native.compile_program(asked, state, 1)
    if isinstance(judge, dict):
        return judge if "lost" in judge else {**judge, "judge": True}, None
    if job is None:
        _expect_children()
        job = native.compile_program(request, state)
    return job, judge


def _expect_children() -> None:
    kernel.control(kernel.CHILD_SUBREAPER)
    run.wait_for_signals()


def _lay_input(stream: Stream, size: int) -> None:
    """Put the next `size` bytes into the run's standard input, which is as new as its other streams."""
    if size:
        stream.copy(size, 0)
        os.lseek(0, 0, os.SEEK_SET)


def send_answer(
    stream: Stream,
    end: run.End,
    name: int,
    place: int,
    output_kb: int,
    *,
    stop: bool,
    fine: bool,
    is_over: bool = False,
) -> bool:
    """Send how the run `place` of the request `name` went; whether the runs that follow are to be skipped.

    With `stop` they are, after the first that is not `fine` or wrote more than `output_kb`; always where the
    time for this part of the request `is_over`.
    """
    most = (output_kb << 10) + 4096
    (out, err, told) = (min(os.fstat(descriptor).st_size, most) for descriptor in run.STREAMS[1:])
    tail = min(err, 8192)
    stopping = is_over or (stop and not (fine and max(out, err, told) <= output_kb << 10))
    head = _ANSWER % (
        *(name, place, end.token.encode("ascii"), end.status, end.killed or b"", end.cpu_s, end.wall_s),
        *(end.memory_kb, out, err, told, tail, stopping),
    )
    stream.send(head, [(1, 0, out), (2, err - tail, tail), (3, 0, told)])
    return stopping


def _compile(request: dict[str, Any], state: run.SupervisorState) -> driver.Job | dict[str, Any]:
    """The compiled program, or why it does not compile: `type`, `message`, `line`.

    Limits keep a program that is made to break the compiler from more than ending this process.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (_COMPILE_CPU_S, resource.RLIM_INFINITY))
    (_, hard) = resource.getrlimit(resource.RLIMIT_AS)
    most = kernel.mapped_mb(state.proc) + state.compile_mb << 20
    soft = most if hard == resource.RLIM_INFINITY else min(hard, most)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    codes = []
    for text, file in ((request["preamble"], driver.PREAMBLE_FILE), (request["code"], driver.CODE_FILE)):
        if not text and file == driver.PREAMBLE_FILE:
            continue
        try:
            source = text[1:] if text.startswith(_BYTE_ORDER_MARK) else text
            codes.append(compile(source, file, "exec", dont_inherit=True))
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            line = getattr(error, "lineno", None) if file == driver.CODE_FILE else None
            message = getattr(error, "msg", None) or str(error)
            return {"type": type(error).__name__, "message": str(message)[:500], "line": line}
    everything = request["preamble"] + "\n" + request["code"]
    for module in request["import"]:
        if module in _TRUSTED and module not in sys.modules:
            with contextlib.suppress(ImportError):
                import_module(module)
    if (
        "random" in everything or "random" in sys.modules
    ):  # found in another module, it would have another seed
        import_module("random")
        sys.modules["random"].seed(0)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    gc.freeze()
    return driver.Job(
        codes,
        "main" if request["mode"] == "interact" else request["mode"],
        request["entry_point"] or "",
        lingers=any(word in everything for word in _LINGERING),
        int_digits=request["int_digits"],
        call=request["call"],
    )


class _LazyFinder:
    """Has parts of a library that are named in `names` loaded when they are first used."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """The module's own spec, with a loader that waits."""
        spec = PathFinder.find_spec(name, path, target) if name in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def import_libraries(names: Sequence[str]) -> None:
    """Import third-party modules; one that cannot be imported fails in the program that wants it."""
    finder: Any = _LazyFinder(_RARE - set(names))
    sys.meta_path.insert(0, finder)
    try:
        for name in names:
            with contextlib.suppress(BaseException):
                import_module(name)
    finally:
        sys.meta_path.remove(finder)
    if "numpy.random" in names and "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed(0)  # as `random`: the same in every run


def import_module(name: str) -> None:
    """Import `name` without its handlers of forks.

    They would run in every fork and touch what else stays shared: locks that nobody holds, and a
    new seed for `random`, where every run is to have the same.

    Raises:
        ImportError: there is none.
    """
    register = os.register_at_fork
    os.register_at_fork = lambda **_: None
    try:
        importlib.import_module(name)
    finally:
        os.register_at_fork = register
