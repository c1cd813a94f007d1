"""Attacks on what a run must not know: other inputs, other programs, expected outputs, what ran before."""

from __future__ import annotations

import os
import time

import anyio
import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Mode, Program, Status
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.inside import kernel

_SEARCH = """
import ctypes, gc, os, sys
MARK = bytes([77, 65, 82, 75])
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
def list_regions():
    try:
        lines = open('/proc/self/maps').read().splitlines()
    except OSError:
        top = libc.sbrk(0)
        near = {id(item) >> 20 for item in gc.get_objects()} | {id(text) >> 20, id(MARK) >> 20}
        return [(top - (8 << 20), top), *((at << 20, (at + 1) << 20) for at in near)]
    fields = [line.split() for line in lines]
    spans = [f[0].split('-') for f in fields if f[1].startswith('rw')]
    return [(int(a, 16), int(b, 16)) for a, b in spans]
def search():
    (reader, writer) = os.pipe()
    found = set()
    for start, end in list_regions():
        data = b''
        while start < end:
            # A page that is not there is EFAULT for the kernel, and would be the end for us.
            count = libc.write(writer, start, min(65536, end - start))
            if count <= 0:
                start += 4096; continue
            data = data[-16:] + os.read(reader, count); start += count
            at = data.find(MARK)
            while at >= 0:
                found.add(data[at + 4 : at + 12]); at = data.find(MARK, at + 1)
    return sorted(item.decode() for item in found if item.isdigit() and len(item) == 8)
"""
_SEARCH_ALL = _SEARCH + "text = sys.stdin.read()\nprint(search())\n"


def test_memory_holds_no_other_input(attacked):
    """A search of a run's whole memory finds its own input and none of the batch's others."""
    attacked.run("print(input())", *[f"MARK{place}" for place in range(10_000_000, 10_000_020)])
    texts = [f"MARK{place}" for place in range(20_000_000, 20_000_006)]
    runs = attacked.run(_SEARCH_ALL, *texts)
    for text, run in zip(texts, runs, strict=True):
        assert (run.status, run.stdout) == (Status.OK, f"['{text[4:]}']\n"), run


def test_memory_holds_no_other_program(attacked):
    """Nothing of a program that ran before is found in the memory of the next, nor its output."""
    attacked.run("# MARK87654321\nx = 'MARK12345678'\nprint(x, input())", "MARK10000001")
    for _ in range(3):
        (run,) = attacked.run(_SEARCH_ALL, "nothing")
        assert (run.status, run.stdout) == (Status.OK, "[]\n"), run


def test_memory_holds_no_earlier_output(attacked):
    """What a run printed, returned or said on standard error is unknown to the batch's next."""
    code = (
        _SEARCH + "def f(x):\n text = x\n got = search()\n mark = 'MA' + 'RK' + str(x)\n"
        " print(mark); print(mark, file=sys.stderr)\n return [mark, got]\n"
    )
    runs = attacked.run(Program(code, Mode.CALL, "f"), *[str(n) for n in range(30_000_000, 30_000_004)])
    assert [run.result for run in runs] == [f'["MARK{30_000_000 + n}", []]' for n in range(4)]


def test_expected_outputs_are_not_inside(attacked):
    """A program that searches for what it is to print finds nothing that would make it right."""
    tests = tuple(Test(input=f"{n}\n", output=f"MARK{40_000_000 + n}\n") for n in range(5))
    problem = Problem("p", "", Kind.STDIN, hidden_tests=tests)
    code = _SEARCH + "text = input()\nfor item in search(): print('MARK' + item)\n"
    report = attacked.call(run_tests, attacked.sandbox, problem, code, tests)
    assert report.passed == 0
    assert {result.execution.stdout for result in report.results} == {""}


