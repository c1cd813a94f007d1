"""Hostile programs: each ends as it may, in time, and the next program runs as if it had never been.

One property a row: what the program tries, and what it may end with. A program that finds its way barred
prints `barred`; one that got through prints `through`, which no status excuses.
"""

from __future__ import annotations

import time

import pytest

from sandbox import Mode, Program, Status

_HEAD = """
import ctypes, os, sys, errno
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action, *arguments):
    try: answer = action(*arguments)
    except (OSError, MemoryError, RuntimeError, ValueError): return None
    return None if answer == -1 else answer if answer is not None else True
def tell(got): print('through' if got else 'barred')
"""

_ENDS = {
    "any": set(Status) - {Status.IE},
    "OK": {Status.OK},
    "limit": {Status.TLE, Status.MLE, Status.OLE, Status.RE},
}

_ATTACKS = {
    # processes and signals
    "fork bomb": ("tell(attempt(lambda: [os.fork() for _ in range(99)]))", "OK"),
    "vfork": ("tell(attempt(libc.vfork))", "OK"),
    "clone without libc": ("tell(attempt(libc.syscall, 56, 17, 0, 0, 0, 0) not in (None, 0))", "OK"),
    "clone3": ("tell(attempt(libc.syscall, 435, 0, 0))", "OK"),
    "thread bomb": (
        (
            "import threading, time\n"
            "for _ in range(100_000): threading.Thread(target=time.sleep, args=(99,)).start()"
        ),
        "limit",
    ),
    "kill the parent": ("tell(attempt(os.kill, os.getppid(), 9))", "OK"),
    "kill pid 1": ("tell(attempt(os.kill, 1, 9))", "OK"),
    "kill everyone": ("tell(attempt(os.kill, -1, 9))", "OK"),
    "kill the group": ("tell(attempt(os.killpg, os.getppid(), 9))", "OK"),
    "kill any pid": ("tell(any(attempt(os.kill, p, 9) for p in range(1, 500) if p != os.getpid()))", "OK"),
    "tgkill any pid": (
        "tell(any(attempt(libc.syscall, 234, p, p, 9) == 0 for p in range(1, 9) if p != os.getpid()))",
        "OK",
    ),
    "tkill": ("tell(attempt(libc.syscall, 200, os.getppid(), 9) == 0)", "OK"),
    "sigqueue": ("tell(attempt(libc.sigqueue, os.getppid(), 9, 0) == 0)", "OK"),
    "pidfd": ("tell(attempt(os.pidfd_open, os.getppid()))", "OK"),
    "signal through a descriptor's owner": (
        (
            "import fcntl\n(r, w) = os.pipe()\n"
            "tell(attempt(fcntl.fcntl, w, fcntl.F_SETOWN, os.getppid()) is not None)"
        ),
        "OK",
    ),
    "setsid daemon": ("attempt(os.setsid); tell(attempt(os.fork))", "OK"),
    "stop itself": ("import signal; os.kill(os.getpid(), signal.SIGSTOP)", "limit"),
    "ignore all signals": (
        "import signal\nfor n in range(1, 65): attempt(signal.signal, n, signal.SIG_IGN)\nwhile True: pass",
        "limit",
    ),
    "block all signals": (
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
        "limit",
    ),
    "thread that never ends": (
        "import threading, time\nthreading.Thread(target=lambda: time.sleep(99)).start()",
        "limit",
    ),
    "exit handler that never ends": ("import atexit, time\natexit.register(time.sleep, 99)", "limit"),
    "close everything, then loop": ("os.closerange(0, 1 << 16)\nwhile True: pass", "limit"),
    "lower the limits of others": (
        "import resource\ntell(attempt(resource.prlimit, os.getppid(), resource.RLIMIT_CPU, (1, 1)))",
        "OK",
    ),
    "priority of others": ("tell(attempt(os.setpriority, os.PRIO_PROCESS, os.getppid(), 19))", "OK"),
    # memory
    "heap bomb": ("a = []\nwhile True: a.append('x' * (1 << 20))", "limit"),
    "shared memory bomb": (
        "import mmap\na = []\nwhile True: a.append(mmap.mmap(-1, 1 << 24)); a[-1].write(b'x' * (1 << 24))",
        "limit",
    ),
    "memory files": ("tell(attempt(os.memfd_create, 'x'))", "OK"),
    "secret memory": ("tell(attempt(libc.syscall, 447, 0))", "OK"),
    "many threads eat": (
        (
            "import threading\ndef eat():\n a = []\n while True: a.append(bytearray(1 << 20))\n"
            "for _ in range(8): threading.Thread(target=eat).start()"
        ),
        "any",
    ),
    "C stack": (
        "sys.setrecursionlimit(1 << 30)\nclass A:\n def __getattr__(self, n): return getattr(self, n)\nA().x",
        "limit",
    ),
    "nested repr": (
        "a = []\nfor _ in range(1 << 20): a = [a]\nsys.setrecursionlimit(1 << 30); repr(a)",
        "limit",
    ),
    "null pointer": ("ctypes.string_at(0)", "limit"),
    "raise limits": (
        "import resource\ntell(any(attempt(resource.setrlimit, k, (-1, -1)) for k in (0, 1, 4, 6, 7, 9)))",
        "OK",
    ),
    # files
    "write anywhere": (
        (
            "places = ['/', '/tmp', '/dev/shm', '/var/tmp', '/empty', '.', '/dev/mqueue', '/usr/lib']\n"
            "tell(any(attempt(open, p + '/left', 'w') for p in places))"
        ),
        "OK",
    ),
    "link and directory": ("tell(attempt(os.symlink, '/', 'left') or attempt(os.mkdir, '/tmp/left'))", "OK"),
    "named pipe": ("tell(attempt(os.mkfifo, '/tmp/left') or attempt(os.mkfifo, 'left'))", "OK"),
    "host's secrets": (
        "tell(any(attempt(open, p) for p in ('/etc/shadow', '/root/.ssh/id_rsa', '/root/.bashrc')))",
        "OK",
    ),
    "environment of pid 1": ("tell(attempt(lambda: open('/proc/1/environ').read()))", "OK"),
    "memory of the parent": ("tell(attempt(open, f'/proc/{os.getppid()}/mem', 'r+b'))", "OK"),
    "files of the parent": ("tell(attempt(os.listdir, f'/proc/{os.getppid()}/fd'))", "OK"),
    "score for the memory killer": (
        "tell(attempt(lambda: open('/proc/self/oom_score_adj', 'w').write('-999')))",
        "OK",
    ),
    # kernel doors
    "ptrace": ("tell(attempt(libc.ptrace, 16, os.getppid(), 0, 0) == 0)", "OK"),
    "write to another process": ("tell(attempt(libc.syscall, 311, os.getppid(), 0, 0, 0, 0, 0) == 0)", "OK"),
    "steal a descriptor": ("tell(attempt(libc.syscall, 438, 3, 0, 0))", "OK"),
    "new namespace": ("tell(attempt(libc.unshare, 0x10000000) == 0)", "OK"),
    "become root": ("tell(libc.setuid(0) == 0)", "OK"),
    "mount": ("tell(libc.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0)", "OK"),
    "chroot": ("tell(attempt(os.chroot, '/'))", "OK"),
    "execute": ("tell(attempt(os.execv, sys.executable, ['python', '-c', 'print(\"through\")']))", "OK"),
    "execute without libc": ("tell(attempt(libc.syscall, 322, -100, b'/usr/bin/python3', 0, 0, 0))", "OK"),
    "bpf": ("tell(attempt(libc.syscall, 321, 0, 0, 0))", "OK"),
    "io_uring": ("p = ctypes.create_string_buffer(512)\ntell(attempt(libc.syscall, 425, 8, p))", "OK"),
    "keyring": ("tell(attempt(libc.syscall, 248, b'user', b'k', b'v', 1, -3))", "OK"),
    "userfaultfd": ("tell(attempt(libc.syscall, 323, 0))", "OK"),
    "perf": ("p = ctypes.create_string_buffer(128)\ntell(attempt(libc.syscall, 298, p, 0, -1, -1, 0))", "OK"),
    "become dumpable": ("tell(libc.prctl(4, 1, 0, 0, 0) == 0)", "OK"),
    "outlive the parent": ("tell(libc.prctl(1, 0, 0, 0, 0) == 0)", "OK"),
    "system V memory": ("tell(attempt(libc.shmget, 4711, 4096, 0o1777))", "OK"),
    "message queue": ("tell(attempt(libc.syscall, 240, b'left', 0o102, 0o666, 0))", "OK"),
    "semaphore": ("tell(attempt(libc.semget, 4711, 1, 0o1777))", "OK"),
    "network": (
        "import socket\ntell(any(attempt(socket.socket, f, k) for f in (1, 2, 10, 16) for k in (1, 2, 3)))",
        "OK",
    ),
    "socket pair": ("import socket; tell(attempt(socket.socketpair))", "OK"),
    "x32 calls": ("libc.syscall(0x40000000 + 41, 2, 1, 0); tell(True)", "limit"),
    # the harness
    "write to every descriptor": (
        (
            "frame = b'\\0\\0\\0\\x0e\\0\\0\\0\\0{\"forged\":true}'\n"
            "tell(any(attempt(os.write, f, frame) for f in range(4, 256)))"
        ),
        "OK",
    ),
    "reopen descriptors": (
        "tell(any(attempt(os.open, f'/proc/self/fd/{f}', 2) for f in range(4, 64)))",
        "OK",
    ),
    "forge a frame on stdout": (
        "os.write(1, b'\\0\\0\\0\\x0e\\0\\0\\0\\0{\"forged\":true}' * 99); print('barred')",
        "OK",
    ),
    "break the exits": (
        (
            "import builtins, gc, json, threading, atexit\n"
            "os._exit = sys.exit = builtins.exit = lambda *a: None\n"
            "os.write = json.dumps = threading._shutdown = atexit._run_exitfuncs = None\n"
            "sys.stdout = sys.stderr = sys.excepthook = None\n"
            "builtins.BaseException = builtins.print = None\n1 / 0"
        ),
        "any",
    ),
    "break frames above": (
        (
            "frame = sys._getframe()\n"
            "while frame:\n"
            "    for name in list(frame.f_locals):\n"
            "        try: frame.f_locals[name] = None\n"
            "        except Exception: pass\n"
            "    frame = frame.f_back"
        ),
        "any",
    ),
    "trace the harness": ("sys.settrace(lambda *a: 1 / 0); sys.setprofile(lambda *a: 1 / 0)", "any"),
    "delete every module": ("sys.modules.clear()", "any"),
    "shrink and truncate the streams": (
        "for f in (0, 1, 3): attempt(os.ftruncate, f, 1 << 19)",
        "any",
    ),
    "fill the report": (
        "while True: os.write(3, b'x' * 4096)",
        "limit",
    ),
    "infinite output": ("while True: os.write(1, b'x' * 65536)", "limit"),
    "infinite errors": ("while True: os.write(2, b'x' * 65536)", "limit"),
    "deep report": ("os.write(3, b'[' * 100_000); os._exit(0)", "any"),
}


