"""The system call filters, run in a small interpreter of classic BPF."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from sstar_code.sandbox.inside import seccomp

pytestmark = pytest.mark.skipif(not seccomp.SUPPORTED, reason="no filter for this machine")

_ALLOW, _DONE, _EPERM, _ENOSYS, _KILL = 0x7FFF0000, 0x00050000, 0x00050001, 0x00050026, 0x80000000
_CALLS = json.loads((Path(__file__).parent / "system_calls.json").read_text())
"""The kernel's own numbers, and what the layers leave open, as it was decided."""
_MACHINES = ("x86_64", "aarch64")
_HERE = platform.machine()
_ARCHITECTURE = seccomp._AUDIT_NAMES[seccomp._PLACES.get(_HERE, 0)]
_NUMBERS = _CALLS.get(_HERE, {})


def _decide(code, number, *arguments, architecture=_ARCHITECTURE):
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    (at, value) = (0, 0)
    while True:
        (operation, if_true, if_false, constant) = struct.unpack_from("=HBBI", code, at * 8)
        at += 1
        if operation == 0x20:
            (value,) = struct.unpack_from("=I", data, constant)
        elif operation == 0x06:
            return constant
        elif operation == 0x05:
            at += constant
        else:
            true = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[operation]
            at += if_true if true else if_false


def test_every_number_is_decided():
    """What is in no list is refused, and does not exist where a C library is to take an older call."""
    everyones, ours = seccomp.build_common(), seccomp.build_run(7)
    listed = seccomp.find_numbers({*seccomp._RUN, *seccomp._SUPERVISOR, *seccomp._NATIVE}).values()
    for number in range(1000):
        decided = _decide(everyones, number), _decide(ours, number)
        assert {*decided} <= {_ALLOW, _DONE, _EPERM, _ENOSYS}, number
        if number not in listed:
            old = number <= seccomp._LAST_OLD[seccomp._PLACES[_HERE]]
            assert decided == (_EPERM if old else _ENOSYS, _ALLOW), number


@pytest.mark.parametrize(
    ("name", "arguments", "verdict"),
    [
        ("kill", (7, 9), _ALLOW),
        ("kill", (8, 9), _EPERM),
        ("kill", ((1 << 64) - 1, 9), _EPERM),
        ("tgkill", (7, 7, 9), _ALLOW),
        ("prlimit64", (0,), _ALLOW),
        ("prlimit64", (7,), _ALLOW),
        ("prlimit64", (1,), _EPERM),
        ("clone", (0x3D0F00,), _ALLOW),
        ("clone", (0x01200011,), _EPERM),
        ("prctl", (15,), _ALLOW),
        ("prctl", (22,), _EPERM),
    ],
)
def test_arguments_are_read(name, arguments, verdict):
    """Threads and signals to itself are allowed, everything beyond itself is not."""
    assert _decide(seccomp.build_run(7), _NUMBERS[name], *arguments) == verdict


@pytest.mark.parametrize(
    ("name", "command", "verdict"),
    [
        ("fcntl", 0, _ALLOW),  # duplicate
        ("fcntl", 1030, _ALLOW),  # duplicate, closed on exec
        ("fcntl", 4, _EPERM),  # status flags, which the next run would find on its streams
        ("fcntl", 6, _EPERM),  # a lock: memory that nothing counts, and a sign for other runs
        ("fcntl", 8, _EPERM),  # an owner, whom signals go to
        ("fcntl", 1024, _EPERM),  # a lease
        ("fcntl", 1026, _EPERM),  # a watch on a folder
        ("fcntl", 1036, _EPERM),  # a hint, kept in the file
        ("ioctl", 0x5401, _ALLOW),  # isatty
        ("ioctl", 0x5421, _ALLOW),  # non-blocking, which is taken back before the next run
        ("ioctl", 0x5452, _EPERM),  # signals to an owner
        ("ioctl", 0x5412, _EPERM),  # typing into a terminal
        ("ioctl", 0x40086602, _EPERM),  # flags, kept in the file
    ],
)
def test_descriptor_calls_are_read(name, command, verdict):
    """What a descriptor is asked for is allowed when it marks nothing and reaches nobody."""
    assert _decide(seccomp.build_common(), _NUMBERS[name], 1, command) == verdict


