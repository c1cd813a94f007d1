"""Rows of further published sets in upstream's exact form; what cannot be judged is refused."""

from __future__ import annotations

import json

import pytest

from sstar_code.problems import Kind, ProblemFileError, Test, load_set
from sstar_code.problems.formats.rows import Row
from sstar_code.problems.sets.faults import find_faults
from sstar_code.problems.sets.readers import find_reader

TACO = {
    "question": "Print twice the number.",
    "solutions": '["print(int(input()) * 2)"]',
    "starter_code": None,
    "input_output": '{"inputs": ["2\\n"], "outputs": ["4\\n"]}',
    "difficulty": "EASY",
    "raw_tags": "['math']",
    "name": None,
    "source": "codeforces",
    "tags": "['Mathematics']",
    "skill_types": "[]",
    "url": "u",
    "Expected Auxiliary Space": None,
    "time_limit": "2.0 seconds",
    "date": None,
    "picture_num": None,
    "memory_limit": "512.0 megabytes",
    "Expected Time Complexity": None,
}
TACO_FUNCTION = {
    "requirement": "def twice(n):\n    Twice n.",
    "inputs": [[2], [3]],
    "outputs": [[4], [6]],
    "starter_code": "def twice(n: int) -> int:",
    "canonical_solution": "def twice(n):\n    return 2 * n",
    "entry_point": "twice",
    "task_id": "TACO_lite/1",
    "input_output_examples": "[[[1]], [[2]]]",
}
CHECKER = (
    "import sys\nwanted = open(sys.argv[2]).read()\ngiven = open(sys.argv[3]).read()\n"
    "print(1 if sorted(wanted.split()) == sorted(given.split()) else 0)\n"
)
CODEFORCES = {
    "id": "852/A",
    "aliases": None,
    "contest_id": "852",
    "contest_name": "Round",
    "contest_type": "CF",
    "contest_start": 1504000000,
    "contest_start_year": 2017,
    "index": "A",
    "time_limit": 2.0,
    "memory_limit": 256.0,
    "title": "Parts",
    "description": "Print the words.",
    "input_format": "Words.",
    "output_format": "The words in any order.",
    "interaction_format": None,
    "note": None,
    "examples": [{"input": "a b\n", "output": "b a\n"}],
    "editorial": None,
    "rating": 900,
    "tags": ["strings"],
    "testset_size": 1,
    "official_tests": [{"input": "x y z\n", "output": "z y x\n"}],
    "official_tests_complete": True,
    "input_mode": "stdio",
    "generated_checker": CHECKER,
    "executable": True,
    "generated_tests": 0,
}
PLUS = {
    "source": "Codeforces",
    "id": "1_A",
    "title": "A",
    "description": "Twice.",
    "time_limit": 2000,
    "memory_limit": 256,
    "validator": None,
    "generator": '#include "testlib.h"',
    "generator_cmd": "./gen 1",
    "checker": None,
    "correct_submissions": [{"code": "print(int(input()) * 2)", "language": "py3"}],
    "incorrect_submissions": [],
    "true_positive_rate": 1.0,
    "true_negative_rate": 1.0,
    "test_cases": [{"input": "2\n", "output": "4\n"}],
}
USACO = {
    "name": "Good Bitstrings",
    "problem_id": "1_bronze_twice",
    "problem_level": "bronze",
    "cp_id": "1",
    "num_tests": 2,
    "runtime_limit": 4,
    "memory_limit": 256,
    "description": "Twice.",
    "samples": [{"input": "1", "output": "2", "explanation": ""}],
    "solution_python3": "print(int(input()) * 2)",
}
XCODEEVAL = {
    "description": "Twice $$$n$$$.",
    "input_from": "standard input",
    "output_to": "standard output",
    "time_limit": "0.5 seconds",
    "memory_limit": "64 megabytes",
    "input_spec": "$$$n$$$",
    "output_spec": "One number.",
    "notes": None,
    "sample_inputs": ["1"],
    "sample_outputs": ["2"],
    "tags": ["math"],
    "src_uid": "abc",
    "difficulty": 800,
    "hidden_unit_tests": '[{"input": "3\\r\\n", "output": ["6"]}]',
}
LEETCODE = {
    "task_id": "twice",
    "question_id": 1,
    "difficulty": "Easy",
    "tags": ["Math"],
    "problem_description": "Twice n.\n\nExample 1:\n\nInput: n = 1, k = 2\nOutput: 2\n",
    "starter_code": "class Solution:\n    def twice(self, n: int, k: int) -> int:\n        ",
    "estimated_date": "2024-08-04",
    "prompt": "from typing import *\n",
    "completion": "class Solution:\n    def twice(self, n, k):\n        return n * k\n",
    "entry_point": "Solution().twice",
    "test": "def check(candidate):\n    assert candidate(n = 2,k = 2) == 4\n"
    "    assert candidate(k = 2, n = 3) == 6\n",
    "input_output": [],
}
HUMANEVAL_X = {
    "task_id": "Python/7",
    "prompt": 'def twice(n: int) -> int:\n    """ Twice n.\n    >>> twice(1)\n    2\n    """\n',
    "canonical_solution": "    return 2 * n\n",
    "test": "\n\nMETADATA = {}\n\n\ndef check(twice):\n    assert twice(2) == 4\n\ncheck(twice)",
    "declaration": "def twice(n: int) -> int:\n",
    "example_test": "def check(twice):\n    assert twice(1) == 2\ncheck(twice)\n",
}
MULTIPL_E = {
    "name": "HumanEval_7_twice",
    "language": "py",
    "prompt": 'def twice(n: int) -> int:\n    """ Twice n.\n    >>> twice(1)\n    2\n    """\n',
    "doctests": "transform",
    "original": "HumanEval_7_twice.py",
    "prompt_terminology": "reworded",
    "tests": "def check(candidate):\n    assert candidate(2) == 4\n\n"
    "def test_check():\n    check(twice)\n\ntest_check()\n",
    "stop_tokens": ["\ndef"],
}
BIGCODEBENCH = {
    "task_id": "BigCodeBench/7",
    "complete_prompt": 'import json\ndef task_func(n):\n    """Twice n."""\n',
    "instruct_prompt": "Twice n. You should write self-contained code starting with: ...",
    "canonical_solution": "    return json.loads(str(2 * n))\n",
    "code_prompt": "import json\ndef task_func(n):\n",
    "test": "import unittest\nclass TestCases(unittest.TestCase):\n    def test_two(self):\n"
    "        self.assertEqual(task_func(2), 4)\n",
    "entry_point": "task_func",
    "doc_struct": "{}",
    "libs": "['json']",
}
ROWS = {
    "taco": TACO,
    "codeforces": CODEFORCES,
    "codecontests+": PLUS,
    "usaco": USACO | {"tests": [{"input": "5\n", "output": "10\n"}]},
    "xcodeeval": XCODEEVAL,
    "leetcode": LEETCODE,
    "humaneval-x": HUMANEVAL_X,
    "multipl-e": MULTIPL_E,
    "bigcodebench": BIGCODEBENCH,
}
RIGHT = {
    "codeforces": "print(input())",
    "xcodeeval": "print(int(input()) * 2)",
    "multipl-e": "def twice(n):\n    return n + n\n",
}
WRONG = {
    "codeforces": "print(input() + ' a')",
    "leetcode": "class Solution:\n    def twice(self, n, k):\n        return k * k\n",
    "bigcodebench": "def task_func(n):\n    return 2\n",
    "humaneval-x": "def twice(n):\n    return 2\n",
    "multipl-e": "def twice(n):\n    return 2\n",
}


