"""Attacks on other processes: making them, signalling them, holding them up, and refusing to end."""

from __future__ import annotations

import os
import subprocess

import pytest

from sstar_code.sandbox import Status

_BARRED = {
    "fork bomb": "tell(through(lambda: [os.fork() for _ in range(99)]))",
    "fork in a thread": (
        "import threading\ngot = []\n"
        "thread = threading.Thread(target=lambda: got.append(through(os.fork)))\n"
        "thread.start(); thread.join(); tell(got != [False])"
    ),
    "vfork": "tell(not barred('vfork'))",
    "clone without libc": (
        "flags = [0, 17, 0x100, 0x4111, 0x8011, *(bit | 17 for bit in (0x20000, 1 << 26, 1 << 28, 1 "
        "<< 29))]\n"
        "tell(not all(barred('clone', flag, 0, 0, 0, 0) for flag in flags))"
    ),
    "clone3": "tell(not barred('clone3', ctypes.create_string_buffer(88), 88))",
    "posix_spawn": "tell(through(os.posix_spawn, sys.executable, ['python', '-c', ''], {}))",
    "forkpty": "tell(through(os.forkpty))",
    "shell": "tell(os.system('echo through') == 0 or through(os.popen, 'echo through'))",
    "subprocess": "import subprocess; tell(through(subprocess.run, [sys.executable, '-c', '0']))",
    "multiprocessing": (
        "import multiprocessing\n"
        "tell(through(lambda: multiprocessing.get_context('fork').Process(target=print).start()))"
    ),
    "setsid daemon": "through(os.setsid); tell(through(os.fork))",
    "execute": "tell(through(os.execv, sys.executable, ['python', '-c', 'print(\"through\")']))",
    "execute itself": "tell(through(os.execv, '/proc/self/exe', ['python', '-c', 'print(\"through\")']))",
    "execute without libc": "tell(not barred('execveat', -100, b'/usr/bin/python3', 0, 0, 0))",
    "execute a memory file": (
        "tell(not barred('memfd_create', b'x', 0) or through(os.execve, 1, ['x'], {}))"
    ),
    "too many threads": (
        "import _thread, threading, time\nthreading.stack_size(32768)\nmade = 0\n"
        "try:\n"
        "    while made < 3000: _thread.start_new_thread(time.sleep, (99,)); made += 1\n"
        "except RuntimeError: pass\n"
        "os.write(1, b'through' if made >= 3000 else b'barred'); os._exit(0)"
    ),
    "kill the parent": "tell(through(os.kill, os.getppid(), 9))",
    "kill pid 1": "tell(through(os.kill, 1, 9))",
    "kill everyone": "tell(through(os.kill, -1, 9))",
    "kill the group": "tell(any(through(os.killpg, p, 9) for p in (0, 1, os.getppid())))",
    "kill any pid": "tell(any(through(os.kill, p, s) for p in others for s in (0, 9)))",
    "tgkill any pid": "tell(any(through(call, 'tgkill', p, p, 9) for p in others))",
    "tkill any pid": "tell(any(through(call, 'tkill', p, 9) for p in others))",
    "queue a signal": "tell(not barred('rt_sigqueueinfo', os.getppid(), 9, "
    "ctypes.create_string_buffer(128)))",
    "queue a signal to a thread": (
        "p = os.getppid(); tell(not barred('rt_tgsigqueueinfo', p, p, 9, ctypes.create_string_buffer(128)))"
    ),
    "signal by pidfd": "tell(any(through(os.pidfd_open, p) for p in (1, os.getppid(), os.getpid())))",
    "signal by a descriptor's owner": (
        "import fcntl\n(r, w) = os.pipe()\n"
        "owner = ctypes.create_string_buffer(bytes([1, 0, 0, 0]) + os.getppid().to_bytes(4, 'little'))\n"
        "tell(through(fcntl.fcntl, w, fcntl.F_SETOWN, os.getppid())\n"
        "     or through(libc.fcntl, w, 15, owner) or through(fcntl.fcntl, w, 10, 9)\n"
        "     or through(fcntl.ioctl, w, 0x8901, owner) or through(fcntl.ioctl, w, 0x5452, owner))"
    ),
    "signal by a timer": (
        "event = ctypes.create_string_buffer(64); made = ctypes.c_int()\n"
        "event[8:20] = b''.join(n.to_bytes(4, 'little') for n in (9, 4, os.getppid()))\n"
        "tell(through(call, 'timer_create', 0, event, ctypes.byref(made)))"
    ),
    "lower the limits of others": (
        "import resource\n"
        "tell(any(through(resource.prlimit, p, resource.RLIMIT_CPU, (1, 1)) for p in (1, os.getppid())))"
    ),
    "priority of others": "tell(any(through(os.setpriority, k, 0, 19) for k in (0, 1, 2)))",
    "priority of its own": "tell(through(os.nice, -5) or through(os.setpriority, 0, 0, -20))",
    "priority of input and output": "tell(not barred('ioprio_set', 1, os.getppid(), 0x6000))",
    "real-time scheduling": (
        "tell(any(through(os.sched_setscheduler, p, os.SCHED_FIFO, os.sched_param(1))"
        " for p in (0, os.getppid())))"
    ),
    "cores of others": "tell(any(through(os.sched_setaffinity, p, [0]) for p in (0, 1, os.getppid())))",
    "group of others": "tell(through(os.setpgid, os.getppid(), 0) or through(os.setpgid, 0, os.getppid()))",
    "trace the parent": (
        "p = os.getppid()\ntell(not all(barred('ptrace', k, p, 0, 0) for k in (16, 0x4206, 0, 1, 17)))"
    ),
    "write to another process": "tell(not barred('process_vm_writev', os.getppid(), 0, 0, 0, 0, 0))",
    "read from another process": "tell(not barred('process_vm_readv', os.getppid(), 0, 0, 0, 0, 0))",
    "advise another process": "tell(not barred('process_madvise', 3, 0, 0, 4, 0))",
    "compare with another process": "tell(not barred('kcmp', os.getpid(), os.getppid(), 0, 0, 0))",
    "steal a descriptor": "tell(not barred('pidfd_getfd', 3, 0, 0))",
    "outlive the parent": "tell(libc.prctl(1, 0, 0, 0, 0) == 0)",
    "adopt orphans": "tell(libc.prctl(36, 1, 0, 0, 0) == 0)",
    "type into a terminal": (
        "import fcntl\n"
        "def push():\n    for name in ('/dev/tty', '/dev/ptmx', '/dev/console'):\n"
        "        try: fcntl.ioctl(os.open(name, 2), 0x5412, b'x'); return True\n"
        "        except OSError: pass\n"
        "tell(push())"
    ),
    "handlers for forks outlive it": "os.register_at_fork(before=lambda: os._exit(5)); tell(False)",
}

