"""Rows that the readers take, a small one for each form of file."""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: dict[str, tuple[dict[str, object], str]] = {
    "jsonl": ({"id": "a", "statement": "s", "kind": "stdin"}, "metadata"),
    "lcb": (
        {"question_id": "a", "question_content": "c", "starter_code": "", "public_test_cases": "[]"},
        "metadata",
    ),
    "humaneval": (
        {"task_id": "a/1", "prompt": "def f(a):\n", "entry_point": "f", "canonical_solution": " return 1\n"},
        "test",
    ),
    "humaneval+": (
        {"task_id": "a/1", "prompt": "def f(a):\n", "entry_point": "f", "canonical_solution": " return 1\n"},
        "base_input",
    ),
    "mbpp": ({"task_id": 1, "text": "t", "code": "def f(a):\n return 1\n"}, "test_list"),
    "mbpp+": (
        {
            "task_id": "Mbpp/1",
            "prompt": "p",
            "entry_point": "f",
            "canonical_solution": "def f(a):\n return 1\n",
            "assertion": "assert f(1) == 1",
        },
        "plus_input",
    ),
    "apps": ({"id": 1, "question": "q"}, "input_output"),
    "codecontests": ({"name": "1_A", "description": "d"}, "public_tests"),
    "taco": (
        {"task_id": "a", "requirement": "r", "entry_point": "f", "inputs": [[1]], "outputs": [[1]]},
        "input_output_examples",
    ),
    "codeforces": ({"id": "1/A", "description": "d"}, "official_tests"),
    "codecontests+": ({"id": "1_A", "description": "d"}, "test_cases"),
    "usaco": ({"problem_id": "1_a", "description": "d"}, "samples"),
    "xcodeeval": ({"src_uid": "a", "description": "d"}, "hidden_unit_tests"),
    "leetcode": (
        {
            "task_id": "a",
            "problem_description": "d",
            "starter_code": "class Solution:\n    def f(self, a):\n        ",
            "entry_point": "Solution().f",
        },
        "test",
    ),
    "bigcodebench": (
        {"task_id": "a", "complete_prompt": "def task_func(a):\n", "entry_point": "task_func"},
        "test",
    ),
    "cruxeval-o": ({"id": "a", "code": "def f(a):\n    return a\n", "input": "1"}, "output"),
    "lcb-test-output": (
        {
            "question_id": 1,
            "test_id": 0,
            "question_content": "q",
            "function_name": "f",
            "starter_code": "class Solution:\n    def f(self, a):\n        ",
        },
        "test",
    ),
    "samples": ({"task_id": "a", "solution": "print(1)"}, "source"),
    "recording": ({"key": "k", "model": "m", "answer": {"text": "t"}}, "request"),
    "statement": ({"id": "a", "statement": "s", "kind": "stdin"}, "metadata"),
    "prices": ({"source": "s"}, "models"),
}
"""By reader: a row, and the name of a key that it does not have."""


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def _pickle(text: bytes, *, end: bytes = b"\x94.") -> bytes:
    return b"\x80\x04\x8d" + len(text).to_bytes(8, "little") + text + end


def _zeros(times: int) -> str:
    """Packed zeros, without the memory that they would take here."""
    packer = zlib.compressobj(9)
    block = b"0" * (1 << 20)
    return base64.b64encode(b"".join(packer.compress(block) for _ in range(times)) + packer.flush()).decode()


