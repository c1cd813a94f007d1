"""Statements of the usual sites become problems with their own examples as public tests."""

# ruff: noqa: E501 - statements stand here as they are pasted
# ruff: noqa: RUF001 - marks of other scripts are what such pages print
from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstar_code.problems import Kind, Test
from sstar_code.problems.checkers import validate_checker
from sstar_code.problems.statements.parse import parse_statement
from sstar_code.problems.values import decode, decode_lines
from tests.support import mark_slow_but
from tests.support.growth import assert_linear


def parse(text):
    return parse_statement(text, id="p")


def io_tests(text):
    return [(test.input, test.output) for test in parse(text).public_tests]


def calls(text):
    return [(decode_lines(test.input), decode(test.output)) for test in parse(text).public_tests]


FORMAT = "Add.\n\nInput\n\nTwo integers.\n\nOutput\n\nTheir sum.\n\n"

STDIN_FORMS = {
    "codeforces": FORMAT + "Examples\n\nInput\n1 2\nOutput\n3\nInput\n4 5\nOutput\n9\nNote\nEasy.\n",
    "codeforces copied": FORMAT + "ExamplesInputCopy\n1 2\nOutputCopy\n3\ninputCopy\n4 5\noutputCopy\n9\n",
    "codeforces glued": FORMAT.rstrip()
    + "ExamplesInput\n1 2\nOutput\n3\nInput\n4 5\nOutput\n9\n\nNote\n\nEasy.",
    "glued sample": FORMAT.rstrip() + "Sample Input 1:\n1 2\n\nSample Output 1:\n\n3\nSample Input 2:\n4 5\n"
    "\n\nSample Output 2:\n\n9\n\nNote\n\nEasy.",
    "atcoder": FORMAT + "Sample Input 1\n\n1 2\n\nSample Output 1\n\n3\r\n\nOne and two make three.\n\n"
    "Sample Input 2\n\n4 5\n\nSample Output 2\n\n9\n\n- Four and five.\n",
    "atcoder japanese": "足し算\n\n入力\n\n入力は標準入力から与えられる。\n\n入力例 1\n\n1 2\n\n出力例 1\n\n3\n\n"
    "入力例 2\n\n4 5\n\n出力例 2\n\n9\n",
    "apps": "Add.\n\n-----Input-----\nTwo.\n\n-----Output-----\nSum.\n\n-----Examples-----\nInput\n1 2\n\nOutput\n3\n\n"
    "Input\n4 5\n\nOutput\n9\n\n-----Note-----\nEasy.",
    "markdown": "# Add\n\n## Input\ntwo\n\n## Output\nsum\n\n### Sample input 1\n```\n1 2\n```\n### Sample output 1\n"
    "```\n3\n```\nText below.\n\n### Sample input 2\n```text\n4 5\n```\n\n### Sample output 2\n```\n9\n```\n",
    "bold": "Add.\n\n**Example 1**\n\n**Input:**\n```\n1 2\n```\n**Output:**\n```\n3\n```\n\n**Example 2**\n\n**Input:**\n"
    "```\n4 5\n```\n**Output:**\n```\n9\n```\n",
    "html": "<p>Read standard input.</p><h3>Sample Input 1</h3><pre>1 2\n</pre><h3>Sample Output 1</h3><pre>3\n</pre>"
    "<p>so</p><h3>Sample Input 2</h3><pre>4 5\n</pre><h3>Sample Output 2</h3><pre>9\n</pre>",
}


@pytest.mark.parametrize("form", STDIN_FORMS)
def test_statement_stdin_forms(form):
    """Every usual layout of samples for standard input gives the same two public tests."""
    problem = parse(STDIN_FORMS[form])
    assert (problem.kind, problem.entry_point) == (Kind.STDIN, None)
    assert io_tests(STDIN_FORMS[form]) == [("1 2\n", "3\n"), ("4 5\n", "9\n")]


def test_statement_format_section_is_no_sample():
    """A bare Input heading above the samples describes the format and gives no test."""
    problem = parse(FORMAT)
    assert problem.kind is Kind.STDIN
    assert problem.public_tests == ()


def test_statement_empty_output():
    """An empty sample output stays empty although an explanation follows."""
    text = FORMAT + "Sample Input 1\n\n()\n\nSample Output 1\n\n\n\nThe string may be empty.\n"
    assert io_tests(text) == [("()\n", "\n")]


