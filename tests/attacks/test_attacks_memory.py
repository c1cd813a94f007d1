"""Attacks on memory: the process's own, and the kernel's on its behalf."""

from __future__ import annotations

import pytest

_ENDS = {
    "heap bomb": ("a = []\nwhile True: a.append('x' * (1 << 20))", "MLE"),
    "one huge block": ("bytearray(1 << 40)", "MLE"),
    "huge string": ("'x' * (1 << 62)", "MLE"),
    "shared memory bomb": (
        "import mmap\na = []\nwhile True: a.append(mmap.mmap(-1, 1 << 24)); a[-1].write(b'x' * (1 << 24))",
        "MLE",
    ),
    "unreserved memory bomb": (
        (
            "libc.mmap.restype = ctypes.c_void_p\nlibc.mmap.argtypes = [ctypes.c_void_p, "
            "ctypes.c_size_t] + "
            "[ctypes.c_int] * 3 + [ctypes.c_long]\n"
            "while True:\n at = libc.mmap(None, 1 << 24, 3, 0x4022, -1, 0)\n"
            " if at is None or at == 2 ** 64 - 1: raise MemoryError\n ctypes.memset(at, 1, 1 << 24)"
        ),
        "MLE",
    ),
    "many threads eat": (
        (
            "import threading\ndef eat():\n a = []\n while True: a.append(bytearray(1 << 20))\n"
            "for _ in range(8): threading.Thread(target=eat).start()"
        ),
        "any",
    ),
    "eat and carry on": (
        "a = []\nwhile True:\n try: a.append(bytearray(1 << 20))\n except MemoryError: pass",
        "any",
    ),
    "huge product": ("[0] * (1 << 40)", "MLE"),
    "compressed bomb": (
        "import zlib\nzlib.decompress(zlib.compress(bytes(1 << 24)) * 1, bufsize=1 << 40)",
        "MLE",
    ),
    "C stack": (
        "sys.setrecursionlimit(1 << 30)\nclass A:\n def __getattr__(self, n): return getattr(self, n)\nA().x",
        "dead",
    ),
    "nested repr": (
        "a = []\nfor _ in range(1 << 20): a = [a]\nsys.setrecursionlimit(1 << 30); repr(a)",
        "dead",
    ),
    "deep recursion": ("sys.setrecursionlimit(1 << 30)\ndef f(): f()\nf()", "dead"),
    "null pointer": ("ctypes.string_at(0)", "dead"),
    "wild pointer": ("ctypes.memset(0x10000, 0, 1 << 30)", "dead"),
    "overwrite its own memory": (
        "ctypes.memset(id(sys) & ~0xFFF, 255, 1 << 20)\nwhile True: str(sys)",
        "dead",
    ),
}

_BARRED = {
    "memory files": "tell(not barred('memfd_create', b'x', 0))",
    "secret memory": "tell(not barred('memfd_secret', 0))",
    "user's page faults": "tell(not barred('userfaultfd', 0))",
    "locks without number": (
        "import fcntl, struct\n"
        "lock = lambda at: fcntl.fcntl(0, fcntl.F_SETLK, struct.pack('hhqqi', fcntl.F_WRLCK, 0, at, "
        "1, 0))\n"
        "tell(through(lock, 0))"
    ),
    "attributes without number": "tell(through(os.setxattr, 1, 'user.x', bytes(60_000)))",
    "keys without number": "tell(not barred('add_key', b'user', b'k', b'v', 1, -3))",
    "pages given to pipes": "(r, w) = os.pipe(); tell(not all(barred(n, 0, 0, 0) for n in "
    "('vmsplice', 'tee', 'splice')))",
    "memory in pipes": (
        "import fcntl\ntotal = 0\n"
        "try:\n while True:\n  (r, w) = os.pipe(); size = fcntl.fcntl(w, 1031, 1 << 20); total += "
        "os.write(w, bytes(size))\n"
        "except OSError: pass\n"
        "tell(total > 80 << 20)"
    ),
    "memory in socket pairs": (
        "import socket\npairs = []; total = 0\n"
        "try:\n while True:\n  pairs.append(socket.socketpair())\n"
        "  for s in pairs[-1]:\n   s.setblocking(False)\n"
        "   s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)\n"
        "   try:\n    while True: total += s.send(bytes(1 << 16))\n"
        "   except BlockingIOError: pass\n"
        "except OSError: pass\n"
        "tell(total > 80 << 20)"
    ),
    "descriptors": (
        "import select\ndef fill(make):\n made = []\n"
        " try:\n  while True: made.append(make())\n except OSError: return len(made)\n"
        "tell(max(fill(make) for make in (select.epoll, lambda: open('/dev/null'))) > 64)"
    ),
    "notifications": "tell(not all(barred(n, 0) for n in ('inotify_init1', 'fanotify_init')))",
    "requests to the kernel": (
        "p = ctypes.create_string_buffer(512); tell(not barred('io_uring_setup', 8, p) or not "
        "barred('io_setup', 8, p))"
    ),
    "raise limits": (
        "import resource\n"
        "def more(kind):\n"
        "    (soft, hard) = resource.getrlimit(kind)\n"
        "    return hard != -1 and through(resource.setrlimit, kind, (hard + 1, hard + 1))\n"
        "kinds = [resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE,\n"
        "    resource.RLIMIT_NPROC, resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_STACK]\n"
        "tell(any(map(more, kinds)))"
    ),
    "score for the memory killer": (
        "tell(through(lambda: open('/proc/self/oom_score_adj', 'wb', 0).write(b'-999')))"
    ),
    "lock memory": "tell(through(libc.mlockall, 3))",
}


@pytest.mark.parametrize(("code", "ends"), _ENDS.values(), ids=_ENDS)
def test_memory_ends(hold, code, ends):
    """Each program that takes all memory there is, or uses it wrongly, ends alone."""
    hold(code, ends)


@pytest.mark.parametrize("code", _BARRED.values(), ids=_BARRED)
def test_kernel_memory_is_not_for_the_taking(hold, code):
    """Each way to memory that no limit of a process counts is refused or small."""
    hold(code, "barred")