def read(name, row):
    return find_reader(name)(Row("a.jsonl", 4, row))


def write(folder, name, *rows):
    path = folder / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"{name}:{path}"


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_every_form_loads_without_a_fault(tmp_path, name):
    """From a file, with tests that are hidden."""
    (problem,) = load_set(write(tmp_path, name, ROWS[name])).problems
    assert list(find_faults([problem])) == []
    assert problem.hidden_tests


def test_every_form_is_graded(run_program_tests):
    """The set's own solution, or a right one, passes its tests; a wrong one does not."""
    for name, row in ROWS.items():
        problem = read(name, row)
        known = problem.metadata.get("reference") or (problem.metadata.get("references") or [None])[0]
        right = RIGHT.get(name, known)
        assert run_program_tests(problem, right) == "AC", name
        wrong = WRONG.get(name, "print(0)")
        assert run_program_tests(problem, wrong) in ("WA", "RE"), name


def test_what_is_read():
    """Limits in upstream's units, public and hidden tests, the call of a method."""
    taco = read("taco", TACO)
    assert (taco.id, taco.time_limit_s, taco.memory_limit_mb) == ("3", 2.0, 512)
    assert taco.metadata["tags"] == ["Mathematics"]
    function = read("taco", TACO_FUNCTION)
    assert (function.public_tests, function.hidden_tests) == (
        (Test("1", "2"),),
        (Test("2", "4"), Test("3", "6")),
    )
    source = '#include "testlib.h"\nint main() {}\n'
    plus = read("codecontests+", PLUS | {"checker": source, "validator": source})
    assert (plus.time_limit_s, plus.memory_limit_mb) == (2.0, 256)
    assert plus.checker == plus.validator == {"program": source, "language": "cpp"}
    assert plus.generator == {"program": '#include "testlib.h"', "language": "cpp", "commands": "./gen 1"}
    assert read("codeforces", CODEFORCES | {"generated_checker": source}).checker == plus.checker
    xcode = read("xcodeeval", XCODEEVAL)
    assert (xcode.time_limit_s, xcode.hidden_tests) == (0.5, (Test("3\n", "6"),))
    leetcode = read("leetcode", LEETCODE)
    assert leetcode.entry_point == "Solution.twice"
    assert leetcode.public_tests == (Test("1\n2", "2"),)
    assert leetcode.hidden_tests == (Test("2\n2", "4"), Test("3\n2", "6"))
    assert read("bigcodebench", BIGCODEBENCH).metadata["libraries"] == ["json"]
    assert read("multipl-e", MULTIPL_E).kind is Kind.FUNCTION


