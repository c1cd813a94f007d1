"""Choices and their reasons stay what they are: a run that is continued asks and decides the same.

After an intended change write them anew and read the diff:

    SSTAR_WRITE_EXPECTED=1 python -m pytest tests/selection/methods/test_recorded_selections.py
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import decode_lines
from sstar_code.selection import METHODS, Candidate, Pool
from sstar_code.selection.evidence.weights import measure_reliability

pytestmark = pytest.mark.anyio

RECORD = Path(__file__).with_name("recorded_selections.json")
SQUARE = Problem(
    "square",
    "Is n a perfect square? 0 <= n <= 10^17",
    Kind.FUNCTION,
    "f",
    "def f(n: int) -> bool:\n",
    (Test("16", "true"), Test("14", "false"), Test("0", "true")),
)
TOTAL = Problem(
    "total",
    "The sum of the positive numbers of a. 1 <= a.length <= 6, -10 <= a[i] <= 10",
    Kind.FUNCTION,
    "f",
    "def f(a: list[int]):\n",
    (Test("[1, -2, 3]", "4"), Test("[5]", "5")),
)
OPEN = Problem("open", "Anything", Kind.FUNCTION, "f", public_tests=(Test('"ab 1"\n2', '"b"'),))
EXACT = "import math\ndef f(n):\n    return n >= 0 and math.isqrt(n) ** 2 == n"
ROUGH = "import math\ndef f(n):\n    return n >= 0 and math.sqrt(n).is_integer()"
NEVER = "def f(n):\n    return n in (0, 16)"
SLOW = "def f(n):\n    if n > 10**6:\n        raise TimeoutError\n    return round(n**0.5) ** 2 == n"
RIGHT = "def f(a):\n    return sum(x for x in a if x > 0)"
ABSOLUTE = "def f(a):\n    return sum(a) + 2 if len(a) == 3 else sum(a)"
HIGHEST = "def f(a):\n    return sum(a) + 2 if a[1:2] == [-2] else max(a)"
MANY = "def f(a):\n    if len(a) > 4:\n        raise TimeoutError\n    return sum(x for x in a if x > 0)"
EMPTY = "def f(a):\n    return sum(x for x in a if x > 0) if a[0] else 0"
SECOND = "def f(s, n):\n    return s[n - 1]"
WORD = "def f(s, n):\n    return s.split()[0][n - 1:]"


def variants(code, count):
    """Different programs of one behaviour."""
    return [f"{code}\nunused_{place} = 0" for place in range(count)]


def write(code, source=(), passed=3, total=3, hidden=False):
    return Candidate(code, passed, total, hidden, source)


POOLS = {
    "squares": (SQUARE, [write(code) for code in (*variants(ROUGH, 4), EXACT, EXACT + "  #", NEVER, SLOW)]),
    "weak": (
        SQUARE,
        [write(NEVER, passed=1), write("", passed=0), write(EXACT, passed=2), write(ROUGH, passed=2)],
    ),
    "totals": (
        TOTAL,
        [
            write(ABSOLUTE, ("m/one",)),
            write(HIGHEST, ("m/one", "n")),
            *(write(code, ("m/two",), hidden=True) for code in variants(RIGHT, 3)),
            write(MANY, ("n",)),
            write(EMPTY, ("n",), passed=3),
            write("def f(a):\n    raise SystemError", ("n",), passed=0),
        ],
    ),
    "alike": (TOTAL, [write(code) for code in variants(RIGHT, 4)]),
    "open": (OPEN, [write(code) for code in (SECOND, WORD, *variants(SECOND, 2))]),
}
REPLIES = {
    "square": {
        "inputs": f"```json\n[[25], [{10**16 + 1}], [7], [-4]]\n```",
        "distinguish": f"```json\n[[{(10**8 + 1) ** 2 - 1}], [24]]\n```",
        "kit": """```python
def generate(seed, size):
    return [seed * seed + {"tiny": 0, "boundary": 1, "random": 100, "worst": 10**15}[size]]

def valid(data):
    return 0 <= data[0] <= 10**17
```""",
        "reference": """```python
def solve(data):
    return any(k * k == data[0] for k in range(2000))

def holds(data, output):
    return isinstance(output, bool) and not (output and data[0] % 4 in (2, 3))
```""",
        "tests": "assert f(25) == True\nassert f(26) == False\nassert f(10000000000000001) == False",
    },
    "total": {
        "inputs": "```json\n[[[1, 2]], [[-1]], [[3, -2, 3]], [[0, 4]]]\n```",
        "distinguish": "```json\n[[[2, -2]], [[-5, 7, -1]]]\n```",
        "kit": """```python
def generate(seed, size):
    return [[(seed * k) % 7 - 3 for k in range(1, {"tiny": 2, "boundary": 3, "random": 5, "worst": 7}[size])]]

def valid(data):
    return len(data[0]) > 0
```""",
        "reference": """```python
def solve(data):
    return sum(max(x, 0) for x in data[0])

def holds(data, output):
    return output >= 0
```""",
        "tests": "assert f([1, -1]) == 1\nassert f([-1]) == 0\nassert f([2, 3]) == 5\nassert f([4]) == 9",
    },
    "open": {
        "inputs": "nothing",
        "kit": "nothing",
        "reference": "",
        "tests": '```python\nassert f("x", 1) == "x"\n```',
    },
}


def work_out(problem, text):
    """The right output as it is shown."""
    (value,) = decode_lines(text)
    if problem.id == "square":
        return str(value >= 0 and round(value**0.5) ** 2 == value)
    return str(sum(x for x in value if x > 0))


def script(problem):
    """What the model says; it is right about outputs, and takes programs with a comprehension for right."""

    def choose(input, outputs):  # noqa: A002 - the template's name
        right = (
            work_out(problem, re.sub(r"^\w+ = |^.*\(|\)$", "", input)) if problem is not OPEN else outputs[-1]
        )
        return f"ANSWER: {'ABCD'[outputs.index(right)]}" if right in outputs else "ANSWER: neither"

    def judge(cases):
        return f"ANSWER: {1 if len(cases[0]['first']) <= len(cases[0]['second']) else 2}"

    def compare(first, second):
        return f"ANSWER: {1 if 'for' in first or 'isqrt' in first else 2 if 'for' in second else 'neither'}"

    return {"choose": choose, "judge": judge, "compare": compare, **REPLIES[problem.id]}


def round_all(value):
    """Floats to nine digits, so that no machine's last bit matters."""
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, dict):
        return {str(key): round_all(item) for key, item in value.items()}
    return list(map(round_all, value)) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("has_model", [False, True], ids=["alone", "asking"])
@pytest.mark.parametrize("name", POOLS)
async def test_choices_are_those_recorded(name, has_model, trusting_sandbox, scripted_ask):
    """What each method chose, how sure it was, what it ran and asked, and which tests came of it."""
    problem, candidates = POOLS[name]
    rates = measure_reliability([candidates]) if name == "totals" else {}
    found = {}
    for method, select in METHODS.items():
        ask = scripted_ask(**script(problem)) if has_model else None
        pool = Pool(problem, tuple(candidates), trusting_sandbox, ask, 3, rates)
        found[method] = round_all(asdict(await select(pool)))
        if ask is not None:
            found[method]["questions"] = [f"{kind} {ordinal}" for kind, ordinal, _ in ask.asked]
    key = f"{name} {'asking' if has_model else 'alone'}"
    recorded = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    if os.environ.get("SSTAR_WRITE_EXPECTED"):
        recorded[key] = found
        RECORD.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == recorded[key]
