from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import decode, decode_lines, encode, encode_lines
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.harness import WrittenTest, parse_tests, run_written_tests

FUNCTION = Problem("p", "s", Kind.FUNCTION, "f", "def f(a, b):\n", (Test("1\n2", "3"),))
STDIN = Problem("q", "s", Kind.STDIN, public_tests=(Test("1\n", "2"),))


def test_asserts_become_tests():
    """Plain asserts are read wherever they stand; other calls and other comparisons are left out."""
    text = """Here they are:
```python
assert f(1, 2) == 3  # small
assert f([1,
          2], "x") == [
    1]
assert g(1, 2) == 3
assert f(1, 2) > 0
assert 7 == f(3, 4)
assert f(open("x"), 2) == 1
assert f(1, 2
```"""
    found = [(decode_lines(test.input), decode(test.output)) for test in parse_tests(text, FUNCTION)]
    assert found == [([1, 2], 3), ([[1, 2], "x"], [1]), ([3, 4], 7)]


def test_tests_written_often_come_first():
    """The order is by how often a test was written, and the limit cuts the rare ones."""
    text = "assert f(1, 1) == 0\nassert f(1, 1) == 2\nassert f(1, 1) == 2\n"
    assert [test.output for test in parse_tests(text, FUNCTION)] == ["2", "0"]
    assert [test.output for test in parse_tests(text, FUNCTION, limit=1)] == ["2"]


@pytest.mark.parametrize(
    ("problem", "text", "expected"),
    [
        (STDIN, '[{"input": "3", "output": "6"}]', [WrittenTest("3\n", "6")]),
        (STDIN, 'So:\n```json\n[{"input": "3\\n", "output": 6}, {"input": 4}, 5', [WrittenTest("3\n", "6")]),
        (FUNCTION, '[{"input": [1, 2], "output": [3]}]', [WrittenTest("1\n2", "[3]")]),
        (FUNCTION, '{"input": [1, 2, 3], "output": 3}', []),
        (STDIN, "assert f(1) == 2", []),
    ],
)
def test_objects_become_tests(problem, text, expected):
    """JSON objects with input and output are tests; cut, bare or partial ones lose only themselves."""
    assert parse_tests(text, problem) == expected


@given(st.text(max_size=300))
def test_any_reply_can_be_read(text):
    """No reply raises."""
    for problem in (FUNCTION, STDIN):
        assert isinstance(parse_tests(text, problem), list)


@given(st.lists(st.tuples(st.integers(), st.text(max_size=5), st.booleans()), min_size=1, max_size=5))
def test_what_is_written_is_read(rows):
    """Literal arguments and results come back as they were written."""
    text = "\n".join(f"assert f({number!r}, {word!r}) == {truth!r}" for number, word, truth in rows)
    expected = {WrittenTest(encode_lines([number, word]), encode(truth)) for number, word, truth in rows}
    assert set(parse_tests(text, FUNCTION)) == expected


@pytest.mark.anyio
async def test_outcomes_follow_the_checker(make_pool, scripted_ask):
    """A member passes where its output is what the test wants; failures and lost runs are not passes."""
    codes = ["def f(n): return n == 16", "def f(n): return 1 // (n - 9)", "def f(n): raise SystemError"]
    reply = "assert f(16) == True\nassert f(9) == False\nassert f(9) == 0\n"
    pool = make_pool(codes[:2], scripted_ask(tests=reply))
    outcomes = await run_written_tests(pool, [0, 1], Ledger())
    assert [len(passed) for passed in outcomes.passed][1] == 0
    assert 0 in outcomes.passed[0]
    ledger = Ledger()
    lost = await run_written_tests(make_pool(codes[::2], scripted_ask(tests=reply)), [0, 1], ledger)
    assert lost.passed == (frozenset(), frozenset())
    assert any("the sandbox failed" in note for note in ledger.notes)