def test_statement_keeps_blank_lines_in_fences():
    """What a fence holds is taken as it is, blank lines too."""
    text = "### Sample input\n```\na\n\nb\n```\n### Sample output\n```\n1\n\n2\n```\n"
    assert io_tests(text) == [("a\n\nb\n", "1\n\n2\n")]


def test_statement_drops_paragraph_spacing():
    """A blank line after every line is the page's spacing and not input."""
    text = FORMAT + "Sample Input 1:\n2\n\n5\n\n7\n\n\nSample Output 1:\n\n12\n"
    assert io_tests(text) == [("2\n5\n7\n", "12\n")]


LEETCODE = """Given nums and target, say where.

Example 1:

Input: nums = [2,7], target = 9, strict = true
Output: [0,1]
Explanation: 2 + 7 = 9.

Example 2:

Input: nums = [3, -3], target = 6, strict = false
Output: null

Constraints:

2 <= nums.length <= 10
"""
WANTED = [([[2, 7], 9, True], [0, 1]), ([[3, -3], 6, False], None)]
LEETCODE_FORMS = {
    "plain": LEETCODE,
    "bold": LEETCODE.replace("Input:", "**Input:**").replace("Output:", "**Output:**"),
    "html": LEETCODE.replace("Input:", "<pre><strong>Input:</strong>")
    .replace("Output:", "<strong>Output:</strong>")
    .replace("\n\nExample 2", "</pre>\n\nExample 2"),
    "backticks": LEETCODE.replace(
        "nums = [2,7], target = 9, strict = true", "`nums = [2,7], target = 9, strict = true`"
    ),
}


@pytest.mark.parametrize("form", LEETCODE_FORMS)
def test_statement_leetcode_forms(form):
    """LeetCode's examples are read with and without markup, and the names become the signature."""
    problem = parse(LEETCODE_FORMS[form])
    assert (problem.kind, problem.entry_point) == (Kind.FUNCTION, "solve")
    assert problem.starter_code == "def solve(nums, target, strict):\n"
    assert calls(LEETCODE_FORMS[form]) == WANTED


def test_statement_leetcode_stub():
    """The stub names the entry point, and arguments follow its parameters instead of the example's order."""
    stub = "class Solution:\n    def place(self, target: int, nums: list[int], strict: bool) -> list[int]:\n        "
    problem = parse(f"{LEETCODE}\n```python\n{stub}\n```\n")
    assert problem.entry_point == "Solution.place"
    assert problem.starter_code.startswith("class Solution:")
    assert next(decode_lines(test.input) for test in problem.public_tests) == [9, [2, 7], True]


CALL_FORMS = {
    "doctest": 'def f(a, b):\n    """Add.\n\n    >>> f(1, 2)\n    3\n    >>> f(b=5, a=4)\n    9\n    """\n',
    "fenced doctest": "Write `f(a, b)`.\n\n```python\n>>> f(1, 2)\n3\n>>> f(4, 5)\n9\n```\n",
    "arrows": "Write a function f(a, b).\n\nf(1, 2) -> 3\nf(4, 5) => 9\n",
    "equalities": "Write a function called `f`.\n\n- `f(1, 2) == 3`\n- `f(4, 5)` returns `9`\n",
    "asserts": "Write a function to add.\n\nassert f(1, 2) == 3\nassert f(4, 5) == 9, 'sum'\n",
    "signature in a block": "Add.\n\n```python\ndef f(a: int, b: int) -> int:\n    ...\n```\n\nf(1, 2) = 3, f(4, 5) = 9\n",
    "signature in text": "Add two numbers.\n\ndef f(a, b):\n\nf(1, 2) ➞ 3\nf(4, 5) should return 9.\n",
    "equation": "Write a function f(a, b)\n\nf(1, 2) = 1 + 2 = 3\nf(4, 5) = 4 + 5 = 9\n",
    "for": "Write a function f(a, b).\n\nFor a = 1, b = 2 the output should be 3.\nFor a = 4 and b = 5, it returns 9\n",
}


@pytest.mark.parametrize("form", CALL_FORMS)
def test_statement_call_forms(form):
    """Examples written as calls become tests, and the function is known by name."""
    problem = parse(CALL_FORMS[form])
    assert (problem.kind, problem.entry_point) == (Kind.FUNCTION, "f")
    expected = [([1, 2], 3), ([4, 5], 9)]
    assert calls(CALL_FORMS[form]) == expected


