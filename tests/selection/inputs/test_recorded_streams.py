"""Generated inputs stay what they are: recorded model calls and stored runs hold prompts made of them."""

from __future__ import annotations

import functools
import hashlib
import json
import random
from dataclasses import fields
from pathlib import Path

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.search.shrink import shrink_input
from sstar_code.selection.inputs.strategies.draw import mutate_value
from sstar_code.selection.inputs.strategies.streams import Mutations, large_inputs
from tests.support import mark_slow_but

pytestmark = pytest.mark.anyio

RECORD = Path(__file__).with_name("recorded_streams.json")
CODES = ("def f(a):\n    'doc'\n    return 17 if a == 'and' else 300", "x = ['end', 42, 17]")
PROBLEMS = {
    "numbers": (
        Kind.FUNCTION,
        "1 <= k <= 9",
        "def f(a: list[int], k: int):\n",
        ["[3, 1, 2]\n3", "[5, 8]\n2"],
    ),
    "texts": (Kind.FUNCTION, "Signs are `*` and `?`.", "def f(s, n):\n", ['"Ab 12*"\n0.5', '"c, d"\n-2.5']),
    "nested": (
        Kind.FUNCTION,
        "A permutation of 1..n, sorted pairs, positive integers",
        "",
        ['[2, 1, 3]\n[["a", 1], ["b", 7]]\n{"x": [1, 2]}\ntrue', '[1]\n[["c", 4]]\n{}\nfalse'],
    ),
    "matrix": (
        Kind.FUNCTION,
        "0 <= g[i][j] <= 1",
        "def f(g, h):\n",
        ["[[0, 1], [1, 1]]\nnull", "[[1, 0]]\n3"],
    ),
    "times": (Kind.FUNCTION, "", "", ['"08:30"\n{"$tuple": [1, 2]}', '"12:05"\n{"$tuple": [3, 4]}']),
    "signature": (Kind.FUNCTION, "", "def f(a: list[int], s: str, d: dict[str, float]): ...", []),
    "counted": (Kind.STDIN, "1 <= n <= 50", "", ["3\n1 2 3\n", "1\n4\n"]),
    "blocks": (Kind.STDIN, "", "", ["2\n2\nab\ncd\n3\nabc\ndef\nghi\n", "1\n1\nz\n"]),
    "grid": (Kind.STDIN, "spread over several lines", "", ["2 3\n.#.\n..#\n", "1 2\n##\n"]),
    "literals": (Kind.STDIN, "", "", ["[1, 2]\nabc", "[3]\nd"]),
    "loose": (Kind.STDIN, "", "", ["5 5 5\n1 1\n3 3\n4 4\n2 3\n2 5\n", "2 ab 1.5\n\nx\n1\n"]),
    "mixed": (Kind.FUNCTION, "", "", ['"a"\n3', "2\n[1, 2]", "null\n5", "2.5\n7"]),
    "sets": (Kind.FUNCTION, "", "", ['{"$set": [1, 2, 5]}\n["a", "b"]', '{"$set": [7]}\n["c"]']),
    "tables": (
        Kind.FUNCTION,
        "distinct rows",
        "",
        ["[[1, 2, 3, 4], [5, 6, 7, 8]]\n[[1, 5], [2, 3], [4, 9], [0, 7]]", "[[9, 9, 9, 9]]\n[[3, 4]]"],
    ),
    "level": (
        Kind.FUNCTION,
        "1 <= n <= 100",
        "def f(a, b, n): ...",
        ["[1, 2, 3]\n[4, 5, 6]\n9", "[1, 2]\n[3, -4]\n1"],
    ),
    "prose": (Kind.FUNCTION, "", "", ['"the quick brown fox, 17 of 05"', '"a Lazy dog."']),
    "names": (Kind.FUNCTION, "non-empty words", "", ['["abc", "de"]\n"ab"', '["x", "yz", "w"]\n"c"']),
    "annotated": (
        Kind.FUNCTION,
        "",
        (
            "def f(a: Optional[int], b: tuple[int, str], c: set[int], d: Union[int, str], e: tuple[int, ...],"
            " g: 'list[list[int]]', h: bool, i: float | None, j: dict, k: List, m: None, n: 'odd ('): ..."
        ),
        [],
    ),
    "listed": (Kind.STDIN, "", "", ["3\n2 5 5\n1 7\n3 1 2 3\n", "1\n2 4 4\n"]),
    "cases": (Kind.STDIN, "1 <= t <= 10, 1 <= a_i <= 10^9", "", ["2\n3\n1 2 3\n2\n5 6\n", "1\n1\n7\n"]),
    "graph": (
        Kind.STDIN,
        "1 <= n <= 10, 0 <= m <= 9, -5 <= w <= 10^18",
        "",
        ["3 2\n1 2 5\n2 3 -1\n", "4 1\n1 4 7\n"],
    ),
    "lines": (Kind.STDIN, "", "", ["the first line\nand more\n", "x\n"]),
    "reals": (Kind.STDIN, "positive numbers", "", ["2 1.5\n0.25 3.0\n", "1 2.0\n7.5\n"]),
}
VALUES = (
    0,
    7,
    -12,
    10**18,
    2.5,
    "",
    "a",
    "ab 12, c",
    "007",
    [],
    [1],
    [3, "a", 2.5],
    [[1, 2], [3, 4]],
    (1, 2),
)
VALUES += ((1, 2), {"a": 1, "b": [2]}, {}, frozenset({1, 2}), True, None)
VALUES += ("One two, three  four", -7.25, 10**18 - 1, {3: "x", 4: "~ "}, [[5], [6, 7]], ("b", "a", "b"))


