"""Answers as models write them: whatever is around a right program, what comes out is right."""

from __future__ import annotations

import ast
import contextlib
import html
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstar_code.agent.generation.extract import extract_code
from sstar_code.agent.models.openai.completion import read_answer
from sstar_code.agent.models.request import Answer
from sstar_code.problems import Kind, Problem
from tests.support.growth import assert_linear

FUNCTION = Problem("f", "triple it", Kind.FUNCTION, "triple")
METHOD = Problem(
    "m", "triple it", Kind.FUNCTION, "Solution.triple", "class Solution:\n    def triple(self, x: int):\n"
)
BODY = Problem("b", "triple it", Kind.FUNCTION, "triple", 'def triple(x):\n    """Three times x."""\n')
STDIN = Problem("s", "triple it", Kind.STDIN)

DEF = "def triple(x):\n    return 3 * x\n"
WRONG = "def triple(x):\n    return x\n"
CLASS = "class Solution:\n    def triple(self, x):\n        return 3 * x\n"
MAIN = "x = int(input())\nprint(3 * x)\n"


def fence(code, tag="python"):
    """A block."""
    return f"```{tag}\n{code}```\n"


def run(code, problem):
    """Whether `code` is right: triple(7) is 21, as a function, as a method, or from input to output."""
    source = code if "def triple" in code else problem.starter_code + code
    space = {"__name__": "candidate"}
    if problem.kind is Kind.STDIN:
        space["input"] = lambda: "7"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(source, "candidate", "exec"), space)
    if problem.kind is Kind.STDIN:
        return printed.getvalue() == "21\n"
    return (space["Solution"]().triple if problem is METHOD else space["triple"])(7) == 21


def assert_right(answer, problem):
    """The program in `answer` is right, and what was taken out is taken out unchanged."""
    code = extract_code(answer, problem).code
    assert code is not None
    assert run(code, problem), code
    assert extract_code(code, problem).code == code


@pytest.mark.parametrize(
    "answer",
    [
        fence('TAG = "a</think>b"\n' + DEF),
        fence('def triple(x):\n    """Drops text up to </think> first."""\n    return 3 * x\n'),
        'def triple(x):\n    """Drops\n</think>\n    first."""\n    return 3 * x\n',
        fence(DEF) + "It does not matter where </think> stands.",
        "The `</think>` tag is not needed.\n" + fence(DEF),
        "<think>so</think>" + fence(DEF),
        "so\n</think>" + fence(DEF),
        "<think>It's 3x, see `</think>`</think>'tis easy:\n" + fence(DEF),
        f"<think>a</think><think>{fence(WRONG)}</think>{fence(DEF)}",
        f"◁think▷{fence(WRONG)}◁/think▷{fence(DEF)}",
        f'<reasoning effort="3">\n{fence(WRONG)}</reasoning>\n{fence(DEF)}',
        f"<|channel|>analysis<|message|>{WRONG}<|end|><|start|>assistant<|channel|>final<|message|>{fence(DEF)}",
        f"Sure.\n<think>\n{fence(WRONG)}</think>\n{fence(DEF)}",
        f"{fence(DEF)}<think>\nor {fence(WRONG)}",
        f"<think>\nThat is all of it: {fence(DEF)}",
    ],
)
def test_thinking_is_told_from_the_program(answer):
    """Tags around, before, behind and inside the program: only thinking is dropped."""
    assert_right(answer, FUNCTION)


@pytest.mark.parametrize(
    "later",
    [
        "from solution import triple\nassert triple(2) == 6\n",
        "from my_file import *\nprint(triple(2))\n",
        "import pytest\nfrom triple import triple\n\ndef test_it():\n    assert triple(2) == 6\n",
        "import unittest\nfrom main import triple\n\nclass T(unittest.TestCase): ...\n\nunittest.main()\n",
        "assert triple(2) == 6\n",
        "def triple(x: int) -> int: ...\n",
        "def triple(x):\n    # ... as above ...\n    pass\n\nprint(triple(2))\n",
        'def triple(x):\n    """Three times."""\n    raise NotImplementedError\n',
        "def triple(x):\n    return\n",
        ">>> triple(2)\n6\n",
    ],
)
@pytest.mark.parametrize("tag", ["python", ""])
def test_a_later_block_that_uses_or_shows_the_function_does_not_replace_it(later, tag):
    """Imports, tests, signatures and sessions come behind many programs."""
    assert_right(f"{fence(DEF)}\nThen:\n{fence(later, tag)}", FUNCTION)
    assert_right(f"{fence(CLASS)}\nSkeleton:\n{fence(CLASS.replace('return 3 * x', '...'), tag)}", METHOD)


