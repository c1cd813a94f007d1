"""Runs a program and notes which of its lines were executed before each of its outputs.

This file is sent into the sandbox as text, before the program: standard library only, and nothing of ours is
imported. What it reports is made beside an untrusted program and is believed accordingly: it says where to
cut the program, and nothing else.
"""

import io
import json
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

_NAME = "traced.py"
_MOST_LINES = 200_000
"""Lines that are executed before the run is ended: tracing makes a program about thirty times slower."""
_MOST_WRITES = 400


class _EnoughError(BaseException):
    """Ends a traced run."""


class Tracer(io.TextIOBase):
    """Stands for standard output; counts what is written and remembers the order of lines at each write."""

    def __init__(self) -> None:
        self.order: dict[int, None] = {}
        """Lines by when they were executed last, the latest at the end."""
        self.executed = 0
        self.length = 0
        self.writes: list[tuple[int, list[int]]] = []
        """Characters written by then, and the lines executed so far; one entry for several of one line."""
        self.is_running = False

    @property
    def buffer(self) -> "Tracer":
        """For programs that write bytes."""
        return self

    def write(self, text: Any) -> int:
        """Note how much was written, and where."""
        self.length += len(text.decode() if isinstance(text, bytes) else text)
        lines = list(self.order)
        if self.writes and self.writes[-1][1] == lines:
            self.writes[-1] = (self.length, lines)
        elif len(self.writes) < _MOST_WRITES:
            self.writes.append((self.length, lines))
        return len(text)

    def trace(self, frame: FrameType, event: str, _: object) -> Any:
        """The function for `sys.settrace`."""
        if frame.f_code.co_filename != _NAME:
            return None
        if event == "line":
            self.executed += 1
            if self.executed > _MOST_LINES:
                raise _EnoughError
            self.order.pop(frame.f_lineno, None)
            self.order[frame.f_lineno] = None
        return self.trace

    def run(self, work: Callable[[], object]) -> str:
        """Do `work` traced, however it ends; the report as JSON."""
        real, sys.stdout, self.is_running = sys.stdout, self, True
        threading.settrace(self.trace)
        sys.settrace(self.trace)
        try:
            work()
            for thread in threading.enumerate():
                if thread is not threading.current_thread() and not thread.daemon:
                    thread.join()
        except BaseException:  # noqa: BLE001, S110 - a program may raise anything, and its end is known already
            pass
        finally:
            sys.settrace(None)
            sys.stdout, self.is_running = real, False
        return json.dumps({"writes": self.writes, "end": list(self.order)})


def read_code(source: str) -> CodeType:
    """The program, under the name by which its lines are known."""
    return compile(source, _NAME, "exec", dont_inherit=True)


def run_main(source: str) -> None:
    """Run a program that prints; the report is what is printed in the end."""
    code = read_code(source)
    sys.stdout.write(Tracer().run(lambda: exec(code, {"__name__": "__main__"})))  # noqa: S102 - its purpose


def trace_calls(source: str, entry_point: str, namespace: dict[str, Any]) -> None:
    """Define what a program defines; its entry point then returns the report in place of its result."""
    exec(read_code(source), namespace)  # noqa: S102 - its purpose
    owner, _, name = entry_point.rpartition(".")
    holder = namespace.get(owner) if owner else None
    original = getattr(holder, name) if holder is not None else namespace[name]
    tracer = Tracer()

    def traced(*arguments: Any, **named: Any) -> Any:
        if tracer.is_running:  # it calls itself
            return original(*arguments, **named)
        return tracer.run(lambda: original(*arguments, **named))

    if holder is not None:
        setattr(holder, name, traced)
    else:
        namespace[name] = traced
