"""Starts the program inside, for every backend: the command, its environment and the greeting.

The inside is `sandbox/inside/*.py` and `problems/values.py`, sent as text in the first frame, so that
neither an image nor a mount has to carry it. A backend starts `command(python)` with `ENVIRONMENT`, and
`protocol.Conversation` sends `greeting(settings)` first and speaks frames (`inside/frames.py`) from then on.

What a backend owes the supervisor:
    standard input and output are its own; standard error is a log
    with `Settings.uids`: user 0 with CAP_SETUID, CAP_SETGID and CAP_KILL and nothing else
    it is PID 1 of its PID namespace, or dies with the process that started it
    the hard RLIMIT_STACK is at least 128 MB; nothing that the runs' uids can write to
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

from sstar_code.sandbox.inside import frames

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",  # a set's order must not change between two runs of one program
    "MALLOC_ARENA_MAX": "1",  # an arena a thread would eat the address space that RLIMIT_AS grants
}
"""All that the inside sees of an environment."""

_MODULES = (
    "frames",
    "kernel",
    "seccomp",
    "driver",
    "run",
    "stream",
    "program",
    "supervisor",
)
"""The modules of the inside, in import order."""

_BOOT = """\
import json, os, sys, types
def take(size):
    data = b""
    while len(data) < size:
        part = os.read(0, size - len(data))
        if not part:
            os._exit(0)
        data += part
    return data
def install(name, source):
    module = types.ModuleType(name)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        if parent not in sys.modules:
            install(parent, "")
        setattr(sys.modules[parent], child, module)
    exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
sizes = take(8)
head = json.loads(take(int.from_bytes(sizes[:4], "big")))
take(int.from_bytes(sizes[4:], "big"))
sys.path[:] = [path for path in sys.path if path]
for name, source in head["modules"]:
    install(name, source)
sys.modules["sstar_code.sandbox.inside.supervisor"].main(head["settings"])
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """The facts that the inside needs about the place where it runs."""

    uids: tuple[int, int] | None = None
    """First uid and number of uids for the runs, one uid each; None: every run has the supervisor's own."""
    seccomp: bool = True
    """Install the system call filter in every run; the start fails where the kernel has none."""
    processes: int = 64
    """Threads of a run (RLIMIT_NPROC) where the kernel counts them apart from what else the same user runs: a
    uid for each run, or a user namespace. 0: as many as there is memory for."""


def command(python: str) -> list[str]:
    """The arguments that start the inside under the interpreter `python` (CPython 3.9 or newer)."""
    return [python, "-s", "-S", "-B", "-X", "utf8", "-c", _BOOT]


@cache
def _sources() -> list[tuple[str, str]]:
    here = files("sstar_code.sandbox.inside")
    inside = [
        (f"sstar_code.sandbox.inside.{name}", (here / f"{name}.py").read_text("utf-8")) for name in _MODULES
    ]
    values = (files("sstar_code.problems") / "values.py").read_text("utf-8")
    return [("sstar_code.problems.values", values), *inside]


def greeting(settings: Settings) -> bytes:
    """The first frame: the inside's source and its `settings`."""
    return frames.pack({"modules": _sources(), "settings": json.loads(json.dumps(asdict(settings)))})
