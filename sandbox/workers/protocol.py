"""How a worker is started and spoken to.

The inside is `sandbox/inside/*.py` and `problems/values.py`, sent as text in the first frame, so that
neither an image nor a mount has to carry it. A backend starts `command(python)` with `ENVIRONMENT`, and
`protocol.Conversation` sends `greeting(settings)` first and speaks frames (`inside/frames.py`) from then on.

What a backend owes the supervisor:
    standard input and output are its own; standard error is a log
    with `Settings.uids`: user 0 with CAP_SETUID, CAP_SETGID and CAP_KILL and nothing else
    it is PID 1 of its PID namespace, or dies with the process that started it
    the hard RLIMIT_STACK is at least 128 MB, or none; nothing that the runs' uids can write to
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from sstar_code.sandbox.inside import frames
from sstar_code.sandbox.languages.table import PYTHON
from sstar_code.sandbox.outcome import Limits, Mode, Program, SandboxError
from sstar_code.sandbox.workers.classify import classify

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",  # a set's order must not change between two runs of one program
    "MALLOC_ARENA_MAX": "1",  # an arena a thread would eat the address space that RLIMIT_AS grants
    "OPENBLAS_NUM_THREADS": "1",  # one core a program: a library must not take more, nor wait for threads
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""All that the inside sees of an environment."""