_WORTH = {
    "flush of standard output": ("fsync", (1,), _DONE),
    "flush of errors": ("fdatasync", (2,), _DONE),
    "flush of a file": ("fsync", (5,), _EPERM),
    "flush of a mapping": ("msync", (0, 4096, 4), _DONE),
    "send to the other end": ("sendto", (4, 0, 1, 0, 0, 0), _ALLOW),
    "send to an address": ("sendto", (4, 0, 1, 0, 0, 16), _EPERM),
    "read here": ("preadv2", (0, 0, 1, 0, 0, 0), _ALLOW),
    "read what is cached": ("preadv2", (0, 0, 1, 0, 0, 8), _ENOSYS),
    "give back": ("madvise", (0, 4096, 4), _ALLOW),
    "huge pages": ("madvise", (0, 4096, 14), _ALLOW),
    "merge with others": ("madvise", (0, 4096, 12), _EPERM),
    "push out": ("madvise", (0, 4096, 21), _EPERM),
    "open": ("openat", (0, 0, 0o2000000), _ALLOW),
}


@pytest.mark.parametrize(("name", "arguments", "verdict"), _WORTH.values(), ids=_WORTH)
def test_what_makes_others_work_is_read(name, arguments, verdict):
    """No run flushes a disk, asks for the machine's cache, or has its pages compared with those of others."""
    assert _decide(seccomp.build_common(), _NUMBERS[name], *arguments) == verdict


@pytest.mark.parametrize(("machine", "bit"), [("x86_64", 0x4000), ("aarch64", 0x10000)])
def test_direct_reads_are_refused(monkeypatch, machine, bit):
    """O_DIRECT has another value on each machine, and reads that pass the cache are refused on both."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    architecture = seccomp._AUDIT_NAMES[seccomp._PLACES[machine]]
    number = _CALLS[machine]["openat"]
    verdicts = [
        _decide(seccomp.build_common(), number, 0, 0, flags, architecture=architecture)
        for flags in (bit, bit | 0x80000, 0x80000)
    ]
    assert verdicts == [_EPERM, _EPERM, _ALLOW]


@pytest.mark.parametrize(
    ("family", "kind", "verdict"),
    [
        *((1, kind, _ALLOW) for kind in (0x1, 0x801, 0x80001, 0x80801)),
        *((1, kind, _EPERM) for kind in (2, 5, 0x80002, 0x80005, 0x40001)),
        *((family, 0x80001, _EPERM) for family in (0, 2, 10, 16, 30)),
    ],
)
def test_a_socket_pair_is_two_connected_ends(family, kind, verdict):
    """A pair of streams talks to itself only; datagrams could be sent to whoever has a name."""
    assert _decide(seccomp.build_common(), _NUMBERS["socketpair"], family, kind) == verdict


def test_foreign_architectures_end_the_process():
    """32-bit entry points and x32 numbers get no second look."""
    for code in (seccomp.build_common(), seccomp.build_run(7)):
        assert _decide(code, 39, architecture=0x40000003) == _KILL
        assert _decide(code, 0x40000000 + 39) == _KILL


@pytest.mark.parametrize("machine", _MACHINES)
def test_both_architectures_have_filters(monkeypatch, machine):
    """A filter can be built for each, short enough for the kernel, and quick to search."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    for code in (seccomp.build_common(), seccomp.build_run(7), seccomp.build_project()):
        assert len(code) // 8 < 1000


@pytest.mark.parametrize("machine", _MACHINES)
def test_the_numbers_are_the_kernels(machine):
    """Every call that the filters name has the number of the kernel's headers: a wrong one opens another."""
    table = seccomp.find_numbers(machine=machine)
    assert table == {name: _CALLS[machine].get(name) for name in table}
    assert len(set(table.values())) == len(table)
    named = {*seccomp._RUN, *seccomp._SUPERVISOR, *seccomp._TESTS}
    assert named - set(table) == named - set(_CALLS[machine]), "a call that the machine has is left out"


