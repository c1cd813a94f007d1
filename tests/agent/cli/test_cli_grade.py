"""`sstar grade` of samples that are odd: none, null, Markdown, and of checkers that fail."""

from __future__ import annotations

import json

import pytest

from tests.agent.conftest import DOUBLE

RIGHT, SQUARE = "print(int(input()) * 2)", "print(int(input()) ** 2)"
TWICE = {
    "id": "twice",
    "statement": "Twice the list.",
    "kind": "function",
    "entry_point": "twice",
    "hidden_tests": [{"input": "[1]", "output": "[1, 1]"}, {"program": "assert twice([]) == []"}],
}


@pytest.fixture
def grade(sstar, folder, write_set, isolated):
    """Grade rows of samples on problems; how it ended and the lines of verdicts.jsonl."""

    def run(rows, *words, problems=(DOUBLE, TWICE)):
        write_set(*problems)
        (folder / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        ended = sstar("grade", "jsonl:problems.jsonl", "s.jsonl", *isolated, "--out", "run", *words)
        path = folder / "run" / "verdicts.jsonl"
        return ended, [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return run


def sample(code, name="double"):
    return {"task_id": name, "solution": code}


def test_a_problem_without_a_sample_counts_as_not_solved(grade):
    """It is named, and stays in the denominator of the line, the rates and the JSON."""
    ended, _ = grade([sample(RIGHT)])
    assert ended.code == 0
    assert "1 samples of 1 of 2 problems: AC 1" in ended.out
    assert "pass@1  50.0%" in ended.out
    assert "1 of 2 problems have no sample and count as not solved: twice; for a part" in ended.err
    ended, _ = grade([sample(RIGHT)], "--json")
    assert (ended.json["problems"], ended.json["pass@1"], ended.json["unanswered"]) == (2, 0.5, ["twice"])
    ended, _ = grade([sample(RIGHT)], "--json", "--filter", "double", "--fresh")
    assert (ended.json["problems"], ended.json["pass@1"], ended.json["unanswered"]) == (1, 1.0, [])


def test_a_null_counts_as_a_sample_without_a_program(grade):
    """It is told with path, line and key, and loses no other sample."""
    ended, rows = grade([sample(None), sample(RIGHT), {"question_id": "twice", "code_list": [None]}])
    assert ended.code == 0
    assert "s.jsonl:1: key 'solution' is null: a sample without a program (2 such)" in ended.err
    assert [(row["verdict"], row["passed"], row["error"]) for row in rows] == [
        ("CE", False, "the sample holds no program"),
        ("AC", True, None),
        ("CE", False, "the sample holds no program"),
    ]


def test_samples_in_markdown_are_told_and_extracted(grade):
    """As they stand they do not compile; `--extract` takes the program out as eval does."""
    fenced = f"Here it is:\n```python\n{RIGHT}\n```\n"
    rows = [
        sample(fenced),
        sample(RIGHT),
        sample("I cannot."),
        sample("def twice(a):\n    return a + a", "twice"),
    ]
    ended, found = grade(rows)
    assert "1 samples are Markdown, no programs: --extract takes the programs out" in ended.err
    assert [row["verdict"] for row in found] == ["CE", "AC", "CE", "AC"]
    ended, found = grade(rows, "--extract", "--fresh")
    assert "Markdown" not in ended.err
    assert "double: --extract finds no program in a sample" in ended.err
    assert [row["verdict"] for row in found] == ["AC", "AC", "CE", "AC"]


def test_select_extracts_too(sstar, folder, write_set, isolated):
    """The program that is chosen among is the one in the answer."""
    write_set()
    (folder / "s.jsonl").write_text(json.dumps(sample(f"```python\n{RIGHT}\n```")))
    words = ("select", "jsonl:problems.jsonl", "s.jsonl", "--no-model", *isolated, "--out", "run")
    ended = sstar(*words)
    assert "1 samples are Markdown" in ended.err
    ended = sstar(*words, "--extract", "--fresh")
    assert (ended.code, "Markdown" in ended.err) == (0, False)


def test_the_first_failure_is_kept_and_explained(grade):
    """Input, expected and got: in the file as tests are written, in the terminal to be read."""
    wrong = "def twice(a):\n    return (*a, 3)"
    ended, rows = grade(
        [sample(SQUARE), sample(RIGHT), sample("1/0"), sample(wrong, "twice")], "--explain", "double"
    )
    assert [(row["passed"], row["passed_tests"], row["total_tests"]) for row in rows] == [
        (False, 1, 2),
        (True, 2, 2),
        (False, 0, 2),
        (False, 0, 2),
    ]
    assert [row["first_failure"] for row in rows] == [
        {"input": "5\n", "expected": "10", "got": "25\n"},
        None,
        {"input": "2\n", "expected": "4", "got": None},
        {"input": "[1]", "expected": "[1, 1]", "got": '{"$tuple": [1, 3]}'},
    ]
    assert "double, sample 0: WA, 1 of 2 tests passed\n  error     test 2: WA\n  input     5\n" in ended.out
    assert "  expected  10\n  got       25\n" in ended.out
    assert "double, sample 1: AC, 2 of 2 tests passed\n" in ended.out
    assert "  error     test 1: ZeroDivisionError: division by zero (line 1)\n" in ended.out
    assert "twice, sample" not in ended.out
    ended, _ = grade([sample(SQUARE), sample(wrong, "twice")], "--explain", "twice", "--fresh")
    assert "  input     twice([1])\n  expected  [1, 1]\n  got       (1, 3)\n" in ended.out


def test_a_long_output_is_capped(grade):
    """The file does not grow with what programs write."""
    _, (row,) = grade([sample("print('x' * 5000)")])
    assert row["first_failure"]["got"] == "x" * 1000 + " [... 4001 more characters]"


@pytest.mark.parametrize(
    "words", [("--explain", "twice"), ("--explain", "duble"), ("--explain", "double", "--json")]
)
def test_explain_needs_a_problem_with_samples_and_no_json(grade, words):
    """One line, before anything is run."""
    ended, rows = grade([sample(RIGHT)], *words)
    assert (ended.code, rows, "--explain" in ended.err) == (2, [], True)


def judged_by(program):
    return {**DOUBLE, "checker": {"program": program}}


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("assert False, 'too far'", "test 1: WA: the checker: AssertionError: too far"),
        ("import sys; sys.exit('no sum')", "test 1: WA: the checker: no sum"),
        ("import sys; print('of 3'); sys.exit(1)", "test 1: WA: the checker: of 3"),
        ("raise SystemExit(2)", "test 1: WA: the checker: exit status 2"),
    ],
)
def test_a_checker_that_rejects_says_why(grade, program, error):
    """An exception rejects too; its text is kept."""
    ended, (row,) = grade([sample(RIGHT)], problems=[judged_by(program)])
    assert (ended.code, row["verdict"], row["error"]) == (0, "WA", error)


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("def", "CE: SyntaxError: invalid syntax"),
        ("import os; os.kill(os.getpid(), 6)", "RE: SIGABRT"),
        ("b = []\nwhile 1: b.append(bytes(10**8))", "MLE: MemoryError: over 1024 MB"),
    ],
)
def test_a_checker_that_fails_is_named_and_not_the_sandbox(grade, program, how):
    """Nothing is known of the sample, and grading again would not help."""
    ended, (row,) = grade([sample(RIGHT)], problems=[judged_by(program)])
    assert (ended.code, row["verdict"]) == (1, "IE")
    assert row["error"] == f"test 1: IE: the checker program of the problem is at fault: {how}"
    assert "the checker program of double is at fault" in ended.err
    assert "grade again" not in ended.out + ended.err