_LISTS = "[" + "[]," * 4_000_000 + "1]"
_DEEP = "[" * 900 + "]" * 900
_METHOD: dict[str, object] = {
    "starter_code": "class Solution:\n    def f(self, a):\n        ",
    "metadata": "{}",
}
_CALL: dict[str, object] = {"kind": "function", "entry_point": "f"}
CHANGES: dict[str, tuple[str, Callable[[], dict[str, object]]]] = {
    "a pickle with a large memo number": (
        "lcb",
        lambda: {"private_test_cases": _pack(_pickle(b"[]", end=b"r" + b"\xff\xff\xff\x0f.") + b"." * 200)},
    ),
    "a pickle with a memo number of a text": (
        "lcb",
        lambda: {"private_test_cases": _pack(b"\x80\x04X\x02\0\0\0[]r\xff\xff\xff\x0f}.")},
    ),
    "a pickle with a long frame": (
        "lcb",
        lambda: {"private_test_cases": _pack(b"\x80\x04\x95" + b"\xff" * 8)},
    ),
    "a pickle of a text that is not there": (
        "lcb",
        lambda: {"private_test_cases": _pack(b"\x80\x04\x8d" + b"\xff" * 7 + b"\x0f" + b"x")},
    ),
    "a pickle of many lists": (
        "lcb",
        lambda: {"private_test_cases": _pack(b"\x80\x04" + b"]" * 8_000_000 + b".")},
    ),
    "packed zeros": ("lcb", lambda: {"private_test_cases": _zeros(1024)}),
    "packed lists": ("lcb", lambda: {"private_test_cases": _pack(_pickle(_LISTS.encode()))}),
    "packed deep lists": ("lcb", lambda: {"private_test_cases": _pack(_pickle(b"[" * 20_000_000))}),
    "very many tests": (
        "lcb",
        lambda: {
            "public_test_cases": "[" + '{"input":"","output":""},' * 200_000 + '{"input":"","output":""}]'
        },
    ),
    "an input of many lists": (
        "lcb",
        lambda: {**_METHOD, "public_test_cases": json.dumps([{"input": _LISTS, "output": "1"}])},
    ),
    "an output nested deeply": (
        "lcb",
        lambda: {**_METHOD, "public_test_cases": json.dumps([{"input": "1", "output": "[" * 100_000}])},
    ),
    "blank lines below a class": ("lcb", lambda: {"starter_code": "class A:\n" + "\n" * 300_000}),
    "colons behind a class": ("lcb", lambda: {"starter_code": "class A" + ":" * 300_000 + "x"}),
    "classes": ("lcb", lambda: {"starter_code": "class A:\n" * 50_000}),
    "metadata nested deeply": ("lcb", lambda: {**_METHOD, "metadata": _DEEP}),
    "a time limit without end": ("jsonl", lambda: {"time_limit_s": 1e300}),
    "a time limit that is no number": ("jsonl", lambda: {"time_limit_s": float("nan")}),
    "a time limit of 400 digits": ("jsonl", lambda: {"time_limit_s": 10**400}),
    "a negative time limit": ("jsonl", lambda: {"time_limit_s": -1}),
    "a large memory limit": ("jsonl", lambda: {"memory_limit_mb": 10**18}),
    "a memory limit of 4,000 digits": ("jsonl", lambda: {"memory_limit_mb": 10**4000}),
    "a negative memory limit": ("jsonl", lambda: {"memory_limit_mb": -5}),
    "digits without end": ("jsonl", lambda: {"int_digits": 10**4000}),
    "NaN in the metadata": ("jsonl", lambda: {"metadata": {"a": [float("inf")]}}),
    "NUL in the id": ("jsonl", lambda: {"id": "a\0b"}),
    "half a character in the id": ("jsonl", lambda: {"id": "a\ud800"}),
    "half a character in the statement": ("jsonl", lambda: {"statement": "a\udc80"}),
    "half a character in a test": ("jsonl", lambda: {"public_tests": [{"input": "\ud83d", "output": "1"}]}),
    "too many tests": ("jsonl", lambda: {"hidden_tests": [{"input": "1", "output": "1"}] * 200_000}),
    "an input of many lists for a function": (
        "jsonl",
        lambda: {**_CALL, "public_tests": [{"input": _LISTS, "output": "1"}]},
    ),
    "an expected value nested deeply": (
        "jsonl",
        lambda: {**_CALL, "public_tests": [{"input": "1", "output": "[" * 100_000}]},
    ),
    "tests as text of many lists": ("apps", lambda: {"input_output": _LISTS}),
    "tests as text nested deeply": ("apps", lambda: {"input_output": _DEEP}),
    "seconds of 400 digits": ("codecontests", lambda: {"time_limit": {"seconds": 10**400}}),
    "endless seconds": ("codecontests", lambda: {"time_limit": {"seconds": float("inf")}}),
    "memory of 30 digits": ("codecontests", lambda: {"memory_limit_bytes": 10**30}),
    "very many asserts": ("mbpp", lambda: {"test_list": ["assert f(1) == 1"] * 50_000}),
    "asserts that are no Python": ("mbpp+", lambda: {"plus_input": [], "assertion": "assert (" * 10_000}),
    "a tolerance of 400 digits": ("mbpp+", lambda: {"plus_input": [], "atol": 10**400}),
    "a tolerance that is no number": ("humaneval+", lambda: {"base_input": [[1]], "atol": float("nan")}),
    "examples of many signs": ("taco", lambda: {"input_output_examples": "-" * 100_000 + "1"}),
    "examples that are a long sum": ("taco", lambda: {"input_output_examples": "1" + "+1" * 100_000}),
    "examples of many numbers": ("taco", lambda: {"input_output_examples": f"[{'0,' * 5_000_000}]"}),
    "a long name of a folder": ("usaco", lambda: {"problem_id": "x" * 5_000, "num_tests": 1}),
    "memory as text of 400 digits": ("usaco", lambda: {"memory_limit": "9" * 400 + " MB"}),
    "memory as a number of 400 digits": ("codeforces", lambda: {"memory_limit": 10**400}),
    "a long word": ("codeforces", lambda: {"input_mode": ":" * 300_000}),
    "memory that is no number": ("codecontests+", lambda: {"memory_limit": float("nan")}),
    "milliseconds of 400 digits": ("codecontests+", lambda: {"time_limit": 10**400}),
    "milliseconds of 400 digits below zero": ("codecontests+", lambda: {"time_limit": -(10**400)}),
    "a call of nothing": ("recording", lambda: {"request": _LISTS}),
    "deep source names": ("samples", lambda: {"source": json.loads("[" * 150 + "]" * 150)}),
}
"""By name: a reader, and what makes its row one that it has to refuse."""
