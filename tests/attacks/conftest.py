"""Backends under attack, one worker each, and the canary that runs after every attack in the same worker."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sstar_code.sandbox import Limits, Program, SandboxError, Status
from tests.support import ROOT, skip_unless_required

_CALLS = json.loads((ROOT / "tests" / "sandbox" / "inside" / "system_calls.json").read_text("utf-8"))
_NUMBERS = _CALLS.get(platform.machine(), {})

HEAD = f"""
import ctypes, os, sys, errno
NUMBER = {_NUMBERS}
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def through(action, *arguments):
    "Whether the action was neither refused nor failed."
    try: return action(*arguments) != -1
    except (OSError, MemoryError, RuntimeError, ValueError, OverflowError): return False
def call(name, *arguments):
    return libc.syscall(NUMBER[name], *arguments)
def barred(name, *arguments):
    "Whether the filter refuses the call, whatever its arguments are worth."
    return call(name, *arguments) == -1 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS, errno.EACCES)
def tell(got): print('through' if got else 'barred')
class Others:
    def __iter__(self): return iter(p for p in range(1, 300) if p != os.getpid())
others = Others()
"""
"""In front of every attack. `tell(True)` prints `through`, which nothing excuses."""

_RUNNER = Program(HEAD + "exec(compile(sys.stdin.read(), 'attack', 'exec'))\n")

_CANARY = """
import fcntl, json, resource, signal, threading, time
def parent(pid):
    try:
        with open(f'/proc/{pid}/stat') as file: return int(file.read().rpartition(')')[2].split()[1])
    except OSError: return 0