def test_statement_python_values():
    """Tuples, sets, None and text with brackets and quotes survive."""
    text = "assert f((1, 'a]'), {2}) == {'x': None}\nassert f('(', [\"it's\"]) == (True, 1.5)\n"
    assert calls(text) == [([(1, "a]"), {2}], {"x": None}), (["(", ["it's"]], (True, 1.5))]


def test_statement_asserts_beyond_equality():
    """Truth and negation are tests; a wrapped call is kept as a program with the modules it needs."""
    text = "assert f(1)\nassert not f(2)\nassert sorted(f(3)) == [1]\nassert math.isclose(f(4), 2)\n"
    tests = parse(text).public_tests
    assert tests[:2] == (Test("1", "true"), Test("2", "false"))
    assert tests[2:] == (
        Test(program="assert sorted(f(3)) == [1]"),
        Test(program="import math\nassert math.isclose(f(4), 2)"),
    )


def test_statement_whole_prompt_is_the_starter():
    """A prompt that is Python throughout stays the starter code, so that its imports and helpers are kept."""
    text = "from typing import List\n\ndef helper(x):\n    return x\n\ndef f(xs: List[int]) -> int:\n    '''>>> f([1])\n    1\n    '''\n"
    problem = parse(text)
    assert problem.entry_point == "f"
    assert problem.starter_code == text


def test_statement_skips_what_it_cannot_read():
    """Examples with unknown names, dots or prose in them give no test and no error."""
    text = "def f(a):\n\nf(x) -> 3\nf([1, ...]) -> 2\nf(1) -> the rest\nf(2) -> 3 apples or so(\n"
    assert [test.input for test in parse(text).public_tests] in ([], ["2"])


def test_statement_math_function_is_no_entry_point():
    """A function named in the prose of a program that reads standard input does not change its kind."""
    problem = parse("Let the function f(x, y) be x + y.\n\n" + STDIN_FORMS["atcoder"])
    assert problem.kind is Kind.STDIN


def test_statement_nothing_found():
    """Text without any sign is a program on standard input without tests."""
    problem = parse("Print the first ten primes.")
    assert (problem.kind, problem.public_tests, problem.entry_point) == (Kind.STDIN, (), None)
    assert problem.statement == "Print the first ten primes."


PIECES = [
    *(
        "Sample Input 1\n",
        "Sample Output 1\n",
        "Input: ",
        "Output: ",
        "Examples\n",
        "a = ",
        "```\n",
        ">>> ",
        "f(",
    ),
    *(
        ")",
        "[",
        "]",
        "{",
        '"',
        "'",
        "\\",
        "\n",
        "\n\n",
        ",",
        " -> ",
        " == ",
        "assert ",
        "def f(a):\n",
        "For a = 1 ",
    ),
    *(
        "class Solution:\n",
        "    def g(self):\n",
        "1",
        "1e999",
        "true",
        "<pre>",
        "</pre>",
        "-",
        "lambda: ",
        "x",
        "\x00",
    ),
    *(
        "Sample Input  Sample Output\n",
        "| Input | Output |\n|--|--|\n| 1 | 2 |\n",
        "$ echo 1 | x\n",
        ">>> f(1)\n1\n",
    ),
    *(
        "入力例 1\n",
        "Входные данные\n",
        "示例：\n",
        "输入：",
        "STDIN  Function\n",
        "time limit: 1 s ",
        "any order",
        "\\exmp{1}{2}",
    ),
    *(
        "should give ",
        "but should return ",
        "1e-6 error. ",
        "    1 2\n",
        "\t",
        "class A:\n",
        "print any of them ",
    ),
    *("the output should be ", "function `f`", "...", "\ud800", "9" * 5000, "round(", '"""'),
]


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
def test_statement_never_raises(text):
    """Whatever the text is, parsing ends in a problem whose tests can be decoded."""
    problem = parse(text)
    for test in problem.public_tests:
        assert test.program or problem.kind is Kind.STDIN or decode_lines(test.input) is not None
    validate_checker(problem.checker, problem.kind)