@pytest.mark.parametrize(
    ("first", "words", "second"),
    [
        (WRONG, "Wait, that is wrong. Corrected:", DEF),
        (WRONG, "Hmm, my version above is wrong:", DEF),
        (WRONG, "That's incorrect!", DEF),
        (WRONG, "I made a mistake. So:", DEF),
        (DEF, "Not like this (wrong!):", WRONG),
        (DEF, "A common mistake would be:", WRONG),
        (DEF, "**Don't do this:**", WRONG),
        (DEF, "Compare:", "# wrong\n" + WRONG),
    ],
)
def test_a_correction_wins_and_a_bad_example_does_not(first, words, second):
    """The last version counts, unless the words before it call it wrong."""
    assert_right(f"{fence(first)}\n{words}\n{fence(second)}", FUNCTION)


def number_lines(code, separator):
    """The code with line numbers, as wide as the last."""
    lines = code.rstrip("\n").split("\n")
    width = len(str(len(lines)))
    return "".join(f"{place:>{width}}{separator}{line}\n" for place, line in enumerate(lines, 1))


def as_session(code):
    """The code as typed into an interpreter."""
    lines = code.rstrip("\n").split("\n")
    return "".join(f"{'...' if line[:1].isspace() else '>>>'} {line}\n" for line in lines)


MARKS = {
    "fence": fence,
    "tag": lambda code: fence(code, "python3.12"),
    "attributes": lambda code: fence(code, 'python title="a.py"'),
    "no tag": lambda code: fence(code, ""),
    "wrong tag": lambda code: fence(code, "text"),
    "on the fence's line": lambda code: f"```python {code}```",
    "glued": lambda code: f"```python\n{code.rstrip()}```",
    "closed by a token": lambda code: f"```python\n{code.rstrip()}<|eot_id|>",
    "fence and token": lambda code: fence(code).rstrip() + "<|END_RESPONSE|>",
    "twice": lambda code: "```python\n" + fence(code),
    "file name": lambda code: fence("solution.py\n" + code),
    "numbers": lambda code: fence(number_lines(code, "  ")),
    "numbers and bars": lambda code: fence(number_lines(code, " | ")),
    "quotation": lambda code: "".join(f"> {line}\n" for line in fence(code).splitlines()),
    "page": lambda code: f"<pre><code>{html.escape(code)}</code></pre>",
    "shell": lambda code: fence(f"cat > solution.py <<'EOF'\n{code}EOF\n", "bash"),
    "tags": lambda code: f"<answer>\n{code}</answer>",
    "brackets": lambda code: f"[BEGIN]\n{code}[DONE]",
    "brackets on the line": lambda code: f"[BEGIN] {code.rstrip()} [DONE]",
    "LaTeX": lambda code: f"\\begin{{lstlisting}}[language=Python]\n{code}\\end{{lstlisting}}",
    "JSON": lambda code: json.dumps({"thought": "three", "code": code}),
    "JSON block": lambda code: fence(json.dumps({"files": [{"text": code}]}) + "\n", "json"),
    "call": lambda code: (
        f"<tool_call>\n{json.dumps({'arguments': json.dumps({'code': code})})}\n</tool_call>"
    ),
    "escaped": lambda code: fence(code).strip().replace("\n", "\\n"),
    "indented": lambda code: "So:\n\n" + "".join(f"    {line}\n" for line in code.splitlines()) + "\nIt is.",
    "session": lambda code: fence(as_session(code), "pycon"),
    "carriage returns": lambda code: fence(code).replace("\n", "\r"),
    "bare": lambda code: code,
}


@pytest.mark.parametrize("name", MARKS)
def test_every_mark_of_code_is_read(name):
    """However the code is set apart or damaged, a function, a class and a script come out of it."""
    for code, problem in ((DEF, FUNCTION), (CLASS, METHOD), (MAIN, STDIN)):
        assert_right(MARKS[name](code), problem)


_PROGRAMS = st.sampled_from(
    [
        (DEF, FUNCTION),
        (
            "import math\n\n\ndef triple(x):\n    total = math.fsum([x, x, x])\n    return int(total)\n",
            FUNCTION,
        ),
        (
            "TABLE = {}\nfor i in range(9):\n    TABLE[i] = 3 * i\n\ndef triple(x):\n    return TABLE[x]\n",
            FUNCTION,
        ),
        (
            "def three(): return 3\n\ndef triple(x):\n    if x > 0 and x < 9:\n        return three() * x\n",
            FUNCTION,
        ),
        (CLASS, METHOD),
        (MAIN, STDIN),
        ("def main():\n    x = int(input())\n    print(3 * x)\n\nmain()\n", STDIN),
    ]
)
_BEFORE = [
    "",
    "Here is the program:\n\n",
    "It's simple, isn't it?\n",
    "<think>so</think>",
    f"<think>\n{fence('def triple(x):' + chr(10) + '    return 0' + chr(10))}no</think>\n\n",
    "well\n</think>\n\n",
]
_AFTER = [
    "",
    "\n\nThis works because 3 * x is x + x + x.",
    "\n\nNote: nothing here ends in </think> tags.",
    f"\n\nExample:\n\n{fence('Input: 7' + chr(10) + 'Output: 21' + chr(10), '')}",
    f"\n\nTest it:\n\n{fence('from solution import triple' + chr(10) + 'assert triple(7) == 21' + chr(10))}",
    f"\n\nRun it:\n\n{fence('python solution.py' + chr(10), 'bash')}",
]
_ALONE = {
    "closed by a token",
    "bare",
    "escaped",
    "carriage returns",
    "fence and token",
    "indented",
    "session",
    "glued",
}
"""Marks that end with the answer, or go for all of it."""


