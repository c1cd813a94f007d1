"""What goes into a sandbox and what comes out.

A candidate's failure is data here, never an exception. `IE` alone means that the sandbox failed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar

from sstar_code.problems import InfrastructureError
from sstar_code.problems.calls import PLAIN_CALL, CallForm
from sstar_code.problems.problem import MAX_OUTPUT_MB
from sstar_code.sandbox.languages.table import PYTHON, find_language

if TYPE_CHECKING:
    from sstar_code.sandbox.environment import Environment

JUDGE_ERROR = "JudgeError"  # the type of the failure of a run whose interactor does not compile


class SandboxError(InfrastructureError):
    """The sandbox cannot be started, or broke; the message says what to do."""


_Kind = TypeVar("_Kind", bound=StrEnum)


class Verdict(StrEnum):
    """The verdict on a candidate for a test or a set of tests; the names are those of the online judges."""

    AC = "AC"
    WA = "WA"
    RE = "RE"
    TLE = "TLE"
    MLE = "MLE"
    OLE = "OLE"
    CE = "CE"
    IE = "IE"


class Status(StrEnum):
    """How one run ended, before anyone compares its output."""

    OK = "OK"
    RE = "RE"
    TLE = "TLE"
    MLE = "MLE"
    OLE = "OLE"
    CE = "CE"
    IE = "IE"


class Mode(StrEnum):
    """How a run uses its input."""

    MAIN = "main"
    """Run the program as `__main__`; the input is its standard input; standard output counts."""
    CALL = "call"
    """Run the program, then call its entry point; the input is `values.encode_lines(arguments)`; the
    return value counts."""
    ASSERT = "assert"
    """Run the input as Python source in a process of its own; it must run to its end. Names that it does not
    define are the program's, which runs in another process and only answers calls."""
    TRUSTING = "trusting"
    """The same in the program's own process, for source that needs its objects themselves."""
    FILES = "files"
    """Compiled languages: run it with the paths of three files as arguments (`inside.frames.pack_files`)."""
    ARGUMENTS = "arguments"
    """The same with the lines of the input as arguments."""
    INTERACT = "interact"
    """Join the program's standard input and output to those of its `judge`, a second program that has three
    files as in `FILES`; the judge's end is what counts (`judging.interactors`)."""


_GIVEN = (Mode.FILES, Mode.ARGUMENTS)  # of compiled languages alone


def _as_member(kind: type[_Kind], value: str) -> _Kind:
    """The member of `kind` that `value` is or spells.

    Raises:
        ValueError: there is none; the message names all.
    """
    if value not in list(kind):
        raise ValueError(f"{kind.__name__.lower()} must be one of {', '.join(kind)}, got {value!r}")
    return kind(value)


