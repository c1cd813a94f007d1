"""Generated inputs stay what they are: recorded model calls and stored runs hold prompts made of them."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.search.shrink import shrink_input
from sstar_code.selection.inputs.strategies.draw import mutate_value
from sstar_code.selection.inputs.strategies.streams import Mutations, large_inputs

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


def make_problem(name):
    kind, statement, starter, inputs = PROBLEMS[name]
    entry = "f" if kind is Kind.FUNCTION else None
    return Problem(name, statement, kind, entry, starter, tuple(Test(text, "1") for text in inputs))


def short(text):
    """A long text by its length and the beginning of its hash."""
    return text if len(text) < 100 else f"{len(text)}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def list_streams(name):
    """The first inputs of each strategy; what an odd turn gave has told programs apart."""
    mutations = Mutations(make_problem(name), "0:p", codes=CODES)
    found = {strategy: [] for strategy in mutations.strategies}
    for turn in range(12):
        for strategy in mutations.strategies:
            if (text := mutations.take(strategy)) is not None:
                found[strategy].append(short(text))
                if turn % 2:
                    mutations.learn(text)
    return found


async def list_shrunk(name):
    """What public inputs and a few others shrink to, for a property that only the text decides."""

    async def holds(texts):
        return [hashlib.sha256(text.encode()).digest()[0] % 7 == 0 for text in texts]

    problem = make_problem(name)
    mutations = Mutations(problem, "1:p")
    texts = [test.input for test in problem.public_tests]
    texts += [text for one in ("big", "stretch", "text") if (text := mutations.take(one)) is not None]
    return [short(await shrink_input(problem, text, holds, max_tries=60)) for text in texts]


def list_neighbours():
    """Neighbours of each value, signed or not."""
    return {
        repr(value) if not isinstance(value, frozenset) else "frozenset": [
            repr(sorted(other) if isinstance(other, frozenset) else other)
            for seed in range(25)
            for other in [mutate_value(value, random.Random(seed), signed=bool(seed % 2))]
        ]
        for value in VALUES
    }


async def record():
    """All of it, as it is stored."""
    return {
        "neighbours": list_neighbours(),
        **{
            name: {
                "streams": list_streams(name),
                "large": list(map(short, large_inputs(make_problem(name), 8))),
                "shrunk": await list_shrunk(name),
            }
            for name in PROBLEMS
        },
    }


async def test_inputs_are_those_recorded():
    """Streams, largest inputs, shrunk inputs and neighbours are the same as when they were recorded."""
    assert await record() == json.loads(RECORD.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PROBLEMS)
def test_hardly_any_input_is_beyond_the_contract(name):
    """All strategies but those made to leave the contract keep to it, nearly always."""
    problem = make_problem(name)
    contract = Contract.of(problem)
    mutations = Mutations(problem, "2:p", contract, CODES)
    strategies = ("edges", "near", "tiny", "alike", "words", "crossed", "deep", "big") * 12
    texts = [text for strategy in strategies if (text := mutations.take(strategy)) is not None]
    assert sum(map(contract.admits, texts)) >= 0.85 * len(texts)
    texts = [text for _ in range(12) if (text := mutations.take("stretch")) is not None]
    assert not any(map(contract.admits, texts))
