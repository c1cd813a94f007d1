"""A short set of attacks that `sstar doctor --security` runs here, and what they say of each sandbox.

It asks whether isolation works on this machine, with its kernel, its engine and its settings. It is no proof:
`tests/attacks` runs hundreds of attacks, and docs/running-programs/attacks.md lists what they hold.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from sstar_code.agent.doctor import Check, State
from sstar_code.problems import Kind, Problem, SstarError, Test

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sstar_code.sandbox import Sandbox

_BARRED = "barred"
_PRIVATE = "/path/of/a/private/file"
"""Stands in the programs for a file that is made on this machine while they run."""
_PRINTS_BARRED = Test("", _BARRED)
_HEAD = """\
import ctypes, errno, os, socket, sys
def tell(*actions):
    "Print `barred`, or the first action that was neither refused nor without effect."
    for number, action in enumerate(actions):
        try:
            found = action()
        except (OSError, RuntimeError, MemoryError, ImportError, AttributeError, ValueError):
            continue
        if found not in (None, False, -1, b"", ""):
            print("action", number, "went through:", str(found)[:80])
            return
    print("barred")
"""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attempt, and how a run of it may end."""

    holds: str
    """The property that it tries, as a sentence's end: `a program ...`."""
    code: str
    allowed: frozenset[str]
    """Verdicts. `AC` is for programs that print `barred`; forgeries and bombs may get any other."""
    test: Test = _PRINTS_BARRED
    entry_point: str | None = None
    cpu_s: float = 5.0
    memory_mb: int = 256


def _barred(holds: str, *actions: str) -> Attack:
    listed = ",\n".join(f"    lambda: {action}" for action in actions)
    return Attack(holds, f"{_HEAD}tell(\n{listed},\n)\n", frozenset({"AC"}))


def _ended(holds: str, code: str, *verdicts: str, cpu_s: float = 1.0) -> Attack:
    return Attack(holds, code, frozenset(verdicts), cpu_s=cpu_s)


def _forged(holds: str, code: str, test: Test) -> Attack:
    refused = frozenset({"WA", "RE", "CE", "TLE", "MLE", "OLE"})
    return Attack(holds, code, refused, test=test, entry_point="f")


ATTACKS = (
    _barred(
        "reaches no network and no service of this machine",
        "socket.create_connection(('127.0.0.1', 22), 1)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53)) or True",
        "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock') or True",
    ),
    _barred(
        "reads no file and no secret of this machine",
        f"open({_PRIVATE!r}).read()",
        "open('/etc/shadow').read()",
        "[name for name in os.environ if 'KEY' in name or 'TOKEN' in name] or None",
        "open('/proc/1/environ').read()",
        "open(f'/proc/{os.getppid()}/environ').read()",
    ),
    _barred(
        "starts no process",
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
    ),
    _barred(
        "signals and reads no other process",
        "os.kill(os.getppid(), 0) or True",
        "os.kill(-1, 0) or True",
        "open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
        "ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0",
    ),
    _barred(
        "gets no privilege",
        "os.setuid(0) or True",
        "ctypes.CDLL(None).unshare(0x10000000) == 0",
        "ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
        "ctypes.CDLL(None).keyctl(0, -4, 1) >= 0",
    ),
    _barred(
        "changes no setting of the kernel and no shared file",
        "open('/proc/sys/kernel/core_pattern', 'w').write('x')",
        "open(os.__file__, 'a').write('x')",
        "open('/etc/passwd', 'a').write('x')",
        "open('/dev/kmsg', 'w').write('x')",
    ),
    _ended("is ended when it loops", "while True: pass", "TLE"),
    _ended("is ended when it waits for ever", "import time; time.sleep(10**6)", "TLE", cpu_s=0.2),
    _ended(
        "is ended when it takes memory",
        "held = []\nwhile True: held.append(bytearray(1 << 20))",
        "MLE",
        "RE",
        cpu_s=10.0,
    ),
    _ended("is ended when it prints without end", "while True: print('x' * 10**6)", "OLE", cpu_s=10.0),
    _forged("gets no verdict by leaving early", "import os\ndef f(n): os._exit(0)", Test("3", "6")),
    _forged(
        "gets no verdict by values that are equal to everything",
        "class E(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\n"
        "def f(n): return E(0)",
        Test("3", "6"),
    ),
    _forged(
        "gets no verdict by replacing what tests it",
        "import builtins\nhonest = builtins.compile\n"
        "builtins.compile = lambda *given, **named: honest('pass', 't', 'exec')\ndef f(n): return 0",
        Test("", program="assert f(3) == 12345\n"),
    ),
)
LEAVES = Attack(
    "leaves no file for the next program",
    f"{_HEAD}import pathlib\n"
    "places = [pathlib.Path(place, 'sstar-left') for place in ('/tmp', '/dev/shm', '/var/tmp', '.')]\n"
    "found = [str(place) for place in places if place.exists()]\n"
    "for place in places:\n"
    "    try: place.write_text('left')\n"
    "    except OSError: pass\n"
    "print('found', found) if found else print('barred')\n",
    frozenset({"AC"}),
)


async def check_security(packages: tuple[str, ...] = ()) -> list[Check]:
    """Every attack on every sandbox that works here, a finding each; a sandbox that does not is a note."""
    from sstar_code.sandbox.choose import make_sandbox

    checks: list[Check] = []
    with _private_file() as private:
        attacks = [replace(attack, code=attack.code.replace(_PRIVATE, private)) for attack in ATTACKS]
        for name in ("docker", "local"):
            try:
                async with make_sandbox(name, workers=1, packages=packages, say=lambda _: None) as sandbox:
                    checks += [await _try(sandbox, attack) for attack in (*attacks, LEAVES, LEAVES)]
            except SstarError as error:
                checks.append(Check(f"security: {name}", State.NOTE, str(error)))
    if not any(check.state is State.OK for check in checks):
        checks.append(Check("security", State.FAIL, "no sandbox works here, so nothing could be tried"))
    return checks


@contextmanager
def _private_file() -> Iterator[str]:
    """A file that every user of this machine may read, so that isolation alone hides it."""
    with NamedTemporaryFile("w", prefix="sstar-private-") as file:
        file.write("private")
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        yield file.name


async def _try(sandbox: Sandbox, attack: Attack) -> Check:
    from sstar_code.sandbox.grade import run_tests

    problem = Problem(
        id="attack",
        statement="",
        kind=Kind.FUNCTION if attack.entry_point else Kind.STDIN,
        entry_point=attack.entry_point,
        checker="exact",
        hidden_tests=(attack.test,),
        time_limit_s=attack.cpu_s,
        memory_limit_mb=attack.memory_mb,
    )
    report = await run_tests(sandbox, problem, attack.code, problem.hidden_tests)
    verdict = report.verdict.value
    name = f"security: {sandbox.name}"
    if verdict in attack.allowed:
        return Check(name, State.OK, f"a program {attack.holds}")
    (result,) = report.results
    seen = result.execution.stdout.strip() or str(result.execution.failure or "")
    wanted = " or ".join(sorted(attack.allowed))
    told = f"NOT TRUE: a program {attack.holds}: {verdict} where {wanted} is expected; {seen[:200]}"
    return Check(name, State.FAIL, told)