@pytest.fixture(params=["local", "namespaces", pytest.param("docker", marks=pytest.mark.docker)])
def sandbox_attacked(request):
    """Every level of isolation in turn."""
    return request.getfixturevalue(f"sandbox_{request.param}")


def _alive(sandbox) -> None:
    runs = sandbox.run("print(int(input()) + 1)", "1", "2")
    assert [run.stdout for run in runs] == ["2\n", "3\n"]
    (clean,) = sandbox.run(
        "import os\n"
        "ours = (1, os.getpid(), os.getppid())\n"
        "seen = os.listdir('/proc') if os.path.isdir('/proc') else []\n"
        "files = [p for p in ('left', '/tmp/left', '/dev/shm/left') if os.path.lexists(p)]\n"
        "print([p for p in seen if p.isdigit() and int(p) not in ours], files)"
    )
    assert clean.stdout == "[] []\n"


@pytest.mark.parametrize(("code", "ends"), _ATTACKS.values(), ids=_ATTACKS)
def test_attack_ends_and_leaves_nothing(sandbox_attacked, code, ends):
    """It ends in time as it may, got nowhere, and a canary runs after it where no trace is left."""
    started = time.monotonic()
    wall_s = 1.0 if ends == "limit" else 10.0
    (run,) = sandbox_attacked.run(_HEAD + code, "x", cpu_s=0.5, wall_s=wall_s, memory_mb=128, output_kb=1024)
    assert time.monotonic() - started < 12
    assert run.status in _ENDS[ends], run
    assert "through" not in run.stdout
    if ends == "OK":
        assert "barred" in run.stdout, run
    _alive(sandbox_attacked)