_ENDS = {
    "busy loop": ("while True: pass", "TLE"),
    "sleep": ("import time; time.sleep(600)", "TLE"),
    "wait for a signal": ("import signal; signal.pause()", "TLE"),
    "wait for input that does not come": ("(r, w) = os.pipe(); os.read(r, 1)", "TLE"),
    "stop itself": ("import signal; os.kill(os.getpid(), signal.SIGSTOP)", "TLE"),
    "kill itself": ("os.kill(os.getpid(), 9)", "dead"),
    "ignore all signals": (
        "import signal\nfor n in range(1, 65): through(signal.signal, n, signal.SIG_IGN)\nwhile True: pass",
        "TLE",
    ),
    "block all signals": (
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
        "TLE",
    ),
    "catch every exception": ("while True:\n try:\n  while True: pass\n except BaseException: pass", "TLE"),
    "signal storm on itself": (
        (
            "import signal\nsignal.signal(signal.SIGUSR1, lambda *a: None)\n"
            "signal.signal(signal.SIGALRM, lambda *a: None); signal.setitimer(signal.ITIMER_REAL, "
            "1e-4, 1e-4)\n"
            "while True: os.kill(os.getpid(), signal.SIGUSR1)"
        ),
        "TLE",
    ),
    "thread that never ends": (
        "import threading, time\nthreading.Thread(target=lambda: time.sleep(600)).start()",
        "TLE",
    ),
    "threads that outlive the first": (
        (
            "import threading\ndef spin():\n while True: pass\n"
            "threading.Thread(target=spin).start(); call('exit', 0)"
        ),
        "TLE",
    ),
    "thread bomb": (
        (
            "import threading, time\n"
            "for _ in range(100_000): threading.Thread(target=time.sleep, args=(600,)).start()"
        ),
        "dead",
    ),
    "exit handler that never ends": ("import atexit, time\natexit.register(time.sleep, 600)", "TLE"),
    "exit handlers without end": ("import atexit\ndef again(): atexit.register(again)\nagain()", "any"),
    "destructor that never ends": (
        "class A:\n def __del__(self):\n  while True: pass\na = A(); del a",
        "TLE",
    ),
    "close everything, then loop": ("os.closerange(0, 1 << 16)\nwhile True: pass", "TLE"),
    "yield games": ("while True: os.sched_yield()", "TLE"),
    "short sleeps": (
        (
            "import time\n"
            "while True:\n end = time.perf_counter() + 2e-4\n while time.perf_counter() < end: "
            "pass\n time.sleep(0)"
        ),
        "TLE",
    ),
    "one long call": ("9 ** 9 ** 9", "TLE"),
    "catastrophic pattern": ("import re; re.match('(a*)*b', 'a' * 99)", "TLE"),
}


