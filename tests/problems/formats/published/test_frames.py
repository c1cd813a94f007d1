"""HumanEval-X and MultiPL-E in C++: functions with assertions, in upstream's form."""

from __future__ import annotations

import json
import re

import pytest

from sstar_code.problems import Kind, ProblemFileError
from sstar_code.problems.formats.frames import fill_frame, make_frame
from sstar_code.problems.formats.jsonl import read_problem, to_json
from sstar_code.problems.formats.rows import Row
from sstar_code.problems.sets.readers import find_reader

HUMANEVAL_X = {
    "task_id": "CPP/7",
    "prompt": "/*\nTwice n.\n>>> twice(1)\n2\n*/\n#include<stdio.h>\n#include<vector>\nusing namespace std;\n"
    "int twice(int n){\n",
    "canonical_solution": "    return 2*n;\n}\n",
    "test": "#undef NDEBUG\n#include<assert.h>\nint main(){\n    assert (twice(2) == 4);\n"
    "    assert (twice(0) == 0);\n}\n",
    "declaration": "#include<stdio.h>\n#include<vector>\nusing namespace std;\n#include<algorithm>\n"
    "int twice(int n){\n",
    "example_test": "#undef NDEBUG\n#include<assert.h>\nint main(){\n    assert (twice(1) == 2);\n}\n",
}
MULTIPL_E = {
    "name": "HumanEval_7_twice",
    "language": "cpp",
    "prompt": "#include<assert.h>\n#include<bits/stdc++.h>\n// Twice n.\n// >>> twice((1))\n// (2)\n"
    "long twice(long n) {\n",
    "doctests": "transform",
    "original": "HumanEval_7_twice.py",
    "prompt_terminology": "reworded",
    "tests": "}\nint main() {\n    auto candidate = twice;\n    assert(candidate((2)) == (4));\n"
    "    assert(candidate((0)) == (0));\n}\n",
    "stop_tokens": ["\n}"],
}
SETS = {"humaneval-x": HUMANEVAL_X, "multipl-e": MULTIPL_E}
WHOLE = "long twice(long n) {\n    return n + n;  // { is no brace here\n}\n"


def read(name, **change):
    return find_reader(name)(Row("a.jsonl", 4, SETS[name] | change))


@pytest.mark.parametrize("name", SETS)
def test_what_is_read(name):
    """The prompt is the statement; one hidden test, whose output nobody can guess; no test is shown."""
    problem = read(name)
    assert (problem.kind, problem.public_tests, len(problem.hidden_tests)) == (Kind.STDIN, (), 1)
    assert problem.statement == SETS[name]["prompt"]
    assert problem.frame["name"] == "twice"
    assert problem.hidden_tests[0].output.strip() not in problem.statement
    assert read_problem(Row("b.jsonl", 1, json.loads(json.dumps(to_json(problem))))) == problem


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    "code",
    [
        "    return 2 * n;\n",
        "    return 2 * n;\n}\n",
        '    if (n > 0) {\n        return 2 * n;  // "}"\n    }\n    return n * 2;\n}',
        WHOLE,
        f"#include <vector>\n{WHOLE}\nint main() {{ return twice(3); }}\n",
    ],
)
def test_a_body_or_a_function_is_completed(name, code):
    """Braces are closed once, and a whole function is not put behind the prompt."""
    text = fill_frame(read(name).frame, code)
    plain = re.sub(r"//.*", "", text)
    assert plain.count("{") == plain.count("}")
    assert text.count("twice(long n)") + text.count("twice(int n)") == 1
    assert text.count("int main()") == 1


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("humaneval-x", {"test": "assert(twice(2) == 4);"}, "the tests are not one `int main() {...}`"),
        ("multipl-e", {"prompt": "// Twice n."}, "the prompt does not end with the head of a function"),
        ("humaneval-x", {"task_id": "Java/7"}, "is not of HumanEval-X's Python or C++ file"),
        ("multipl-e", {"language": "rs"}, "programs in 'rs' are not run"),
        ("multipl-e", {"checker": "exact"}, "checker"),
    ],
)
def test_a_row_that_cannot_be_judged_is_one_line(name, change, told):
    """With path, line and keys."""
    with pytest.raises(ProblemFileError) as caught:
        read(name, **change)
    assert str(caught.value).startswith("a.jsonl:4: ")
    assert told in str(caught.value)


def test_a_frame_of_a_row_has_its_texts():
    """Nothing is missing, and it is for programs."""
    row = {"id": "a", "statement": "s", "kind": "stdin", "frame": {"prompt": "x"}}
    with pytest.raises(
        ProblemFileError, match="key 'frame' must have the texts imports, prompt, name, tests"
    ):
        read_problem(Row("b.jsonl", 1, row))
    assert (
        make_frame("", "int f(int n) {", "int main() {}")[1]
        != make_frame("", "int f(int n) {", "int main() { }")[1]
    )
