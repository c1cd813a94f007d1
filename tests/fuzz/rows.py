"""Rows that the fuzzed readers take, and the words and marks that mean something to a parser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.problems.formats.published.test_rows import ROWS as PUBLISHED
from tests.problems.formats.published.test_rows import TACO_FUNCTION, USACO
from tests.problems.prediction.test_sets import SETS as PREDICTED

_CASES = [{"input": "1\n2", "output": "3"}, {"input": '"a"\n[1]', "output": "null"}]
_STUB = "class Solution:\n    def f(self, a: int, b: List[int]) -> Optional[ListNode]:\n        "
_HUMANEVAL: dict[str, Any] = {
    "task_id": "HumanEval/1",
    "prompt": 'def f(a: int) -> int:\n    """One more.\n\n    >>> f(1)\n    2\n    """\n',
    "entry_point": "f",
    "canonical_solution": "    return a + 1\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
}
_MBPP: dict[str, Any] = {
    "task_id": 6,
    "text": "Write a function f.",
    "code": "def f(a):\r\n    return a + 1",
    "test_list": ["assert f(1) == 2", "assert f((1,)) is None"],
    "test_setup_code": "",
}
ROWS: dict[str, list[Any]] = {
    "jsonl": [
        {
            "id": "a",
            "statement": "Add.\n\nInput\n1 2\n\nOutput\n3\n",
            "kind": "stdin",
            "hidden_tests": _CASES,
            "time_limit_s": 2.5,
            "memory_limit_mb": 256,
            "metadata": {"difficulty": "easy", "references": ["print(1)"]},
        },
        {
            "id": "b",
            "statement": "s",
            "kind": "function",
            "entry_point": "Solution.f",
            "starter_code": _STUB,
            "public_tests": [{"input": "1\n[2]", "output": "[3]"}, {"program": "assert f(1)"}],
            "checker": {"program": "print()"},
            "call": {"kinds": {"f": ["", "tree", "list"]}, "in_place": 0, "either": True},
            "int_digits": 0,
            "several_answers": True,
            "preamble": "import math\n",
        },
    ],
    "lcb": [
        {
            "question_title": "t",
            "question_content": "text",
            "platform": "leetcode",
            "question_id": "2727",
            "contest_id": "c",
            "contest_date": "2024-08-03T00:00:00",
            "starter_code": _STUB,
            "difficulty": "easy",
            "public_test_cases": _CASES,
            "private_test_cases": "eJxrYJlawQAGGj2uwcGhwTowUgtNAABPvgfR",
            "metadata": {"func_name": "f"},
        },
        {
            "question_id": "1",
            "question_content": "text",
            "public_test_cases": '[{"input": "1", "output": "2"}]',
        },
    ],
    "humaneval": [_HUMANEVAL],
    "humaneval+": [
        _HUMANEVAL | {"base_input": [[1]], "plus_input": [[2], [3.5]], "atol": 1e-6, "test": None}
    ],
    "mbpp": [_MBPP],
    "mbpp+": [
        {
            "task_id": "Mbpp/6",
            "prompt": '"""\nWrite a function f.\nassert f(1) == 2\n"""\n',
            "entry_point": "f",
            "canonical_solution": "def f(a):\n    return a + 1",
            "assertion": "assert f((1, 2)) == 2\nassert f(set([1])) == 2",
            "plus_input": [[[1, 2]], ["1j"], [{"1": 2}]],
            "atol": 0,
        },
        {
            "task_id": 6,
            "prompt": "Write a function f.",
            "code": "def f(a):\n    return a + 1",
            "test_list": ["assert f(1) == 2"],
            "test_imports": ["import math"],
            "test": "import numpy as np\ninputs = [[1]]\nfor i in inputs:\n    exact_match = f(*i)\n",
        },
    ],
    "apps": [
        {
            "problem_id": 1,
            "question": "q",
            "input_output": {"inputs": ["1\n", ["1", "2"]], "outputs": ["2\n", ["3"]]},
            "solutions": ["print(1)"],
            "difficulty": "interview",
            "url": "u",
        },
        {
            "id": 2,
            "question": "q",
            "input_output": {"fn_name": "f", "inputs": [[1, {"2": 3}]], "outputs": [[4]]},
            "starter_code": _STUB,
        },
        {"id": 3, "description": "d", "sample_io": [{"input": "1", "output": ["2"]}], "test_list": _CASES},
    ],
    "codecontests": [
        {
            "name": "1_A",
            "description": "d",
            "public_tests": {"input": ["1"], "output": ["2"]},
            "private_tests": {"input": ["3"], "output": ["4"]},
            "generated_tests": {"input": [], "output": []},
            "source": 2,
            "time_limit": {"seconds": 2, "nanos": 5},
            "memory_limit_bytes": 256000000,
            "cf_rating": 800,
            "cf_tags": ["math"],
            "solutions": {"language": [3], "solution": ["print(1)"]},
        },
        {
            "problem": "p",
            "description": "d",
            "sample_io": _CASES,
            "test_list": _CASES,
            "checker": "#include <x>",
        },
    ],
    "samples": [
        {"task_id": "a", "solution": "print(1)", "source": "m"},
        {"task_id": 1, "completion": "    return 1", "source": ["m", "n"]},
        {"question_id": "a", "code_list": ["print(1)", None], "sources": ["m", None]},
    ],
    "recording": [
        {
            "key": "k",
            "model": "m",
            "request": {
                "messages": [{"role": "user", "content": "c"}],
                "purpose": {"problem_id": "a", "stage": "generate", "sample": 0, "round": 0, "ordinal": ""},
                "temperature": 0.7,
                "max_tokens": 10,
                "seed": 1,
                "stop": [],
                "extra": {},
            },
            "answer": {
                "text": "t",
                "reasoning": "",
                "finish_reason": "stop",
                "usage": {"prompt": 1, "cached": None, "output": 2, "reasoning": None},
                "model": "m",
                "seconds": 0.5,
            },
        }
    ],
    "run": [{"config": {"problems": ["a"], "select": "sstar", "n": 1, "label": "x"}, "servers": []}],
    "wire": [
        {
            "id": "x",
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "<think>a</think>b", "reasoning": None},
                }
            ],
            "usage": {
                "prompt_tokens": 1,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 1},
            },
        },
        {
            "choices": [
                {"message": {"content": [{"text": "a", "thinking": "b"}], "tool_calls": [{"function": {}}]}}
            ]
        },
        {"error": {"message": "no", "code": 400, "param": "seed"}},
        {"object": "list", "data": [{"id": "m", "max_model_len": 10}]},
    ],
    "values": [
        {"$tuple": [1, {"$set": [1, "a"]}]},
        {"$dict": [[1, 2], [{"$tuple": []}, None]]},
        [{"$float": "nan"}, {"$complex": [0, 1]}, {"$int": "0xff"}, {"$bytes": "a"}],
        {"$fraction": [1, 2], "$decimal": "1.5"},
        {"$frozenset": [{"$decimal": "1"}]},
    ],
}
"""By target: rows that it takes, among them each of its forms."""
ROWS |= {name: [row] for name, row in PUBLISHED.items()} | {name: [row] for name, row, _ in PREDICTED}
ROWS["taco"].append(TACO_FUNCTION)
ROWS["usaco"].append(USACO)

KEYS = sorted(
    {key for rows in ROWS.values() for row in rows if isinstance(row, dict) for key in row}
    | {
        "input",
        "output",
        "program",
        "content",
        "function",
        "arguments",
        "thinking",
        "$repr",
        "$type",
        "language",
    }
)
"""Keys that one of them knows."""

TOKENS = [*json.loads((Path(__file__).parent / "tokens.json").read_text("utf-8")), "9" * 5000]
"""Pieces of text."""