_SEARCH = """
import ctypes, gc, os
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
(reader, writer) = os.pipe()
MARK = bytes([77, 65, 82, 75])
found = set()
def look(start, pages):
    data = b''
    for page in range(pages):
        # A page that is not there is EFAULT for the kernel, and would be the end for us.
        if libc.write(writer, ctypes.c_void_p(start + page * 4096), ctypes.c_size_t(4096)) == 4096:
            data += os.read(reader, 4096)
    at = data.find(MARK)
    while at >= 0:
        found.add(data[at + 4 : at + 12]); at = data.find(MARK, at + 1)
text = input()
top = libc.sbrk(0)
look(top - (8 << 20), 2048)
regions = {id(item) >> 20 for item in gc.get_objects()} | {id(text) >> 20, id(MARK) >> 20}
for region in regions: look(region << 20, 256)
print(sorted(item.decode() for item in found if item.isdigit()))
"""


def test_memory_holds_no_other_input(sandbox_attacked):
    """A search of a run's whole memory finds its own input and none of the batch's others."""
    sandbox_attacked.run("print(input())", *[f"MARK{place}" for place in range(10_000_000, 10_000_020)])
    texts = [f"MARK{place}" for place in range(20_000_000, 20_000_006)]
    runs = sandbox_attacked.run(_SEARCH, *texts)
    for text, run in zip(texts, runs, strict=True):
        assert (run.status, run.stdout) == (Status.OK, f"['{text[4:]}']\n"), run