_HEADERS = {
    "x86_64": ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h"),
    "aarch64": ("aarch64-linux-gnu/asm-generic/unistd.h", "asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", _MACHINES)
def test_the_numbers_are_those_of_the_headers_here(machine):
    """The headers of the kernel that are installed say the same, also where they are newer than our list."""
    files = [Path("/usr/include", name) for name in _HEADERS[machine]]
    text = next((file.read_text() for file in files if file.is_file()), None)
    if text is None:
        pytest.skip("linux-libc-dev is not installed")
    pairs = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", text)
    given = {name: int(number) for name, number in pairs}
    again = re.findall(r"#define __NR_(\w+)\s+__NR3264_(\w+)", text)
    given |= {name: given[old] for name, old in again if old in given}
    table = seccomp.find_numbers(machine=machine)
    assert table == {name: given.get(name) for name in table}


@pytest.mark.parametrize("machine", _MACHINES)
@pytest.mark.parametrize("place", ["a run", "a repository's tests"])
def test_no_call_opens_by_accident(monkeypatch, machine, place):
    """What may be called, with arguments of zero, is the list that was decided on, name by name."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    layers = [seccomp.build_project()]
    if place == "a run":
        layers = [seccomp.build_common(), seccomp.build_run(7)]
    architecture = seccomp._AUDIT_NAMES[seccomp._PLACES[machine]]
    allowed = {
        name
        for name, number in _CALLS[machine].items()
        if all(_decide(code, number, architecture=architecture) == _ALLOW for code in layers)
    }
    assert allowed == set(_CALLS["allowed"][place]) & set(_CALLS[machine])


_UPROBES = {335, 336} if _HERE == "x86_64" else set()
"""Linux lets these pass every filter since 6.13; but for its own trampolines they fail or end the process."""
_SWEEP = """
import ctypes, json, os, signal, sys
from sstar_code.sandbox.inside import kernel, seccomp
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
common, ours = kernel.Filter(seccomp.build_common()), kernel.Filter(seccomp.build_run(0x7FFFFFF0), 0x7FFFFFF0)
def attempt(number):
    (read, write) = os.pipe()
    pid = os.fork()
    if pid == 0:
        libc.prctl(38, 1, 0, 0, 0)
        common.install()
        ours.install(os.getpid())
        signal.setitimer(signal.ITIMER_REAL, 0.05)  # what waits is ended
        answer = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
        os.write(write, b"%d %d" % (answer, ctypes.get_errno()))
        os._exit(0)
    os.close(write)
    told = os.read(read, 64)
    os.close(read)
    os.waitpid(pid, 0)
    return [int(part) for part in told.split()] or None
print(json.dumps([attempt(number) for number in range(601)]))
"""


def test_a_sweep_over_all_numbers():
    """Each call from 0 to 600, made once in a child under the filters: refused unless it is in the list."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _SWEEP], capture_output=True, check=True, env=environment, timeout=300
    )
    ends = json.loads(done.stdout)
    listed = set(seccomp.find_numbers(seccomp._RUN).values())
    refused = {number for number, end in enumerate(ends) if end in ([-1, errno.EPERM], [-1, errno.ENOSYS])}
    assert set(range(601)) - listed - _UPROBES <= refused
    assert all(ends[number] in (None, [-1, errno.ENOSYS], [-1, errno.ENXIO]) for number in _UPROBES)
    places = (
        "futex",
        "clone",
        "kill",
        "prctl",
        "tgkill",
        "prlimit64",
        "madvise",
        "socketpair",
        "sendto",
        "fsync",
    )
    ruled = {
        _NUMBERS[name]
        for name in (*places, "fdatasync", "fcntl", "ioctl", "open", "openat", "preadv2", "pwritev2")
        if name in _NUMBERS
    }
    assert refused & listed <= ruled, "by the rules for arguments, or by the kernel itself"