def test_frames_hold_nothing_of_others(attacked):
    """The frames and objects of the harness that a run can reach hold its own program and input alone."""
    look = (
        "import gc, sys\nframe = sys._getframe(); seen = []\n"
        "while frame: seen.append(repr(frame.f_locals)); frame = frame.f_back\n"
        "seen += [repr(item) for item in gc.get_objects() if type(item) in (dict, list, tuple, "
        "bytearray)]\n"
        "mine = sys.stdin.read()\nprint(any('OTH' + 'ER' in text for text in seen))"
    )
    runs = attacked.run(look, *[f"OTHER{n}" for n in range(4)])
    assert [run.stdout for run in runs] == ["False\n"] * 4


def test_nobody_is_told_the_order_of_tests_by_descriptors(attacked):
    """Each run of a batch finds the same descriptors, sizes and places, whichever came before it."""
    code = (
        "import os\n"
        "print([(f, os.fstat(f).st_size, os.fstat(f).st_mode, os.lseek(f, 0, 1)) for f in (1, 2, 3)])\n"
        "os.write(2, b'x' * 999); os.write(3, b'y' * 999)"
    )
    outputs = {run.stdout for run in attacked.run(code, *"abcd")}
    assert len(outputs) == 1


def test_memory_holds_no_long_output(attacked):
    """Nor are outputs known that fill the stream to the host, so that they leave in pieces."""
    code = _SEARCH + "text = input()\nprint(search())\nmark = 'MA' + 'RK' + text\nprint(mark * 5000)\n"
    numbers = [str(n) for n in range(50_000_000, 50_000_012)]
    for run in attacked.run(code, *numbers):
        assert run.stdout.splitlines()[0] == "[]", run.stdout[:200]


def test_every_run_has_new_streams(attacked):
    """No two runs share a file behind their streams, so that what the kernel keeps with a file ends with it.

    Runs of one program and of several, and those of programs with one input, which go another way.
    """
    code = "import os\nprint(*(os.fstat(f).st_ino for f in range(4)))"
    runs = [*attacked.run(code, *"abc"), *attacked.run(code + " #", *"ab")]
    runs += [run for number in range(3) for run in attacked.run(f"{code} # {number}", "a")]
    seen = [word for run in runs for word in run.stdout.split()]
    assert len(seen) == 4 * len(runs) == len(set(seen))


_PLACES = """
import os, stat, sys, time
tops = ['/', '/dev', '/dev/pts', '/etc', '/proc', '/sys', '/sys/fs/cgroup', '/tmp', '/empty',
        os.path.join(os.path.dirname(os.__file__), 'wsgiref')]
def names(top):
    try: return [os.path.join(top, name) for name in os.listdir(top) if not name.isdigit()]
    except OSError: return []
"""


def test_reading_leaves_no_mark(attacked):
    """What one program lists, opens and follows, another cannot tell by the times of access."""
    look = _PLACES + (
        "for top in tops:\n"
        "    for path in names(top):\n"
        "        try: os.readlink(path) if os.path.islink(path) else open(path, 'rb', 0).close()\n"
        "        except OSError: names(path)\n"
    )
    tell = _PLACES + (
        "def read(path):\n"
        "    try: s = os.lstat(path)\n"
        "    except OSError: return False\n"
        "    return s.st_atime_ns > s.st_mtime_ns and time.time() - s.st_atime < 30\n"
        "paths = sorted({path for top in tops for path in (top, *names(top))})\n"
        "print([path for path in paths if read(path)])"
    )
    (first,) = attacked.run(look, "")
    assert first.status is Status.OK, first
    time.sleep(0.05)  # the kernel's clock for files has ticks
    (after,) = attacked.run(look + " #", "")
    assert after.status is Status.OK, after
    (told,) = attacked.run(tell, "")
    assert (told.status, told.stdout) == (Status.OK, "[]\n"), told