def test_memory_holds_no_other_program(sandbox_attacked):
    """Nothing of a program that ran before is found in the memory of the next."""
    sandbox_attacked.run("# MARK87654321\nx = 'MARK12345678'\nprint(input())", "MARK10000001")
    for _ in range(3):
        (run,) = sandbox_attacked.run(_SEARCH, "nothing")
        assert (run.status, run.stdout) == (Status.OK, "[]\n"), run


@pytest.mark.parametrize("mode", [Mode.CALL, Mode.ASSERT])
def test_forged_report_without_its_token_counts_for_nothing(sandbox_attacked, mode):
    """Writing a report and leaving is not a pass: the token is not known before the end."""
    code = 'import os\nos.write(3, b\'{"token": "0"}\\n1\'); os._exit(0)'
    (run,) = sandbox_attacked.run(Program(code, mode, "f"), "")
    assert run.status is Status.RE


def test_siblings_cannot_reach_each_other(sandbox_attacked):
    """Two programs that attack every pid at the same time both see the way barred."""
    code = _HEAD + (
        "import time\nend = time.monotonic() + 1\ngot = False\n"
        "while time.monotonic() < end:\n"
        "    for p in range(1, 200):\n"
        "        if p != os.getpid():\n"
        "            got = got or attempt(os.kill, p, 9) or attempt(open, f'/proc/{p}/mem', 'rb')\n"
        "tell(got)"
    )

    async def both():
        import anyio

        from sandbox import Limits

        runs = []

        async def one(extra):
            runs.extend(await sandbox_attacked.sandbox.run(Program(code + extra), ["x"], Limits(cpu_s=5)))

        async with anyio.create_task_group() as group:
            group.start_soon(one, "\n#1")
            group.start_soon(one, "\n#2")
        return runs

    assert [run.stdout for run in sandbox_attacked.call(both)] == ["barred\n"] * 2
    _alive(sandbox_attacked)


def test_compiler_killed_by_its_program(sandbox_attacked):
    """Source made to exhaust the compiler is a compile error and the worker lives on."""
    for code in (
        "(" * 200_000,
        "x = " + "-" * 500_000 + "1",
        "a = 1" + "\n" * 10 + "\0",
        "# coding: nonsense\n",
        "x = " + "1 + " * 100_000 + "1",
        "f'{" * 5000,
        "[" + "lambda: " * 20_000 + "1]",
        "x = 10 ** 10 ** 8\nx = 'a' * (1 << 60)",
    ):
        (run,) = sandbox_attacked.run(code, "x", cpu_s=1.0, memory_mb=256)
        assert run.status in {Status.CE, Status.OK, Status.MLE, Status.TLE, Status.RE}, (code[:20], run)
        _alive(sandbox_attacked)