def test_select_and_eval_name_a_checker_that_fails(sstar, folder, write_set, isolated, serve):
    """No candidate is blamed, and no one is told to try again."""
    write_set({**judged_by("def"), "public_tests": []})
    (folder / "s.jsonl").write_text(json.dumps(sample(RIGHT)))
    words = ("jsonl:problems.jsonl", *isolated)
    ended = sstar("select", words[0], "s.jsonl", "--no-model", "--method", "oracle", *isolated)
    assert (ended.code, "double: the checker program of the problem is at fault: CE" in ended.err) == (
        3,
        True,
    )
    endpoint = ("-m", "tiny", "--base-url", serve(f"```python\n{RIGHT}\n```").base_url)
    ended = sstar("eval", *words, *endpoint, "--n", "1", "--rounds", "0", "--out", "e")
    assert ended.code == 3
    assert "is at fault: CE: SyntaxError: invalid syntax; mend it" in ended.out
    assert "run the same command again" not in ended.err + ended.out


def test_a_test_that_expects_nothing_decides_nothing(grade):
    """A problem that has no other is in no rate."""
    problem = {**DOUBLE, "public_tests": [{"input": "1\n"}], "hidden_tests": []}
    ended, (row,) = grade([sample("print('wrong')")], problems=[problem])
    assert (row["passed"], row["total_tests"]) == (False, 0)
    assert "1 of 1 problems have no tests" in ended.err
    assert "pass@1  -" in ended.out or "of 0" in ended.out


def test_a_function_of_another_name_is_missing(grade):
    """The starter code does not stand in for it."""
    stub = {**TWICE, "starter_code": 'def twice(a):\n    """Twice."""\n'}
    codes = [
        "def double(a): return a + a",
        "class Solution:\n    def twice(self, a): return a + a",
        "    return a + a",
    ]
    _, rows = grade([sample(code, "twice") for code in codes], problems=[stub])
    assert [row["verdict"] for row in rows] == ["CE", "CE", "AC"]
    assert rows[0]["error"] == "test 1: EntryPointMissing: it does not define twice"