def test_the_machine_is_not_in_sight(attacked):
    """No file of /proc or /sys but those of processes says anything: load, memory, pressure, the boot."""
    code = (
        "import os\ntold = []\n"
        "for top in ('/proc', '/sys'):\n"
        "    for folder, folders, files in os.walk(top):\n"
        "        folders[:] = [n for n in folders if not n.isdigit() and n not in ('self', 'thread-self')]\n"
        "        for name in files:\n"
        "            if os.path.islink(path := os.path.join(folder, name)): continue\n"
        "            try: file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)\n"
        "            except OSError: continue\n"
        "            try: told += [path] if os.read(file, 1) else []\n"
        "            except OSError: pass\n"
        "            os.close(file)\n"
        "print(told)"
    )
    (run,) = attacked.run(code, "", cpu_s=5)
    assert (run.status, run.stdout) == (Status.OK, "[]\n"), run


def test_the_kernels_files_cannot_be_opened_for_writing(attacked):
    """Nothing below /proc and /sys but what is the run's own opens for writing, nor what covers it."""
    code = (
        "import os\ngot = []\n"
        "for top in ('/proc', '/sys'):\n"
        "    for folder, folders, files in os.walk(top):\n"
        "        folders[:] = [n for n in folders if not n.isdigit() and n not in ('self', 'thread-self')]\n"
        "        for name in files:\n"
        "            path = os.path.join(folder, name)\n"
        "            try: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))\n"
        "            except OSError: continue\n"
        "            got.append(path)\n"
        "with open('/dev/null', 'w') as null, open('/dev/stdout', 'w') as out: print(got, file=out)"
    )
    domain = kernel.make_domain()
    if domain is None and getattr(attacked.sandbox, "way", None) is None:
        pytest.skip("Docker covers files with the null device, and this kernel has no Landlock for it (6.12)")
    if domain is not None:
        os.close(domain)
    (run,) = attacked.run(code, "", cpu_s=5)
    assert (run.status, run.stdout) == (Status.OK, "[]\n"), run


def test_the_machines_groups_are_not_in_sight(attacked):
    """A run is at the root of every control group that it sees, wherever this machine keeps it."""
    code = (
        "import os\nnamed = []\n"
        "for name in ('cgroup', 'cpuset'):\n"
        "    if os.path.exists(path := '/proc/self/' + name):\n"
        "        named += [line.rpartition(':')[2].strip() for line in open(path)]\n"
        "print(set(named) - {'/'})"
    )
    (run,) = attacked.run(code, "")
    assert (run.status, run.stdout) == (Status.OK, "set()\n"), run


def test_processes_in_sight(attacked):
    """A run sees its own process; in Docker and bubblewrap also those that started it, by number and name."""
    way = getattr(attacked.sandbox, "way", None)
    code = (
        "import os\npids = {int(name) for name in os.listdir('/proc') if name.isdigit()} - {os.getpid()}\n"
        "print(len(pids), *{open(f'/proc/{pid}/comm').read().strip()[:6] for pid in pids})"
    )
    (run,) = attacked.run(code, "")
    hidden = way is not None and way.name != "bubblewrap"
    assert run.stdout == "0\n" if hidden else run.stdout in {f"{n} python\n" for n in (2, 3, 4, 5, 6)}, run


@pytest.fixture
def pair(attacked, portal):
    """Runs two programs at the same time in a sandbox of two workers, of the same kind as `attacked`."""
    from sstar_code.sandbox import Limits
    from sstar_code.sandbox.docker.sandbox import DockerSandbox
    from sstar_code.sandbox.local.sandbox import LocalSandbox

    way = getattr(attacked.sandbox, "way", None)
    sandbox = DockerSandbox(2) if way is None else LocalSandbox(2, ways=[way])

    async def both(*programs):
        runs = {}

        async def one(place, code):
            (runs[place],) = await sandbox.run(Program(code), ["x"], Limits(cpu_s=20, wall_s=120))

        async with anyio.create_task_group() as group:
            for place, code in enumerate(programs):
                group.start_soon(one, place, code)
        return [runs[place] for place in range(len(programs))]

    with portal.wrap_async_context_manager(sandbox):
        portal.call(both, "import time; time.sleep(0.3)", "import time; time.sleep(0.3) #")
        yield lambda *programs: portal.call(both, *programs)