def make_problem(name):
    kind, statement, starter, inputs = PROBLEMS[name]
    entry = "f" if kind is Kind.FUNCTION else None
    return Problem(name, statement, kind, entry, starter, tuple(Test(text, "1") for text in inputs))


@functools.cache
def make_contract(name):
    """The contract, which may take half a second, once."""
    return Contract.of(make_problem(name))


def short(text):
    """A long text by its length and the beginning of its hash."""
    return text if len(text) < 100 else f"{len(text)}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def list_streams(name):
    """The first inputs of each strategy; what an odd turn gave has told programs apart."""
    mutations = Mutations(make_problem(name), "0:p", make_contract(name), CODES)
    found = {strategy: [] for strategy in mutations.strategies}
    for turn in range(12):
        for strategy in mutations.strategies:
            if (text := mutations.take(strategy)) is not None:
                found[strategy].append(short(text))
                if turn % 2:
                    mutations.learn(text)
    return found


async def list_shrunk(name):
    """What public inputs and a few others shrink to, for properties that only the text decides."""

    async def holds(texts):
        return [hashlib.sha256(text.encode()).digest()[0] % 7 == 0 for text in texts]

    async def has_much(texts):
        return [sum(map(ord, text)) % 3 != 0 and len(text) > 8 for text in texts]

    problem = make_problem(name)
    mutations = Mutations(problem, "1:p", make_contract(name))
    texts = [test.input for test in problem.public_tests]
    texts += [text for one in ("big", "stretch", "text") if (text := mutations.take(one)) is not None]
    return [
        short(await shrink_input(problem, text, keeps, max_tries=most))
        for keeps, most in ((holds, 60), (has_much, 90))
        for text in texts
    ]


def list_neighbours(value, count):
    """Neighbours of a value, signed or not."""
    return [
        repr(sorted(other) if isinstance(other, frozenset) else other)
        for seed in range(count)
        for other in [mutate_value(value, random.Random(seed), signed=bool(seed % 2))]
    ]


def digest(texts):
    """Many texts as their number and the beginning of their hash."""
    return f"{len(texts)}:{hashlib.sha256(repr(texts).encode()).hexdigest()[:16]}"


def list_later(name):
    """What comes later from each strategy, by its hash."""
    mutations = Mutations(make_problem(name), "3:p", make_contract(name), CODES)
    found = {strategy: [] for strategy in mutations.strategies}
    for turn in range(60):
        for strategy in mutations.strategies:
            if (text := mutations.take(strategy)) is not None:
                found[strategy].append(text)
                if turn % 3 == 0:
                    mutations.learn(text)
    return {strategy: digest(texts) for strategy, texts in found.items()}


def describe(domain):
    """A domain by what it says beyond its kind."""
    told = [
        f"{field.name}={list(map(describe, value)) if field.name == 'parts' else value}"
        for field in fields(domain)
        if (value := getattr(domain, field.name)) != field.default
    ]
    return " ".join(told)


async def record_problem(name):
    """All of one problem, as it is stored."""
    contract = make_contract(name)
    return {
        "contract": [repr(contract.form), *map(describe, contract.domain.parts)],
        "streams": list_streams(name),
        "later": list_later(name),
        "large": list(map(short, large_inputs(make_problem(name), 8, make_contract(name)))),
        "shrunk": await list_shrunk(name),
    }


def record_neighbours():
    """The neighbours of all values, as they are stored."""
    return {
        repr(value) if not isinstance(value, frozenset) else "frozenset": [
            *list_neighbours(value, 25),
            digest(list_neighbours(value, 400)),
        ]
        for value in VALUES
    }


@pytest.mark.parametrize("name", mark_slow_but([*PROBLEMS][::3], PROBLEMS))
async def test_inputs_are_those_recorded(name):
    """Contract, streams, largest inputs and shrunk inputs are as they were recorded."""
    assert await record_problem(name) == json.loads(RECORD.read_text(encoding="utf-8"))[name]


def test_neighbours_are_those_recorded():
    """The neighbours of a value hang on the seed alone."""
    assert record_neighbours() == json.loads(RECORD.read_text(encoding="utf-8"))["neighbours"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_hardly_any_input_is_beyond_the_contract(name):
    """All strategies but those made to leave the contract keep to it, nearly always."""
    problem = make_problem(name)
    contract = make_contract(name)
    mutations = Mutations(problem, "2:p", contract, CODES)
    strategies = ("edges", "near", "tiny", "alike", "words", "crossed", "deep", "big") * 12
    texts = [text for strategy in strategies if (text := mutations.take(strategy)) is not None]
    assert sum(map(contract.admits, texts)) >= 0.85 * len(texts)
    texts = [text for _ in range(12) if (text := mutations.take("stretch")) is not None]
    assert not any(map(contract.admits, texts))