@dataclass(frozen=True, slots=True)
class Program:
    """Source that can be run. Two equal programs are one program to every cache.

    Raises:
        ValueError: `mode` or `language` is none, or they do not go together.
    """

    code: str
    mode: Mode = Mode.MAIN
    """May be given as its text: `main`, `call`, `assert` or `trusting`."""
    entry_point: str | None = None
    """For `CALL`: `name`, `Class.name` (a fresh instance for every run), or a class that is driven."""
    preamble: str = ""
    """Source run before `code` in the same name space under another file name."""
    call: CallForm = PLAIN_CALL
    """For `CALL`: how the entry point is called."""
    language: str = PYTHON
    """A name of `languages.table`, or an alias, like `cpp`. But for Python: not every mode."""
    judge: str = ""
    """For `INTERACT`: the interactor's source, in `judge_language`."""
    judge_language: str = PYTHON
    sanitized: bool = False
    """Built so that it watches itself (AddressSanitizer), for what a model is told; never for a verdict."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", _as_member(Mode, self.mode))
        if self.judge_language != PYTHON:
            object.__setattr__(self, "judge_language", find_language(self.judge_language).name)
        if self.language != PYTHON:
            object.__setattr__(self, "language", find_language(self.language).name)
            if self.mode not in (Mode.MAIN, *_GIVEN, Mode.INTERACT) or self.preamble:
                raise ValueError(f"a {self.language} program reads standard input; it is not called")
        if self.language == PYTHON and self.mode in _GIVEN:
            raise ValueError(f"a Python program is given no {self.mode}")
        if self.sanitized and self.language == PYTHON:
            raise ValueError("a Python program has no sanitizers")


_LONGEST_S = 86_400.0
_LARGEST_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one run on one input. A day of CPU time and a terabyte are the most there is."""

    cpu_s: float = 6.0
    wall_s: float | None = None
    """Ceiling against sleepers; None: 3 * cpu_s + 2, generous because load must not decide a verdict."""
    memory_mb: int = 1024
    output_kb: int = MAX_OUTPUT_MB * 1024
    """Standard output, standard error and the returned value, each."""
    int_digits: int | None = None
    """Digits of the longest integer that becomes text or comes from text; 0: no limit, None: Python's own."""
    kept_chars: int | None = None
    """Characters of an output that are kept (`cut_output`); None: all. No part of a run's key."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "cpu_s", min(self.cpu_s, _LONGEST_S))
        if self.wall_s is not None:
            object.__setattr__(self, "wall_s", min(self.wall_s, 3 * _LONGEST_S + 2))
        object.__setattr__(self, "memory_mb", min(self.memory_mb, _LARGEST_MB))

    @property
    def wall_ceiling_s(self) -> float:
        """The wall limit in force."""
        return self.wall_s if self.wall_s is not None else 3 * self.cpu_s + 2


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run did not end well, in words that may be shown to a model."""

    type: str
    """Exception class, `SIGSEGV`, `exit status 3`, `SyntaxError`, ..."""
    message: str = ""
    """Last line of the traceback without the type, capped."""
    line: int | None = None
    """1-based line of the candidate's own code where it was raised."""


@dataclass(frozen=True, slots=True)
class Execution:
    """The record of one program's run on one input.

    Raises:
        ValueError: `status` is none.
    """

    status: Status
    """May be given as its text, like `OK`."""
    stdout: str = ""
    """Decoded as UTF-8 with `backslashreplace`: undecodable output stays distinguishable."""
    stderr: str = ""
    """The last 2,000 characters."""
    result: str | None = None
    """`CALL` only: the encoded return value."""
    failure: Failure | None = None
    cpu_s: float = 0.0
    wall_s: float = 0.0
    memory_mb: float = 0.0
    """Peak resident set size."""
    limit: Literal["cpu", "wall"] | None = None
    """Which limit a TLE ran over."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", _as_member(Status, self.status))

    @property
    def output(self) -> str | None:
        """The text that decides the verdict: the returned value where there is one, else standard output."""
        return self.result if self.result is not None else self.stdout

    def shorten(self, kept_chars: int | None) -> Execution:
        """The same with at most so many characters of what it wrote and gave (`cut_output`)."""
        if kept_chars is None or max(len(self.stdout), len(self.result or "")) <= kept_chars:
            return self
        result = None if self.result is None else cut_output(self.result, kept_chars)
        return replace(self, stdout=cut_output(self.stdout, kept_chars), result=result)


_CUT = re.compile(r"\n\[cut: \d+ bytes in all, sha256 [0-9a-f]{64}\]\Z")
_LONGEST_MARK = 128


def decode_output(data: bytes, kept_chars: int | None = None) -> str:
    """The text that a program wrote, cut as by `cut_output` before more of it is decoded than is kept."""
    if kept_chars is None or len(data) <= kept_chars:
        return data.decode("utf-8", "backslashreplace")
    text = data[: 4 * kept_chars + 4].decode("utf-8", "backslashreplace")  # a character has 4 bytes at most
    if len(text) <= kept_chars:
        return text
    return f"{text[:kept_chars]}\n[cut: {len(data)} bytes in all, sha256 {hashlib.sha256(data).hexdigest()}]"


def cut_output(text: str, kept_chars: int) -> str:
    """`text`, of a long one the first `kept_chars` characters, and length and hash of all.

    So what is kept of two outputs is equal where the outputs are.
    """
    if len(text) <= kept_chars:
        return text
    mark = _find_mark(text)
    if mark is not None:  # it has been cut before
        return text if mark.start() <= kept_chars else text[:kept_chars] + mark[0]
    return decode_output(text.encode("utf-8", "surrogatepass"), kept_chars)


def is_cut(text: str) -> bool:
    """Whether `text` is what was kept of a longer output."""
    return _find_mark(text) is not None


def is_same_output(first: str, second: str) -> bool:
    """Whether two outputs are equal, as far as length and hash tell where one of them was cut."""
    marks = [mark.start() for mark in (_find_mark(first), _find_mark(second)) if mark]
    if first == second or not marks:
        return first == second
    return cut_output(first, min(marks)) == cut_output(second, min(marks))


def _find_mark(text: str) -> re.Match[str] | None:
    return _CUT.search(text, max(0, len(text) - _LONGEST_MARK))


class Sandbox(Protocol):
    """Runs untrusted programs: `DockerSandbox`, `LocalSandbox`, `FakeSandbox`."""

    name: str
    """For messages and the manifest, like `docker` or `local`."""

    @property
    def workers(self) -> int:
        """Programs that run at once; never more than usable cores by default."""
        ...

    @property
    def environment(self) -> Environment:
        """The Python and the libraries that programs find; known once the sandbox is entered."""
        ...

    async def __aenter__(self) -> Self:
        """Start what has to be started.

        Raises:
            SandboxError: it cannot isolate here; the message says what to install.
        """
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every process and remove every container of ours."""
        ...

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """Run `program` once on each input, in order; one fresh process each.

        With `stop_on_failure` the first run whose status is not OK is the last, so the list may be
        shorter than `inputs`. Never raises for what the program does. A run lost to a fault of the
        sandbox is retried, then reported as `IE`.
        """
        ...