_ASSAULT = """
import os, time
def through(action, *arguments):
    try: action(*arguments)
    except OSError: return False
    return True
end = time.monotonic() + 1.5
got = set()
while time.monotonic() < end:
    for p in range(1, 99):
        if p != os.getpid():
            got |= {'kill'} if through(os.kill, p, 9) else set()
            for name in ('mem', 'environ', 'maps', 'fd/0', 'fd/1', 'cwd/left', 'root/left'):
                got |= {name} if through(open, f'/proc/{p}/{name}', 'rb') else set()
            try: text = open(f'/proc/{p}/cmdline', 'rb').read()
            except OSError: text = b''
            got |= {'cmdline'} if b'SECRET' in text else set()
print(sorted(got))
"""


def test_siblings_cannot_reach_each_other(pair):
    """Two programs that attack every process at the same time get nowhere, and end well."""
    runs = pair(_ASSAULT + "# SECRET1", _ASSAULT + "# SECRET2")
    assert [(run.status, run.stdout) for run in runs] == [(Status.OK, "[]\n")] * 2, runs


def test_siblings_share_no_count(pair):
    """A program that has taken every thread it may leaves its neighbour all of its own."""
    bomb = (
        "import threading, time\nthreading.stack_size(65536)\n"
        "try:\n    while True: threading.Thread(target=time.sleep, args=(4,), daemon=True).start()\n"
        "except RuntimeError: pass\n"
        "time.sleep(3)"
    )
    victim = (
        "import threading, time\nthreading.stack_size(65536); time.sleep(1.5)\n"
        "threads = [threading.Thread(target=time.sleep, args=(0.5,)) for _ in range(40)]\n"
        "for thread in threads: thread.start()\n"
        "print(len(threads))"
    )
    (_, run) = pair(bomb, victim)
    assert (run.status, run.stdout) == (Status.OK, "40\n"), run


def test_siblings_meet_nowhere(pair):
    """Two programs that both want to talk find no file, queue, memory, lock or socket to do it."""
    talk = (
        "import ctypes, fcntl, os, time\nlibc = ctypes.CDLL(None)\n"
        "def made(action):\n    try: return action() not in (-1, None)\n    except OSError: return False\n"
        "end = time.monotonic() + 1; got = set(); own = str(time.time_ns())\n"
        "file = os.open(os.__file__, 0)\n"
        "while time.monotonic() < end:\n"
        "    made(lambda: open('/tmp/' + own, 'a'))\n"
        "    got |= set(os.listdir('/tmp') if os.path.isdir('/tmp') else []) - {own}\n"
        "    for place in ('/dev/shm', '/run', '/dev/mqueue'):\n"
        "        got |= {place} if made(lambda: open(place + '/meet', 'a')) else set()\n"
        "    got |= {'shm'} if made(lambda: libc.shmget(99, 4096, 0o1777)) else set()\n"
        "    got |= {'lock'} if made(lambda: fcntl.flock(file, 6) or 1) else set()\n"
        "    got |= {'socket'} if made(lambda: libc.socket(1, 1, 0)) else set()\n"
        "print(sorted(got))"
    )
    runs = pair(talk, talk + "#")
    assert [(run.status, run.stdout) for run in runs] == [(Status.OK, "[]\n")] * 2, runs


def test_siblings_are_different_users(pair, attacked):
    """With a uid for each run, two that run at once never have the same."""
    if getattr(attacked.sandbox, "way", None) is not None and attacked.sandbox.way.settings.uids is None:
        pytest.skip("an ordinary user has one uid for all")
    code = "import os, time; time.sleep(0.5); print(os.getuid())"
    runs = pair(code, code + "#")
    assert len({run.stdout for run in runs}) == 2
