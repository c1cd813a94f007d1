"""Attacks on the host by what a program says: outputs, errors and values made to break their reader."""

from __future__ import annotations

import contextlib
import json

import pytest

from sstar_code.problems import Kind
from sstar_code.problems.checkers import CHECKERS, accepts
from sstar_code.problems.values import decode
from sstar_code.sandbox import Mode, Program, Status
from tests.support.growth import assert_linear

_CONTROL = {chr(code) for code in (*range(32), *range(127, 160))} - {"\n", "\t"}

_RAISES = {
    "terminal escapes": "raise ValueError('\\x1b[2J\\x1b]0;title\\x07\\x9b31m')",
    "NULs": "raise ValueError('a\\0b')",
    "lone surrogates": "raise ValueError('\\ud800 \\udcff')",
    "text that turns around": "raise ValueError('\\u202eabc\\u2066')",
    "long message": "raise ValueError('x' * 10_000_000)",
    "many lines": "raise ValueError('x\\n' * 100_000)",
    "long name": "raise type('A' * 1_000_000, (Exception,), {})('x')",
    "odd name": "raise type('\\x1b[1m\\0\\u202e', (Exception,), {})('x')",
    "hostile text": "class E(Exception):\n def __str__(self): raise SystemExit\n __repr__ = __str__\nraise E",
    "text that is none": "class E(Exception):\n def __str__(self): return 3\nraise E",
    "text that never ends": "class E(Exception):\n def __str__(self):\n  while True: pass\nraise E",
    "text of another type": (
        "class S(str):\n def __getitem__(self, k): return 7\n def __str__(self): return self\n"
        "class E(Exception):\n def __str__(self): return S('x')\nraise E"
    ),
    "hostile class": (
        "class M(type):\n def __getattribute__(c, n): raise KeyError(n)\n"
        "class E(Exception, metaclass=M): pass\nraise E"
    ),
    "class that lies": "class E(Exception):\n __class__ = property(lambda s: 1 / 0)\nraise E",
    "class that is memory": "class E(Exception):\n __class__ = MemoryError\nraise E",
    "traceback in a ring": (
        "try: 1 / 0\nexcept Exception as e:\n error = e\ntry: error.__traceback__.tb_next = "
        "error.__traceback__\n"
        "except ValueError: pass\nerror.__context__ = error.__cause__ = error\nraise error"
    ),
    "endless causes": "e = None\nfor _ in range(100_000):\n n = ValueError(); n.__cause__ = e; e = "
    "n\nraise e",
    "group of a million": "raise ExceptionGroup('x', [ValueError()] * 100_000)",
    "hook that lies": "import sys\nsys.excepthook = lambda *a: print('AC')\n1 / 0",
    "exit with an object": "class E:\n def __str__(s): return '\\x1b' * 999\nraise SystemExit(E())",
    "exit with a huge number": "raise SystemExit(1 << 4096)",
    "exit with 256": "raise SystemExit(256)",
}


@pytest.mark.parametrize("code", _RAISES.values(), ids=_RAISES)
def test_failures_are_plain_text(attacked, code):
    """Whatever is raised, the failure is short printable text that can be written anywhere."""
    (run, after) = attacked.run(code, "", "", cpu_s=1.0, wall_s=60.0)
    assert run.status in {Status.RE, Status.TLE, Status.MLE, Status.OK}
    assert after.status is run.status
    if run.failure is not None:
        text = run.failure.type + run.failure.message
        text.encode("utf-8")
        assert not _CONTROL & set(text)
        assert not {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))} & set(text)
        assert len(run.failure.type) <= 100
        assert len(run.failure.message) <= 600
        assert run.failure.line is None or 0 < run.failure.line < 1 << 31


_PRINTS = {
    "no UTF-8": "os.write(1, bytes(range(256)))",
    "lone surrogates": "sys.stdout.write('\\udcff\\udc80'); sys.stdout.flush()",
    "surrogates that cannot be": "print('\\ud800')",
    "NULs": "os.write(1, bytes(1000))",
    "byte order mark": "os.write(1, b'\\xef\\xbb\\xbf1')",
    "overlong forms": "os.write(1, b'\\xc0\\x80\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80')",
    "binary errors": "os.write(2, bytes(range(256)) * 99)",
}


@pytest.mark.parametrize("code", _PRINTS.values(), ids=_PRINTS)
def test_outputs_are_text(attacked, code):
    """Whatever bytes are printed become text that can be written anywhere."""
    (run,) = attacked.run("import os, sys\n" + code)
    (run.stdout + run.stderr).encode("utf-8")
    assert run.status in {Status.OK, Status.RE}