@given(_PROGRAMS, st.sampled_from(sorted(MARKS)), st.sampled_from(_BEFORE), st.sampled_from(_AFTER))
@settings(max_examples=150, deadline=None)
def test_a_right_program_stays_right_in_every_combination(program, name, before, after):
    """Words and thinking before, a mark around, tests and words behind."""
    code, problem = program
    marked = MARKS[name](code)
    whole = f"{before}{marked}" if name in _ALONE else f"{before}{marked}{after}"
    assert_right(marked if name in ("escaped", "carriage returns", "bare") else whole, problem)


@given(
    _PROGRAMS, st.sampled_from(["", "\n", "# a note\n", "'''words'''\n", "A = '<think>'\n", "B = [1,\n 2]\n"])
)
def test_a_plain_program_is_the_answer_byte_for_byte(program, first):
    """A program without anything around it, and one in a plain block, are not touched."""
    code, problem = program
    whole = first.lstrip("\n") + code
    assert extract_code(whole, problem).code == whole
    assert extract_code(fence(whole), problem).code == whole


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("return 3 * x\n", BODY),
        ("y = 3\nreturn y * x\n", BODY),
        ("y = 3\n    return y * x\n", BODY),
        ("    return 3 * x\n", BODY),
        ("    def triple(self, x):\n        return 3 * x\n", METHOD),
        ("    def two(self, x): return 2 * x\n\n    def triple(self, x): return self.two(x) + x\n", METHOD),
        ("def triple(self, x):\n    return 3 * x\n", METHOD),
        ("def triple(x):\n    return x if x < 1 else 3 + triple(x - 1)\n", METHOD),
        ("        return 3 * x\n", METHOD),
    ],
)
def test_what_the_starter_code_lacks_is_fitted_to_it(text, problem):
    """A body gets its margin and a method its class."""
    assert_right(fence(text), problem)


def test_a_session_in_a_broken_program_is_not_the_program():
    """Examples in the docstring are no answer: the error of the program is what helps."""
    broken = 'def triple(x):\n    """\n    >>> triple(2)\n    6\n    """\n    return (3 * x\n'
    for answer in (fence(broken), broken):
        extraction = extract_code(answer, FUNCTION)
        assert (extraction.how, extraction.code) == ("unparsed", broken)


def respond(message, finish_reason="stop"):
    """The answer in a response with `message`."""
    data = {"choices": [{"message": message, "finish_reason": finish_reason}]}
    return read_answer(data, model="m", seconds=0)


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_a_program_that_was_only_thought_counts(name):
    """Servers that take all for thinking lose no program; thinking that was cut has none."""
    message = {"content": "", name: f"First {fence(WRONG)}No:\n{fence(DEF)}"}
    extraction = extract_code(respond(message), FUNCTION)
    assert (extraction.code, extraction.how) == (DEF, "thinking")
    assert extract_code(respond(message, "length"), FUNCTION).code is None
    told = extract_code(respond({**message, "content": fence(WRONG)}), FUNCTION)
    assert (told.code, told.how) == (WRONG, "fenced")


@pytest.mark.parametrize(
    "message",
    [
        {
            "content": None,
            "tool_calls": [{"function": {"name": "p", "arguments": json.dumps({"code": DEF})}}],
        },
        {"content": "", "tool_calls": [{"function": {"name": "p", "arguments": {"source": DEF}}}]},
        {"content": " ", "function_call": {"name": "p", "arguments": DEF}},
    ],
)
def test_a_program_given_to_a_tool_counts(message):
    """Models that were trained to call tools hand their program to one."""
    assert extract_code(respond(message, "tool_calls"), FUNCTION).code == DEF


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(""), "empty"),
        (Answer("", finish_reason="content_filter"), "stopped by the server's content filter"),
        (Answer("", "hm", "length"), "cut while thinking"),
        (Answer("", "hm"), "thinking without an answer"),
        (Answer("First we", finish_reason="length"), "cut before a program was complete"),
        (Answer("", finish_reason="length"), "cut at its start"),
        (Answer("", finish_reason="tool_calls"), "a call of a tool, without code"),
        (respond({"content": None, "refusal": "I can't."}), 'refused: "I can\'t."'),
        (Answer("I cannot do\nthat."), "text without code: 'I cannot do that.'"),
    ],
)
def test_an_answer_without_a_program_says_why(answer, why):
    """Each way of having none has its words."""
    extraction = extract_code(answer, FUNCTION)
    assert (extraction.code, extraction.why) == (None, why)


