"""What goes into a sandbox and what comes out.

A candidate's failure is data here, never an exception. `IE` alone means that the sandbox failed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar

from sstar_code.problems import InfrastructureError


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
    """Run the program, then the input as Python source in the same name space; it must run to its end."""


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
        ValueError: `mode` is none.
    """

    code: str
    mode: Mode = Mode.MAIN
    """May be given as its text: `main`, `call` or `assert`."""
    entry_point: str | None = None
    """For `CALL`: `name` or `Class.name` (a fresh instance is made for every run)."""
    preamble: str = ""
    """Source run before `code` in the same name space under another file name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", _as_member(Mode, self.mode))


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one run on one input."""

    cpu_s: float = 6.0
    wall_s: float | None = None
    """Ceiling against sleepers; None: 3 * cpu_s + 2, generous because load must not decide a verdict."""
    memory_mb: int = 1024
    output_kb: int = 16 * 1024
    """Standard output, standard error and the returned value, each."""

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


class Sandbox(Protocol):
    """Runs untrusted programs: `DockerSandbox`, `LocalSandbox`, `FakeSandbox`."""

    name: str
    """For messages and the manifest, like `docker` or `local`."""

    @property
    def workers(self) -> int:
        """Programs that run at once; never more than usable cores by default."""
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


class SandboxWrapper:
    """A sandbox around another one, which it starts, stops and runs programs in."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.name = sandbox.name
        self._sandbox = sandbox

    @property
    def workers(self) -> int:
        """Programs that run at once."""
        return self._sandbox.workers

    async def __aenter__(self) -> Self:
        await self._sandbox.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sandbox.__aexit__(kind, error, trace)


def execution_key(program: Program, text: str, limits: Limits) -> str:
    """Content hash under which the result of one run is kept: hex, 64 characters."""
    body = json.dumps([asdict(program), text, asdict(limits)], sort_keys=True)
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