HOSTILE = (
    "f(|f([|>>> f(1)\n|Input: |Input: a = [\nOutput: |a = |<pre |<p |For a = [1, |[[[|def f(|- | |\n|```|"
    'assert f(1) == |Example 1:\n\n|function f(a, |"|x=1,|ExamplesInput'
    "|Sample Input\n|Input:\n|入力例 1\n1\n|Input\tOutput\n1\t2\n|$ ./run <<EOF\n|$ echo 1 ¦ x\n1\n|time limit |any order "
    "|`a` gives |>>> x = f(1)\n>>> x\n1\n|f(1) returns 1 but |10^-6 error |\\exmp{|print any |    a\nprints:\n    b\n|```a\n|'a b' |\t|> "
    "|class A:\n    def f(self):\n|Sample Output\n3\nSo it is.\n|3 gives |f(1) = 2 |1\t2\t3\n|Input Output\n---|Input  Output\n1  2\n"
)
PIECES_REPEATED = [piece.replace("¦", "|") for piece in HOSTILE.split("|")]


@pytest.mark.parametrize("piece", mark_slow_but(PIECES_REPEATED[::4], PIECES_REPEATED))
def test_statement_hostile_text_takes_linear_time(piece):
    """A hundred thousand characters of any repeated piece are read in linear time, behind a signature too."""

    def read(size):
        parse(piece * (size // len(piece)))
        parse("def f(a):\n\nInput: a = " + piece * (size // len(piece)))

    assert_linear(read, 12_500)


@pytest.mark.data
def test_statement_agrees_with_recorded_tests(shared_data):
    """At least 90% of the recorded statements with upstream's own public tests are read exactly, on every site."""
    source = shared_data / "livecodebench"
    upstream = {
        row["question_id"]
        for row in map(json.loads, (source / "provenance.jsonl").read_text().splitlines())
        if row["public_tests_source"].startswith("upstream")
    }
    total: dict[str, int] = {}
    equal: dict[str, int] = {}
    with gzip.open(source / "problems.jsonl.gz", "rt") as file:
        rows = [row for row in map(json.loads, file) if row["question_id"] in upstream]
    for row in rows:
        site = row["platform"]
        wanted = [(t["input"].split(), t["output"].split()) for t in json.loads(row["public_test_cases"])]
        found = [(a.split(), b.split()) for a, b in io_tests(row["question_content"])]
        total[site] = total.get(site, 0) + 1
        equal[site] = equal.get(site, 0) + (found == wanted)
    assert total
    assert all(equal[site] / total[site] >= 0.9 for site in total), (equal, total)


@pytest.mark.parametrize(
    ("text", "test"),
    [
        (
            (
                "Sum.\n\n**Sample Input 0**\n\n    STDIN     Function\n    -----     --------\n    2         n = 2\n"
                "    1 2       a = [1, 2]\n              b = 3\n\n**Sample Output 0**\n\n    3\n"
            ),
            Test("2\n1 2\n", "3\n"),
        ),
        ("Sum.\n\nSample Input\n\n    1 2\n\nSample Output\n\n    3\n      4\n", Test("1 2\n", "3\n  4\n")),
        ("Sum.\n\nSample Input\n```\n1 2\n```\nSample Output\n```\n    3\n```\n", Test("1 2\n", "    3\n")),
        ("Sum.\n\nSample Input\n1 2\n\nSample Output\n  3\n", Test("1 2\n", "  3\n")),
    ],
)
def test_the_margin_of_a_code_block_is_no_output(text, test):
    """Four blanks before every line mark code in Markdown; less, or blanks inside a fence, are the sample's."""
    problem = parse(text)
    assert [(item.input.rstrip(), item.output) for item in problem.public_tests] == [
        (test.input.rstrip(), test.output)
    ]


def test_an_array_of_geeksforgeeks_is_an_array():
    """`arr[] = {1, 2}` with a stub whose body is a comment is a call of the method with a list."""
    problem = parse(
        "Sum it up.\n\nExamples:\n\nInput: arr[] = {1, 2, 3}, k = 2, m[][] = {{1}, {2}}\nOutput: 6\n"
        "Explanation: all.\n\nclass Solution:\n    def total(self, arr, k, m):\n        # code here\n"
    )
    assert (problem.kind, problem.entry_point) == (Kind.FUNCTION, "Solution.total")
    assert problem.public_tests == (Test("[1, 2, 3]\n2\n[[1], [2]]", "6"),)


def test_a_formula_for_what_counts_as_right_is_a_tolerance():
    """The word error need not be said."""
    problem = parse(
        "Print n/3. The answer is considered correct if $\\frac{|a-b|}{\\max(1,b)} \\le 10^{-4}$.\n\n"
        "Sample Input\n1\nSample Output\n0.33333\n"
    )
    assert problem.checker == "floats:0.0001"