async def run_part(
    sandbox: Sandbox,
    program: Program,
    inputs: Sequence[str],
    limits: Limits,
    *,
    stop_on_failure: bool = False,
) -> list[Execution]:
    """The first executions of `Sandbox.run`, at least one: those of a few seconds, so that they can be kept.

    All of them where the sandbox has no `run_part` of its own.
    """
    run = getattr(sandbox, "run_part", sandbox.run)
    runs: list[Execution] = await run(program, inputs, limits, stop_on_failure=stop_on_failure)
    return runs


class SandboxWrapper:
    """A sandbox around another one, which it starts, stops and runs programs in."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.name = sandbox.name
        self._sandbox = sandbox

    @property
    def workers(self) -> int:
        """Programs that run at once."""
        return self._sandbox.workers

    @property
    def environment(self) -> Environment:
        """What programs find in the sandbox inside."""
        return self._sandbox.environment

    async def __aenter__(self) -> Self:
        await self._sandbox.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sandbox.__aexit__(kind, error, trace)


def execution_key(program: Program, text: str, limits: Limits) -> str:
    """Content hash under which the result of one run is kept: hex, 64 characters."""
    return execution_keys(program, [text], limits)[0]


def execution_keys(program: Program, inputs: Iterable[str], limits: Limits) -> list[str]:
    """`execution_key` of the program on each of `inputs`."""
    facts, bounds = _list_fields(program), _list_fields(limits)
    del bounds["kept_chars"]  # it changes nothing of the run
    if program.call == PLAIN_CALL:
        del facts["call"]  # it had no name when stores that are read today were written
    else:
        facts["call"] = asdict(program.call)
    if program.language == PYTHON:
        del facts["language"]  # as above
    if program.mode is not Mode.INTERACT:
        del facts["judge"], facts["judge_language"]  # as above
    if not program.sanitized:
        del facts["sanitized"]  # as above
    before = hashlib.sha256(f"[{json.dumps(facts, sort_keys=True)}, ".encode())
    after = f", {json.dumps(bounds, sort_keys=True)}]"
    keys = []
    for text in inputs:
        whole = before.copy()
        whole.update(f"{json.dumps(text)}{after}".encode())
        keys.append(whole.hexdigest())
    return keys


def _list_fields(record: Program | Limits) -> dict[str, Any]:
    return {item.name: getattr(record, item.name) for item in fields(record)}


class SharedSandbox(SandboxWrapper):
    """A sandbox for several users at once: it is open already and stays so."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is stopped: others use it."""

    def __getattr__(self, name: str) -> Any:
        """What the sandbox inside can do beside running programs, like holding a repository."""
        if name == "_sandbox":  # not made yet: it would look for itself
            raise AttributeError(name)
        return getattr(self._sandbox, name)

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """As the sandbox inside."""
        return await self._sandbox.run(program, inputs, limits, stop_on_failure=stop_on_failure)