ours = [1, pid := os.getpid(), os.getppid()]
while pid := parent(pid): ours.append(pid)
seen = os.listdir('/proc') if os.path.isdir('/proc') else []
places = ('.', '/tmp', '/var/tmp', '/dev/shm', '/dev/mqueue', '/run', '/empty', '/')
streams = [os.fstat(f) for f in (0, 1, 2, 3)]
print(json.dumps({
    'processes': [p for p in seen if p.isdigit() and int(p) not in ours],
    'files': ([p for p in places if os.path.lexists(p + '/left')], os.listdir('.')),
    'streams': [(s.st_mode, s.st_nlink, s.st_size) for s in streams],
    'times': [abs(time.time() - t) < 60 for s in streams for t in (s.st_atime, s.st_mtime, s.st_ctime)],
    'marks': [os.listxattr(f) for f in (0, 1, 2, 3)],
    'flags': [(fcntl.fcntl(f, fcntl.F_GETFL), fcntl.fcntl(f, fcntl.F_GETFD)) for f in (0, 1, 2, 3)],
    'places': [os.lseek(f, 0, os.SEEK_CUR) for f in (1, 2, 3)],
    'descriptors': [f for f in range(4, 256) if through(os.fstat, f)],
    'limits': [resource.getrlimit(kind) for kind in range(16)],
    'signals': [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
    'mask': sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    'priority': (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)),
    'cores': sorted(os.sched_getaffinity(0)),
    'modules': sorted(sys.modules), 'threads': threading.active_count(),
    'place': (os.getcwd(), sorted(os.environ.items()), os.umask(0o77), sys.path, sys.argv),
    'hooks': [str(f) for f in (sys.gettrace(), sys.getprofile(), sys.excepthook, sys.displayhook)],
}, default=str))
"""


_QUICK_S = 0.5


class Attacked:
    """A sandbox of one worker, so that a canary meets whatever the attack left in it."""

    def __init__(self, sandbox, portal) -> None:
        self.sandbox = sandbox
        self._portal = portal
        (first, second) = self.run(_RUNNER, _CANARY, _CANARY, cpu_s=10)
        assert (first.status, first.stdout) == (Status.OK, second.stdout), first
        self._baseline = json.loads(first.stdout)
        self._worker = self._live()

    def _live(self):
        return list(self.sandbox._open)

    def run(self, program, *inputs, **limits):
        """The executions of `program`, source or Program, on `inputs`."""
        program = program if isinstance(program, Program) else Program(program)
        return self.call(self.sandbox.run, program, list(inputs or [""]), Limits(**limits))

    def call(self, function, *arguments):
        """Await `function(*arguments)` where the sandbox lives."""
        return self._portal.call(function, *arguments)

    def attack(self, code, **limits):
        """The record of the attack `code`; the canary after it has been found well, and the worker alive.

        It is made as one of several inputs, and a quick one once more as the only input, which is another way
        through the sandbox, with the same end.
        """
        (run, canary) = self.run(_RUNNER, code, _CANARY, **limits)
        self._inspect(canary)
        if run.wall_s < _QUICK_S:
            (alone,) = self.run(_RUNNER, code, **limits)
            (canary,) = self.run(_RUNNER, _CANARY, **limits)
            self._inspect(canary)
            assert alone.status is run.status, alone
        return run

    def _inspect(self, canary):
        if canary.limit is not None:  # the attack's limits may be too tight for it on a busy machine
            (canary,) = self.run(_RUNNER, _CANARY, cpu_s=10)
        assert canary.status is Status.OK, canary
        seen = json.loads(canary.stdout)
        for name, was in self._baseline.items():
            if name != "limits":
                assert seen[name] == was, name

    def check_worker(self):
        """No attack so far has cost the worker its life, and a canary of its own finds all as it was."""
        assert self._live() == self._worker
        (canary, again) = self.run(_RUNNER, _CANARY, _CANARY, cpu_s=10)
        assert json.loads(canary.stdout) == self._baseline
        assert again.stdout == canary.stdout


@contextmanager
def _enter(portal, sandbox, required=None):
    manager = portal.wrap_async_context_manager(sandbox)
    try:
        manager.__enter__()
    except SandboxError as error:
        if required is not None:
            skip_unless_required(required, str(error))
        pytest.skip(str(error))
    before = _list_ipc()
    uids = range(0)
    try:
        held = Attacked(sandbox, portal)
        way = getattr(sandbox, "way", None)
        if way is not None and way.settings.uids:
            uids = range(way.settings.uids[0], sum(way.settings.uids))
        yield held
        held.check_worker()
    finally:
        manager.__exit__(None, None, None)
    assert _list_ipc() == before, "an IPC object outlived its run"
    deadline = time.monotonic() + 180
    while left := _list_processes(uids):
        assert time.monotonic() < deadline, f"processes outlived the sandbox: {left}"
        time.sleep(0.05)


def _list_ipc():
    tables = [Path("/proc/sysvipc", name) for name in ("shm", "msg", "sem")]
    return [table.read_text() for table in tables if table.is_file()]


def _list_processes(uids):
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found += [folder.name] if folder.stat().st_uid in uids else []
            except OSError:
                continue
    return found


def _ordinary_way(name):
    """The way `name` of an ordinary user; root becomes one for it."""
    from sstar_code.sandbox.local.pipe_worker import find_interpreter, list_ways

    python = find_interpreter()
    user = []
    if os.geteuid() == 0:
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
        python = next((path for path in (python, "/usr/bin/python3") if _may_start(user, path)), None)
        if python is None:
            pytest.skip("no interpreter that another user may start, or no setpriv")
    for way in list_ways(ordinary=True, python=os.path.realpath(python)):
        if way.name == name:
            return replace(way, arguments=(*user, *way.arguments))
    return pytest.skip(f"no {name} here")


def _may_start(user, python) -> bool:
    if shutil.which(user[0]) is None:
        return False
    probe = "import os, sys; sys.exit(not os.access(sys._base_executable, os.X_OK))"
    done = subprocess.run([*user, python, "-c", probe], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="session")
def attacked_root(portal):
    """`local` as root: a uid for each run."""
    from sstar_code.sandbox.local.pipe_worker import list_ways
    from sstar_code.sandbox.local.sandbox import LocalSandbox

    if os.geteuid() != 0:
        pytest.skip("needs root")
    with _enter(portal, LocalSandbox(1, ways=list_ways())) as held:
        yield held


@pytest.fixture(scope="session")
def attacked_bubblewrap(portal):
    """`local` as an ordinary user with bubblewrap."""
    from sstar_code.sandbox.local.sandbox import LocalSandbox

    with _enter(portal, LocalSandbox(1, ways=[_ordinary_way("bubblewrap")])) as held:
        yield held


@pytest.fixture(scope="session")
def attacked_namespaces(portal):
    """`local` as an ordinary user with user namespaces."""
    from sstar_code.sandbox.local.sandbox import LocalSandbox

    with _enter(portal, LocalSandbox(1, ways=[_ordinary_way("user namespaces")])) as held:
        yield held


@pytest.fixture(scope="session")
def attacked_docker(portal):
    """Docker; skipped without engine and image unless SSTAR_REQUIRE_DOCKER=1."""
    from sstar_code.sandbox.docker.probe import probe_engine
    from sstar_code.sandbox.docker.sandbox import DockerSandbox

    reason = probe_engine(10).reason
    if reason is not None:
        skip_unless_required("DOCKER", reason)
    with _enter(portal, DockerSandbox(1), "DOCKER") as held:
        yield held


@pytest.fixture(
    params=[
        pytest.param("root", marks=pytest.mark.root),
        # An ordinary user has these ways alone; where root's is tried, they show it in full.
        pytest.param("bubblewrap", marks=[pytest.mark.slow] if os.geteuid() == 0 else []),
        pytest.param("namespaces", marks=pytest.mark.slow),
        pytest.param("docker", marks=pytest.mark.docker),
    ]
)
def attacked(request):
    """Every level of isolation in turn."""
    return request.getfixturevalue(f"attacked_{request.param}")


_KINDS = {
    "barred": ({Status.OK}, {"cpu_s": 5.0, "wall_s": 60.0, "memory_mb": 256}),
    "TLE": ({Status.TLE}, {"cpu_s": 0.3, "wall_s": 0.8, "memory_mb": 256}),
    "MLE": ({Status.MLE, Status.RE}, {"cpu_s": 10.0, "wall_s": 60.0, "memory_mb": 128}),
    "OLE": ({Status.OLE}, {"cpu_s": 5.0, "wall_s": 60.0, "memory_mb": 128}),
    "dead": ({Status.RE, Status.TLE, Status.MLE, Status.OLE}, {"cpu_s": 1.0, "wall_s": 2.0}),
    "any": (set(Status) - {Status.IE}, {"cpu_s": 1.0, "wall_s": 2.0, "memory_mb": 256}),
}
"""What an attack may end with, and the limits that are to end it. Nothing depends on how busy the machine is
but how soon a limit of wall time comes after one of CPU time; both are TLE."""


@pytest.fixture
def hold(attacked):
    """Makes an attack and holds it to its kind of end; its record."""

    def attack(code, kind):
        (allowed, limits) = _KINDS[kind]
        run = attacked.attack(code, output_kb=1024, **limits)
        assert run.status in allowed, run
        assert "through" not in run.stdout, run
        assert kind != "barred" or "barred" in run.stdout, run
        return run

    return attack