@pytest.mark.parametrize("code", _BARRED.values(), ids=_BARRED)
def test_others_are_out_of_reach(hold, code):
    """Each try to make, signal, hold up or read another process is refused."""
    hold(code, "barred")


@pytest.mark.parametrize(("code", "ends"), _ENDS.values(), ids=_ENDS)
def test_nobody_outstays(hold, code, ends):
    """Each program that will not end is ended by its limits."""
    hold(code, ends)


def test_cpu_time_of_all_threads_counts(attacked):
    """Four threads that compute at once use up the CPU limit together: no cheaper way to get four cores."""
    code = (
        "import hashlib, threading\n"
        "def burn():\n while True: hashlib.pbkdf2_hmac('sha256', b'x', b'y', 20_000)\n"
        "for _ in range(4): threading.Thread(target=burn).start()"
    )
    run = attacked.attack(code, cpu_s=1.0, wall_s=60.0)
    assert (run.status, run.limit) == ("TLE", "cpu")
    assert run.cpu_s < 3


_WORK = {
    "one thread": "import time\nwhile time.process_time() < 0.5: pass\nprint('done')",
    "threads one after the other": (
        "import threading, time\n"
        "def burn():\n start = time.thread_time()\n while time.thread_time() - start < 0.05: pass\n"
        "for _ in range(10):\n thread = threading.Thread(target=burn); thread.start(); thread.join()\n"
        "print('done')"
    ),
}


@pytest.mark.parametrize("code", _WORK.values(), ids=_WORK)
def test_load_does_not_decide(attacked, code):
    """A program at work is judged by its CPU time, however many others want the cores."""
    words = ["sh", "-c", "echo; while :; do :; done"]
    rivals = []
    try:
        for _ in range(4 * (os.cpu_count() or 1)):
            rivals.append(subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True))
            rivals[-1].stdout.readline()
        (busy,) = attacked.run(code, "", cpu_s=3, wall_s=0.4)
    finally:
        for rival in rivals:
            rival.kill()
            rival.communicate()
    (asleep,) = attacked.run("import time\ntime.sleep(600)", "", cpu_s=3, wall_s=0.4)
    assert (busy.status, busy.stdout) == (Status.OK, "done\n"), busy
    assert (asleep.status, asleep.limit) == (Status.TLE, "wall"), asleep