def test_nodes_of_leetcode_are_the_lists_that_they_are_made_of():
    """`tree_node([...])` in, and `is_same_list` around a call."""
    row = LEETCODE | {
        "problem_description": "Flatten.",
        "starter_code": "class Solution:\n"
        "    def flat(self, root: Optional[TreeNode]) -> Optional[ListNode]:\n        ",
        "entry_point": "Solution().flat",
        "test": "def check(candidate):\n"
        "    assert is_same_list(candidate(root = tree_node([1, None, 2])), list_node([1, 2]))\n",
    }
    problem = read("leetcode", row)
    assert problem.hidden_tests == (Test("[1, null, 2]", "[1, 2]"),)
    assert dict(problem.call.kinds) == {"flat": ("tree", "list")}


def test_usaco_reads_upstreams_dictionary_and_test_files(tmp_path):
    """One object of problems, and `tests/ID/1.in` or `I.1` beside it."""
    folder = tmp_path / "tests" / USACO["problem_id"]
    folder.mkdir(parents=True)
    for name, text in {"1.in": "2\n", "1.out": "4\n", "I.2": "3\n", "O.2": "6\n"}.items():
        (folder / name).write_text(text)
    path = tmp_path / "usaco.json"
    path.write_text(json.dumps({USACO["problem_id"]: USACO}))
    (problem,) = load_set(f"usaco:{path}").problems
    assert problem.hidden_tests == (Test("2\n", "4\n"), Test("3\n", "6\n"))
    (folder / "O.2").unlink()
    (folder / "I.2").unlink()
    with pytest.raises(ProblemFileError, match="test 2 of 2 is missing"):
        load_set(f"usaco:{path}")


def test_programs_that_read_and_write_files(run_program_tests):
    """`input_mode` file: input.txt is there, and output.txt is what was printed."""
    problem = read("codeforces", CODEFORCES | {"input_mode": "file"})
    program = "open('output.txt', 'w').write(open('input.txt').read())"
    assert run_program_tests(problem, program) == "AC"


def test_one_of_several_outputs_is_enough(run_program_tests):
    """XCodeEval lists them."""
    tests = [{"input": "3", "output": ["6", "7"]}, {"input": "4", "output": ["8"]}]
    problem = read(
        "xcodeeval",
        XCODEEVAL | {"hidden_unit_tests": json.dumps(tests), "sample_inputs": [], "sample_outputs": []},
    )
    assert run_program_tests(problem, "n = int(input())\nprint(7 if n == 3 else 8)") == "AC"
    assert run_program_tests(problem, "n = int(input())\nprint(5 if n == 3 else 8)") == "WA"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("codeforces", {"interaction_format": "Ask."}, "key 'interaction_format': interactive problems"),
        ("codeforces", {"input_mode": "socket"}, "key 'input_mode' must be stdio or file"),
        ("codeforces", {"official_tests": [{"input": "1"}]}, "official_tests[0]: an object"),
        ("taco", {"time_limit": "soon"}, "key 'time_limit' must be a number or a text like"),
        ("taco", {"input_output": "{"}, "key 'input_output' must be JSON text"),
        ("xcodeeval", {"hidden_unit_tests": [{"input": "1"}]}, "hidden_unit_tests[0]: an object"),
        ("xcodeeval", {"sample_outputs": []}, "key 'sample_outputs': 0 outputs for 1 inputs"),
        ("leetcode", {"test": "x = 1"}, "key 'test' must define the function 'check'"),
        ("leetcode", {"entry_point": "Solution().other"}, "key 'starter_code' does not define"),
        ("humaneval-x", {"task_id": "Java/0"}, "'Java/0' is not of HumanEval-X's Python or C++ file"),
        ("multipl-e", {"language": "rs"}, "key 'language': programs in 'rs' are not run"),
        ("bigcodebench", {"test": "assert True"}, "key 'test' must define the class 'TestCases'"),
        ("usaco", {"samples": [1]}, "samples[0]: an object"),
        ("usaco", {"runtime_limit": 1e9}, "key 'runtime_limit' must be at most"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(name, change, message):
    """Path, line and key, and what to do."""
    with pytest.raises(ProblemFileError) as raised:
        read(name, ROWS[name] | change)
    assert str(raised.value).startswith("a.jsonl:4: ")
    assert message in str(raised.value)
