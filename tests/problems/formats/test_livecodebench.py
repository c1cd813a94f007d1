"""LiveCodeBench rows, and hostile data where its private tests are packed."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from datetime import date

import pytest

from sstar_code.problems import Kind, ProblemFileError, UserError, bounds, load_set
from sstar_code.problems.formats import livecodebench as lcb
from sstar_code.problems.formats.rows import Row

CASES = [{"input": '"ab"\n3', "output": "[1, 2]", "testtype": "functional"}]
METHOD = {
    "question_title": "t",
    "question_content": "text",
    "platform": "leetcode",
    "question_id": "2727",
    "contest_id": "c",
    "contest_date": "2024-08-03T00:00:00",
    "starter_code": "class Solution:\n    def solve(self, s: str, k: int) -> List[int]:\n        ",
    "difficulty": "easy",
    "public_test_cases": json.dumps(CASES),
    "private_test_cases": "[]",
    "metadata": '{"func_name": "solve"}',
}
STDIN = METHOD | {
    "question_id": "1883_B",
    "starter_code": "",
    "contest_date": "2023-09-22T00:00:00",
    "public_test_cases": '[{"input": "1\\n", "output": "2\\n", "testtype": "stdin"}]',
    "metadata": "{}",
}


def pack(value):
    return base64.b64encode(
        zlib.compress(value if isinstance(value, bytes) else pickle.dumps(value))
    ).decode()


def read(change=None, base=METHOD):
    return lcb.read_livecodebench(Row("l.jsonl", 9, base | (change or {})))


def test_a_method_problem_is_read():
    """Public and private tests, entry point, limits and what the site says arrive."""
    problem = read({"private_test_cases": pack(json.dumps(CASES * 2))})
    assert (problem.id, problem.kind, problem.entry_point) == ("2727", Kind.FUNCTION, "Solution.solve")
    assert (len(problem.public_tests), len(problem.hidden_tests)) == (1, 2)
    assert problem.hidden_tests[0].output == "[1, 2]"
    assert (problem.checker, problem.time_limit_s, problem.memory_limit_mb) == ("livecodebench", 6.0, 4096)
    assert problem.int_digits == 50_000  # as LiveCodeBench's judge sets it
    assert problem.metadata["date"] == "2024-08-03"
    assert {"platform": "leetcode", "difficulty": "easy", "title": "t"}.items() <= problem.metadata.items()


def test_a_program_problem_is_read():
    """Without starter code and function name a program reads standard input."""
    problem = read(base=STDIN)
    assert (problem.kind, problem.entry_point, problem.public_tests[0].input) == (Kind.STDIN, None, "1\n")


def test_line_ends_of_a_statement_are_those_of_the_published_tests():
    """CR LF in a test is LF, as in LiveCodeBench's own file; a CR inside a line, or spelt in JSON, stays."""
    tests = '[{"input": "2\\r\\na\\rb\\r\\n", "output": "a\\r\\nb", "testtype": "stdin"}]'
    (test,) = read({"public_test_cases": tests}, base=STDIN).public_tests
    assert (test.input, test.output) == ("2\na\rb\n", "a\nb")
    spelt = json.dumps([{"input": '"a\\r\\nb"\r\n3', "output": '"\\r\\n"', "testtype": "functional"}])
    (test,) = read({"public_test_cases": spelt}).public_tests
    assert (test.input, test.output) == ('"a\\r\\nb"\n3', '"\\r\\n"')


def test_the_entry_point_follows_the_starter_code():
    """A plain function is called by name; without metadata the first public method is taken."""
    assert read({"starter_code": "def solve(s, k):\n    "}).entry_point == "solve"
    starter = "class Solution:\n    def __init__(self):\n        pass\n\n    def run(self):\n        "
    assert read({"starter_code": starter, "metadata": "{}"}).entry_point == "Solution.run"
    with pytest.raises(ProblemFileError, match="func_name"):
        read({"starter_code": "# nothing", "metadata": "{}"})


def test_the_preamble_offers_what_the_grader_offers():
    """Names of the usual modules are there, and builtins are not shadowed by their namesakes."""
    space: dict[str, object] = {}
    exec(lcb.PREAMBLE.replace("sys.setrecursionlimit(50000)", ""), space)
    for name in ("deque", "heappush", "sqrt", "List", "itertools", "gcd", "lru_cache", "Counter"):
        assert name in space
    assert space["pow"] is pow
    assert space["open"] is open


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/should-not-exist",))


@pytest.mark.parametrize(
    "text",
    [
        pack(Evil()),
        pack(["a list"]),
        pack(b"c__builtin__\neval\n(V1\ntR."),
        pack(b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93."),
        pack(b"Pname\n."),
        pack(b"\x82\x01."),
        pack(b""),
        pack("not json"),
        pack('{"input": 1}'),
        "no base64!",
        base64.b64encode(b"no zlib").decode(),
        base64.b64encode(zlib.compress(b"x" * 1000)[:-6]).decode(),
        "[" * 100_000,
    ],
)
def test_packed_data_that_is_no_plain_string_is_refused(text):
    """Nothing in the data is run or built: anything but a pickled JSON list is a named error."""
    with pytest.raises(ProblemFileError, match=r"^l\.jsonl:9: key 'private_test_cases': "):
        read({"private_test_cases": text})


def test_a_zlib_bomb_is_cut_off(monkeypatch):
    """Data that unpacks to more than its size allows is refused without being unpacked."""
    monkeypatch.setattr(bounds, "FREE_BYTES", 1 << 20)
    with pytest.raises(ProblemFileError, match="unpacks to more than 1 MB, too much for its size"):
        read({"private_test_cases": pack("x" * 10_000_000)})


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [1, 20, 300, 70_000])
def test_a_text_of_any_pickle_protocol_is_read(protocol, size):
    """Short, long and framed texts are read as `pickle` reads them, also beyond ASCII."""
    cases = [{"input": "\u00e9\u2264\U0001f600" * size, "output": "1"}]
    packed = pack(pickle.dumps(json.dumps(cases, ensure_ascii=False), protocol))
    assert read({"private_test_cases": packed}, STDIN).hidden_tests[0].input == cases[0]["input"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contest_date": "soon"}, "'contest_date' must start with a date"),
        ({"metadata": "{"}, "'metadata' must be JSON text"),
        ({"public_test_cases": "[3]"}, "public_test_cases[0]"),
        ({"public_test_cases": '[{"input": "x", "output": "1"}]'}, "public_test_cases[0]: "),
        ({"question_content": None}, "'question_content' is missing"),
    ],
)
def test_a_fault_names_line_and_key(change, message):
    """What cannot be used is named."""
    with pytest.raises(ProblemFileError) as caught:
        read(change)
    assert message in str(caught.value)


def test_problems_are_chosen_by_contest_date(tmp_path):
    """Only contests between the dates, both included, are kept; none at all is the user's mistake."""
    path = tmp_path / "l.jsonl"
    broken = STDIN | {"question_id": "x", "contest_date": "2020-01-01", "private_test_cases": "broken"}
    path.write_text("\n".join(map(json.dumps, [METHOD, STDIN, broken])))
    day = date(2024, 8, 3)
    assert [p.id for p in load_set(f"lcb:{path}", start_date=day, end_date=day).problems] == ["2727"]
    assert [p.id for p in load_set(f"lcb:{path}", start_date=date(2023, 1, 1)).problems] == ["2727", "1883_B"]
    with pytest.raises(UserError, match="no problem of lcb is dated 2025-01-01"):
        load_set(f"lcb:{path}", start_date=date(2025, 1, 1))