_MODULES = (
    *("frames", "kernel", "seccomp", "stream", "calling.nodes", "calling.call", "driver", "run"),
    "compiling.native",
    "judging.files",
    *(f"asserting.{name}" for name in ("copies", "proxy", "peer", "candidate", "tester", "pair", "trusting")),
    *("judging.talk", "program", "supervisor"),
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


SCRATCH = "/tmp"  # noqa: S108 - inside, on a file system of the worker's own
(SCRATCH_MB, SCRATCH_FILES) = (64, 1024)


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
    compile_mb: int = 2048
    """Memory for compiling a program, beyond what the process has before; less than there is in all, or the
    kernel would end whatever it chooses."""
    scratch: str | None = None
    """Folder on a small file system of the worker's own that the runs may write to, and where they start; it
    is emptied after every run. None: they can write nowhere."""
    libraries: tuple[str, ...] = ()
    """Import names of the third-party libraries that programs may count on where they are found."""
    tools: str | None = None
    """Folder inside with what `languages.toolchain` laid down; None: programs are Python."""
    library_paths: tuple[str, ...] = ()
    """Folders inside that hold them, searched after the standard library."""
    proc_descriptor: int | None = None
    """Open when the inside starts, and leads to a /proc that shows every process, where the one in sight
    hides them from all of the supervisor's uid."""


def command(python: str) -> list[str]:
    """The arguments that start the inside under the interpreter `python` (CPython 3.9 or newer)."""
    return [python, "-s", "-S", "-B", "-X", "utf8", "-c", _BOOT]


@cache
def _sources() -> list[tuple[str, str]]:
    here = files("sstar_code.sandbox.inside")
    inside = [
        (f"sstar_code.sandbox.inside.{name}", (here / f"{name.replace('.', '/')}.py").read_text("utf-8"))
        for name in _MODULES
    ]
    values = (files("sstar_code.problems") / "values.py").read_text("utf-8")
    return [("sstar_code.problems.values", values), *inside]


def greeting(settings: Settings) -> bytes:
    """The first frame: the inside's source and its `settings`."""
    return frames.pack({"modules": _sources(), "settings": json.loads(json.dumps(asdict(settings)))})


_IMPORT = re.compile(r"^[ \t]*(?:import[ \t]+([\w., \t]+)|from[ \t]+([\w.]+)[ \t]+import\b)", re.MULTILINE)


def find_imports(source: str) -> list[str]:
    """The modules that lines of `source` import, and the packages that they are in; sorted.

    Enough to have them imported ahead of the runs: what is hidden from it is imported in each run.
    """
    found: set[str] = set()
    for several, one in _IMPORT.findall(source):
        for item in (one or several).split(","):
            name = item.split()[0] if item.split() else ""
            found.update({name, name.partition(".")[0]})
    if "numpy" in found and "random" in source:  # numpy loads it when it is asked for: it has to be seeded
        found.add("numpy.random")
    return sorted(found - {""})


_CANARY = Program("print(sum(map(int, input().split())))")
(_CANARY_INPUT, _CANARY_OUTPUT) = (b"19 23", "42\n")
_START_S = 180.0
_GRACE_S = 120.0
"""Beyond the wall limit before a worker counts as hung in which neither an answer comes nor CPU time is used.
That a program on a busy machine gets little of a core is no reason: its supervisor tells how much it got."""
_COMPILE_S = 40.0
_IMAGES = 12
JUDGE_LIMITS = {"cpu_s": 10.0, "memory_mb": 1024, "output_kb": 16 << 10}
"""Those of an interactor, beside its candidate's."""
PART_S = 5.0
"""After so long a part of a request is answered by itself, where the other side wants it."""
_NEVER_ALONE = (Mode.ASSERT, Mode.TRUSTING, Mode.INTERACT)
_SMALL = 64 * 1024
"""Characters of a program for whose single input the process that compiled it may serve: memory that a larger
one's compiler used would count as the run's."""
_WINDOW = 32 * 1024
"""Bytes under way towards the inside: less than a pipe holds, so a send never waits for a program."""


class WorkerLost(Exception):  # noqa: N818 - what happened, not whose fault
    """The worker died, hung or talked nonsense; what it was doing has to be done elsewhere."""


class Worker(Protocol):
    """A supervisor somewhere, reached by blocking calls from one thread at a time (`kill`: from any)."""

    settings: Settings
    """The settings that `Conversation.open` tells the supervisor."""

    def start(self) -> None:
        """Start the supervisor's process (`boot.command`).

        Raises:
            SandboxError: it cannot be started here; the message says what to do.
        """
        ...

    def send(self, data: bytes) -> None:
        """Write all of `data` to the supervisor's standard input.

        Raises:
            OSError: it is gone.
        """
        ...

    def receive(self, timeout_s: float) -> bytes:
        """The next piece of the supervisor's standard output, at least a byte; empty at its end.

        Raises:
            TimeoutError: nothing came in `timeout_s`.
            OSError: it is gone.
        """
        ...

    def kill(self) -> None:
        """End the supervisor and all it started, and wait for that. Any thread, any state, repeatedly."""
        ...

    def log(self) -> str:
        """The last lines of its standard error, for messages."""
        ...


class Conversation:
    """Speaks the protocol over a worker. Blocking; one request at a time."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.runs = 0
        """Runs made so far."""
        self.checked_at = 0
        """Runs made when `check` was called last."""
        self.features: dict[str, Any] = {}
        """The facts that the supervisor gave about itself: `python`, `seccomp`, ..."""
        self.compiled: deque[tuple[str, bool, str]] = deque(maxlen=_IMAGES)
        """The last programs of compiled languages: the worker has them still."""
        self._decoder = frames.Decoder()
        self._waiting: list[tuple[dict[str, Any], bytes]] = []
        self._request = 0

    def open(self) -> None:
        """Start the worker and greet it.

        Raises:
            SandboxError: it does not start or does not answer; the message holds its log.
        """
        self.worker.start()
        # what does not read, or reads as long as somebody reads what it writes, would have us write for ever
        watchdog = threading.Timer(_START_S, self.worker.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            self.worker.send(greeting(self.worker.settings))
            (head, _) = self._next(time.monotonic() + _START_S)
        except (OSError, WorkerLost) as error:
            log = self.worker.log().strip().splitlines()
            self.worker.kill()
            detail = log[-1] if log else error
            raise SandboxError(f"the sandbox does not start: {detail} (see `sstar doctor`)") from error
        finally:
            watchdog.cancel()
        if "hello" not in head:
            self.worker.kill()
            raise SandboxError(f"the sandbox does not start: {head.get('error', head)}")
        self.features = head["hello"]

    def check(self) -> None:
        """Have the worker run a program whose output is known: the canary.

        Raises:
            WorkerLost: it does not do it right.
        """
        ((head, blob),) = self.run(_CANARY, [_CANARY_INPUT], Limits(), stop_on_failure=False)
        self.checked_at = self.runs
        if "token" not in head or classify(head, blob, Mode.MAIN, Limits()).stdout != _CANARY_OUTPUT:
            raise WorkerLost(f"its canary died: {head}")

    def run(
        self,
        program: Program,
        inputs: Sequence[bytes],
        limits: Limits,
        *,
        stop_on_failure: bool,
        eager: bool = False,
        part_s: float | None = None,
    ) -> Iterator[tuple[dict[str, Any], bytes]]:
        """The answers to `inputs`, in order, several at a time; one with a `compile` key stands for all.

        So does one with a `lost` key: the process that compiles was ended, and not by the program.

        With `stop_on_failure` the inside skips what follows the first failed run. With `eager` each answer
        comes before the next run begins, so that what breaks the worker can be told from what ran before.
        With `part_s` it skips what follows the first run that ends later than that.

        Raises:
            WorkerLost: the worker has to be thrown away.
        """
        self._request += 1
        is_python = program.language == PYTHON
        for key in (
            (program.language, program.sanitized, program.code),
            (program.judge_language, False, program.judge),
        ):
            if key[0] != PYTHON:
                if key in self.compiled:
                    self.compiled.remove(key)
                self.compiled.append(key)
        request = {
            "id": self._request,
            "code": program.code,
            "language": program.language,
            "sanitized": program.sanitized,
            "mode": program.mode.value,
            "entry_point": program.entry_point,
            "preamble": program.preamble,
            "call": asdict(program.call),
            "judge": {
                "code": program.judge,
                "language": program.judge_language,
                "sanitized": False,
                "preamble": "",
            }
            if program.mode is Mode.INTERACT
            else None,
            "judge_limits": JUDGE_LIMITS,
            "cpu_s": limits.cpu_s,
            "wall_s": limits.wall_ceiling_s,
            "memory_mb": limits.memory_mb,
            "output_kb": limits.output_kb,
            "int_digits": limits.int_digits,
            "stop": stop_on_failure,
            "eager": eager,
            "part_s": part_s,
            "alone": is_python
            and len(inputs) == 1
            and len(program.code) <= _SMALL
            and program.mode not in _NEVER_ALONE,
            "import": find_imports(f"{program.preamble}\n{program.code}") if is_python else [],
        }
        try:
            yield from self._exchange(request, inputs, limits.wall_ceiling_s)
        except OSError as error:
            raise WorkerLost(str(error)) from error

    def _exchange(
        self, request: dict[str, Any], inputs: Sequence[bytes], wall_s: float
    ) -> Iterator[tuple[dict[str, Any], bytes]]:
        libraries = self.features.get("libraries", ())
        imported = [name for name in request["import"] if name.partition(".")[0] in libraries]
        pending = [frames.pack({"import": imported}), frames.pack(request)]
        queue = [frames.pack(None, text) for text in inputs]
        queue.append(frames.pack({"end": self._request}))
        queue.reverse()
        if request["alone"]:
            pending += reversed(queue)
            queue = []
        under_way: list[int] = []
        patience_s = _COMPILE_S + wall_s + _GRACE_S
        while True:
            if sum(under_way) <= _WINDOW // 2:  # many at a time: every send wakes all who hand it on
                while queue and (not under_way or sum(under_way) + len(queue[-1]) <= _WINDOW):
                    pending.append(queue.pop())
                    under_way.append(len(pending[-1]))
            if pending:
                self.worker.send(b"".join(pending))
                pending = []
            (head, blob) = self._answer(patience_s)
            if head.get("id") != self._request:
                raise WorkerLost("an answer to another request")
            if "done" in head:
                return
            yield head, blob
            patience_s = wall_s + _GRACE_S
            self.runs += 1
            if "compile" in head or "lost" in head or head.get("last"):
                del queue[1:]  # only the end is still worth sending
                under_way = []
            under_way = under_way[1:]

    def _answer(self, patience_s: float) -> tuple[dict[str, Any], bytes]:
        """The next answer, waited for as long as heartbeats tell of more CPU time at least so often."""
        used_s, deadline_s = 0.0, time.monotonic() + patience_s
        while True:
            (head, blob) = self._next(deadline_s)
            if "heartbeat" not in head:
                return head, blob
            if head["heartbeat"] != used_s:
                used_s, deadline_s = head["heartbeat"], time.monotonic() + patience_s

    def _next(self, deadline_s: float) -> tuple[dict[str, Any], bytes]:
        while not self._waiting:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise WorkerLost("neither an answer nor CPU time used for too long")
            try:
                data = self.worker.receive(left_s)
                if not data:
                    raise WorkerLost(f"it ended: {self.worker.log().strip()[-300:]}")
                self._waiting = self._decoder.feed(data)
            except TimeoutError:
                continue
            except (OSError, ValueError) as error:
                raise WorkerLost(str(error)) from error
        return self._waiting.pop(0)