_RETURNS = {
    "hostile repr": "class A:\n def __repr__(self): raise SystemExit\ndef f(): return A()",
    "repr that never ends": "class A:\n def __repr__(self):\n  while True: pass\ndef f(): return A()",
    "repr of another type": "class A:\n def __repr__(self): return 3\ndef f(): return A()",
    "hostile class": (
        "class M(type):\n def __getattribute__(c, n): raise KeyError(n)\n"
        "class A(metaclass=M): pass\ndef f(): return A()"
    ),
    "class that lies": "class A:\n __class__ = int\ndef f(): return A()",
    "number that lies": "class A(int):\n def __int__(s): 1 / 0\n __index__ = __int__\ndef f(): return A(3)",
    "list that never ends": "class A(list):\n def __iter__(s):\n  while True: yield s\ndef f(): "
    "return A([1])",
    "dictionary that lies": "class A(dict):\n def keys(s): return [s]\n items = keys\ndef f(): "
    "return A({1: 2})",
    "contains itself": "def f():\n a = []; a.append(a); return a",
    "deep": "def f():\n a = []\n for _ in range(100_000): a = [a]\n return a",
    "generator without end": "def f():\n while True: yield 1",
    "huge number": "def f(): return 1 << 10_000_000",
    "no number": "def f(): return [float('nan'), float('inf'), -0.0]",
    "surrogates": "def f(): return '\\ud800'",
    "marks of our own": "def f(): return {'$set': [[1]], '$repr': 1}",
    "equal to everything": (
        "class A:\n def __eq__(s, o): return True\n __hash__ = None\ndef f(): return A()"
    ),
    "string equal to everything": (
        "class A(str):\n def __eq__(s, o): return True\n def __hash__(s): return 0\ndef f(): return A('x')"
    ),
}


@pytest.mark.parametrize("code", _RETURNS.values(), ids=_RETURNS)
def test_returned_values_are_data(attacked, code):
    """Whatever is returned, every checker reads it and none takes it for the right answer."""
    (run,) = attacked.run(Program(code, Mode.CALL, "f"), "", cpu_s=1.0, memory_mb=256)
    assert run.status in {Status.OK, Status.RE, Status.TLE, Status.MLE, Status.OLE}
    if run.status is Status.OK:
        _reject(run.result)


def _reject(text):
    for checker in CHECKERS:
        assert not accepts(checker, Kind.FUNCTION, "[41, 43]", text), checker


_FORGED = {
    "deep array": lambda size: "[" * size + "]" * size,
    "deep object": lambda size: '{"a":' * size + "1" + "}" * size,
    "wide array": lambda size: "[" + "[]," * size + "1]",
    "wide object": lambda size: "{" + ",".join(f'"{n}":1' for n in range(size // 4)) + "}",
    "the same key again": lambda size: '{"a":1,' * 1 + '"a":[41,43],' * (size // 10) + '"b":1}',
    "long number": lambda size: "9" * (4 * size),
    "many long numbers": lambda size: "[" + ",".join(["9" * 99_999] * (size // 50_000)) + "]",
    "long fraction": lambda size: "1." + "1" * (4 * size),
    "long exponent": lambda size: "1e" + "9" * size,
    "long hexadecimal": lambda size: '{"$int": "0x' + "f" * (4 * size) + '"}',
    "colliding set": lambda size: json.dumps({"$set": _colliding(size // 10)}),
    "colliding keys": lambda size: json.dumps({"$dict": [[n, 1] for n in _colliding(size // 10)]}),
    "no numbers": lambda _: "[NaN, Infinity, -Infinity, 1e999]",
    "no such mark": lambda _: '{"$set": 3}',
    "set of lists": lambda _: '{"$set": [[1], [2]]}',
    "not hexadecimal": lambda _: '{"$int": "1_0 "}',
    "no text at all": lambda _: "",
    "two values": lambda _: "[41, 43] [41, 43]",
    "NUL": lambda _: "[41, 43]\0",
}
"""Name -> the text of about so many values or characters."""
_MILLION = 1_000_000


def _colliding(count):
    return [n * ((1 << 61) - 1) for n in range(count)]


@pytest.mark.parametrize("forge", _FORGED.values(), ids=_FORGED)
def test_forged_values_cost_little(forge):
    """A value forged as text is refused by every checker, a million of anything in linear time."""
    assert_linear(lambda size: _reject(forge(size)), _MILLION // 8)


def test_as_many_items_as_expected_that_collide():
    """An unordered answer is looked up among the expected items, so its own need not spread."""

    def compare(size):
        expected, got = json.dumps(list(range(size))), json.dumps(_colliding(size))
        assert not accepts("unordered", Kind.FUNCTION, expected, got)

    assert_linear(compare, 6_250)
    assert accepts("unordered", Kind.FUNCTION, "[3, 1, [2], 1]", "[1, 1, [2], 3]")
    assert not accepts("unordered", Kind.FUNCTION, "[3, 1, 1]", "[1, 3, 3]")


@pytest.mark.parametrize("forge", _FORGED.values(), ids=_FORGED)
def test_forged_values_decode_or_are_refused(forge):
    """Decoding ends in a value or a ValueError, in linear time."""

    def read(size):
        with contextlib.suppress(ValueError):
            decode(forge(size))

    assert_linear(read, _MILLION // 8)
