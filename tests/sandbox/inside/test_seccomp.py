"""The system call filters, run in a small interpreter of classic BPF."""

from __future__ import annotations

import json
import platform
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.sandbox.inside import seccomp

pytestmark = pytest.mark.skipif(not seccomp.SUPPORTED, reason="no filter for this machine")

_ALLOW, _EPERM, _ENOSYS, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
(_ARCHITECTURE, _NUMBERS) = seccomp._TABLES.get(platform.machine(), (0, {}))


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


@given(st.integers(0, 1000))
def test_every_number_is_decided(number):
    """Both layers decide about every call; what is newer than the table does not exist, the rest is named."""
    for code in (seccomp.build_common(), seccomp.build_run(7)):
        verdict = _decide(code, number)
        if number >= seccomp._UNKNOWN_FROM:
            assert verdict == _ENOSYS
        else:
            assert verdict in {_ALLOW, _EPERM, _ENOSYS}
            assert verdict == _ALLOW or number in _NUMBERS.values()


def test_every_name_is_barred_by_a_layer():
    """Each call of the table is refused by one of the layers, given arguments that reach for others."""
    harmful = {"prctl": (4,), "fcntl": (0, 8), "ioctl": (0, 0x5412), "clone": (17,)}
    for name, number in _NUMBERS.items():
        arguments = harmful.get(name, (1,))
        verdicts = {_decide(seccomp.build_common(), number, *arguments)}
        verdicts.add(_decide(seccomp.build_run(7), number, *arguments))
        assert verdicts != {_ALLOW}, name


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
        ("ioctl", 0x5412, _EPERM),  # typing into a terminal
        ("ioctl", 0x40086602, _EPERM),  # flags, kept in the file
    ],
)
def test_descriptor_calls_are_read(name, command, verdict):
    """What a descriptor is asked for is allowed when it marks nothing and reaches nobody."""
    assert _decide(seccomp.build_common(), _NUMBERS[name], 1, command) == verdict


def test_foreign_architectures_end_the_process():
    """32-bit entry points and x32 numbers get no second look."""
    for code in (seccomp.build_common(), seccomp.build_run(7)):
        assert _decide(code, 39, architecture=0x40000003) == _KILL
        assert _decide(code, 0x40000000 + 39) == _KILL


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_both_architectures_have_filters(monkeypatch, machine):
    """A filter can be built for each, short enough for the kernel."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    for code in (seccomp.build_common(), seccomp.build_run(7)):
        assert len(code) // 8 < 1000


_CALLS = json.loads((Path(__file__).parent / "system_calls.json").read_text())
"""The kernel's own numbers, and what the layers leave open, as it was decided."""


@pytest.mark.parametrize(("machine", "table"), [("x86_64", seccomp._X86_64), ("aarch64", seccomp._AARCH64)])
def test_the_numbers_are_the_kernels(machine, table):
    """Every call that the filters name has the number of the kernel's headers: a wrong one would open it."""
    assert table == {name: _CALLS[machine].get(name) for name in table}
    assert max(table.values()) < seccomp._UNKNOWN_FROM


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("place", ["a run", "a repository's tests"])
def test_no_call_opens_by_accident(monkeypatch, machine, place):
    """What may be called, with arguments of zero, is the list that was decided on, name by name."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    layers = [seccomp.build_project()]
    if place == "a run":
        layers = [seccomp.build_common(), seccomp.build_run(7)]
    architecture, _ = seccomp._TABLES[machine]
    allowed = {
        name
        for name, number in _CALLS[machine].items()
        if all(_decide(code, number, architecture=architecture) == _ALLOW for code in layers)
    }
    assert allowed == set(_CALLS["allowed"][place]) & set(_CALLS[machine])