@pytest.mark.parametrize(
    "piece",
    [
        "<think>\n",
        "</think>\n",
        "</think>",
        "<think></think>",
        "```python\n</think>\n",
        "```python\n'</think>'\n```\n",
        "<a>",
        "[BEGIN]\n",
        '{"a": ',
        "[[[",
        '"\\"',
        "> ```\n",
        "    x\n\n",
        "1 x\n",
        ">>> x\n",
        "``x",
        "<|eot_id|>",
        "copy\n",
        "def triple(x): return x\n",
        "triple(1)\n",
        "x = input()\n",
    ],
)
def test_time_is_linear_for_every_mark(piece):
    """80,000 characters of tags, quotes, numbers and hazards cost no more a character than 10,000."""
    assert_linear(lambda size: extract_code(piece * (size // len(piece)), METHOD), 10_000)


@given(st.text(alphabet="`<>think/|[]{}\"'\\n:def triple(x) return3*#1\n ", max_size=200))
@settings(max_examples=200, deadline=None)
def test_what_comes_out_comes_out_again_unchanged(text):
    """Extraction of what was extracted is the same, where that is Python."""
    for problem in (FUNCTION, STDIN):
        code = extract_code(text, problem).code
        if code is not None and _parses(code):
            assert extract_code(code, problem).code in (code, None)


def _parses(code):
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    return True


NEW_LINES = "".join(f"+{line}\n" for line in DEF.splitlines())
WRAPPED = {
    "diff of git": "```diff\ndiff --git a/s.py b/s.py\nindex 1..2 100644\n--- a/s.py\n"
    f"+++ b/s.py\n@@ -0,0 +1,2 @@\n{NEW_LINES}```",
    "patch of a tool": f"*** Begin Patch\n*** Add File: s.py\n{NEW_LINES}*** End Patch",
    "breaks of HTML": "<code>def triple(x):<br>&nbsp;&nbsp;&nbsp;&nbsp;return 3 * x</code>",
    "lines in JSON": json.dumps({"code": DEF.splitlines()}),
    "notebook": json.dumps({"cells": [{"cell_type": "code", "source": DEF.splitlines(keepends=True)}]}),
    "JSON string": json.dumps(DEF),
    "JSON in backticks": f'{{"code": `{DEF}`}}',
    "JSON that is cut": json.dumps({"code": DEF})[:-2],
    "YAML": "code: |\n  def triple(x):\n      return 3 * x\n",
    "YAML in a fence": fence("code: |\n  def triple(x):\n      return 3 * x\n", "yaml"),
    "TOML": f'code = """\n{DEF}"""',
    "arrows behind numbers": fence("  1 → def triple(x):\n  2 →     return 3 * x\n", ""),
    "frame": "│ def triple(x):\n│     return 3 * x\n",
    "bars": "| def triple(x):\n|     return 3 * x",
    "here-document": fence(f"cat << 'EOF' > s.py\n{DEF}EOF\npython s.py\n", "bash"),
    "here-document alone": fence(f"cat << 'EOF' > s.py\n{DEF}EOF\n", "sh"),
    "reStructuredText": ".. code-block:: python\n\n   def triple(x):\n       return 3 * x\n",
    "braces": f"{{code:python}}\n{DEF}{{code}}",
    "an arrow that is one character": fence("def triple(x: int) → int:\n    return 3 * x\n"),
    "the original behind": f"{fence(DEF)}\nThe original code was:\n{fence(WRONG)}",
    "the old version behind": f"Fixed:\n{fence(DEF)}\nYour original version:\n{fence(WRONG)}",
    "for the original problem": f"{fence(WRONG)}\nCode for the original problem:\n{fence(DEF)}",
    "the original corrected": f"{fence(WRONG)}\nYour original function, corrected:\n{fence(DEF)}",
}


@pytest.mark.parametrize("answer", WRAPPED.values(), ids=WRAPPED)
def test_a_program_is_found_in_what_other_tools_write(answer):
    """Patches, pages, JSON that is none, frames, shell commands; a version that is replaced is none."""
    assert_right(answer, FUNCTION)


def test_a_diff_that_is_python_too_is_a_diff():
    """A line that is taken away is a negated expression to Python."""
    assert_right("```diff\n x = int(input())\n-print(x)\n+print(3 * x)\n```", STDIN)
