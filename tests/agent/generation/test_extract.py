"""Extraction: whatever a model wraps around its program, the program comes out, and nothing ever raises."""

from __future__ import annotations

import ast
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstar_code.agent.generation.extract import extract_code, find_blocks
from sstar_code.agent.models.request import Answer
from sstar_code.problems import Kind, Problem, python_source
from tests.support import mark_slow_but
from tests.support.growth import assert_linear

STDIN = Problem("s", "double it", Kind.STDIN)
FUNCTION = Problem("f", "double it", Kind.FUNCTION, "double")
METHOD = Problem(
    "m", "double it", Kind.FUNCTION, "Solution.double", "class Solution:\n    def double(self, x: int):\n"
)
BODY = Problem("b", "double it", Kind.FUNCTION, "double", 'def double(x):\n    """Twice x."""\n')

MAIN = "n = int(input())\nprint(2 * n)\n"
DEF = "def double(x):\n    return 2 * x\n"
CLASS = "class Solution:\n    def double(self, x):\n        return 2 * x\n"


def _indent(text: str, by: str) -> str:
    return "".join(f"{by}{line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{MAIN}```",
        f"Think.\n\n```Python3\n{MAIN}```\nDone: it's right.",
        f"~~~py\n{MAIN}~~~",
        f"````python\n{MAIN}````",
        f"```\n{MAIN}```",
        f"```python\n{MAIN}",
        f"```python\n{MAIN.rstrip()}```",
        f"Here you are: ```python\n{MAIN}```",
        f"1. The program:\n\n   ```python\n{_indent(MAIN, '   ')}   ```\n",
        f"```python\n{_indent(MAIN, '    ')}```",
        MAIN,
        f"python\n{MAIN}",
        f"```\npython\n{MAIN}```",
        f"Here is the program.\n\n{MAIN}\nIt doubles the number, doesn't it?",
        f"{MAIN}```\nThat is all.",
        MAIN.replace("\n", "\r\n"),
        f"```python\n{MAIN}```\nTry it:\n```\n5\n```\nprints\n```\n10\n```",
        f"```cpp\nint main() {{}}\n```\nor\n```python\n{MAIN}```\nwith\n```bash\npython a.py\n```",
        f"```python\nn = int(input())\nprint(n)\n```\nBetter:\n```python\n{MAIN}```",
        f"<think>\n```python\nprint(input())\n```\n</think>\n```python\n{MAIN}```",
        f"so print(input())\n</think>\n\n```python\n{MAIN}```",
        f"```python\n# YOUR CODE HERE\n```\n```python\n{MAIN}```",
        f"```python\n{MAIN}```\n```python\n# YOUR CODE HERE\n```",
    ],
)
def test_the_program_is_found_in_every_wrapping(answer):
    """One program, many habits of models: the same program comes out."""
    code = extract_code(answer, STDIN).code
    assert code is not None
    assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(MAIN))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (f"```python\n{DEF}```\nUse it:\n```python\nprint(double(2))\n```", FUNCTION),
        (f"```python\n>>> double(2)\n4\n```\n```python\n{DEF}```", FUNCTION),
        ("```python\n>>> def double(x):\n...     return 2 * x\n...\n>>> double(2)\n4\n```", FUNCTION),
        (f"```python\n{DEF.replace('2 * x', '2 * x if x &lt; 9 else 2 * x')}```", FUNCTION),
        (
            f"```python\n{CLASS}```\nA helper that is not it:\n```python\ndef other():\n    return 1\n```",
            METHOD,
        ),
        ("```python\n    return 2 * x\n```", BODY),
        ("    return 2 * x\n", BODY),
    ],
)
def test_the_block_that_defines_the_entry_point_is_preferred(answer, problem):
    """Usage examples, transcripts and helpers never replace the definition asked for."""
    code = extract_code(answer, problem).code
    assert code is not None
    assert "return 2 * x" in code
    assert "print" not in code
    assert ">>>" not in code


@pytest.mark.parametrize(
    "text",
    [
        "def double(x):\n    return 2 * x if x &lt; 9 &amp; 8 else 1\n",
        "def double(x):\n\u00a0   return \u201c\u201d if x < 9 & 8 else 1\u200b\n",
        "    def double(x):\n        return 2 if x < 9 & 8 else 1\n",
    ],
)
def test_a_damaged_program_is_repaired(text):
    """Entities, typographic quotes, invisible characters and a margin are undone where it is needed."""
    extraction = extract_code(f"```python\n{text}```", FUNCTION)
    assert extraction.how == "fenced"
    assert "x < 9 & 8 else 1" in extraction.code
    ast.parse(extraction.code)


def test_a_fence_inside_a_string_does_not_end_the_program():
    """A docstring with a fenced example belongs to the program."""
    program = 'def double(x):\n    """Twice.\n\n```python\ndouble(2)\n```\n"""\n    return 2 * x\n'
    assert extract_code(f"```python\n{program}```\nDone.", FUNCTION).code == program


def test_definitions_are_borrowed_from_earlier_blocks():
    """A last block that calls what an earlier one defines gets that definition, and only that."""
    answer = (
        "```python\nimport math\n\ndef root(n):\n    return math.isqrt(n)\n\nprint(root(int(input())))\n```\n"
        "Mended main part:\n```python\nn = int(input())\nprint(root(n) + 1)\n```"
    )
    extraction = extract_code(answer, STDIN)
    assert extraction.how == "joined"
    assert extraction.code is not None
    assert extraction.code.startswith("import math\ndef root(n):")
    assert extraction.code.count("input()") == 1


def test_a_program_told_in_pieces_is_joined():
    """Blocks that are a program only together are put together."""
    pieces = ["n = int(input())", "m = 2 * n", "print(m)"]
    answer = "\nthen\n".join(f"```python\n{piece}\n```" for piece in pieces)
    assert extract_code(answer, STDIN).code == "n = int(input())\n\nm = 2 * n\n\nprint(m)\n"


def test_a_cut_answer_keeps_the_complete_statements():
    """What follows a complete entry point is dropped when the answer ends in the middle of it."""
    extraction = extract_code(
        Answer(f"```python\n{DEF}\ndef main():\n    print(dou", finish_reason="length"), FUNCTION
    )
    assert extraction.code == DEF
    assert extraction.truncated
    assert extraction.how == "cut"


def test_an_answer_cut_inside_the_entry_point_stays_as_it_is():
    """Half a function is never passed off as a program: it is kept, so that feedback can say where."""
    extraction = extract_code(
        Answer("```python\ndef double(x):\n    return (2 *", finish_reason="length"), FUNCTION
    )
    assert extraction.code == "def double(x):\n    return (2 *\n"
    assert extraction.how == "unparsed"
    assert extraction.truncated


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I cannot solve this.",
        "The answer is 42.\n\n```\n42\n```",
        "```python\n# YOUR CODE HERE\n```",
        "<think>\nprint(input())",
        "for each number we do this\nwith that in mind, it's done",
        "```cpp\nint main() { return 0; }\n```",
        "Hello",
    ],
)
def test_prose_holds_no_program(answer):
    """Nothing that only talks about a program is taken for one."""
    assert extract_code(answer, STDIN).code is None


def test_broken_code_is_kept_so_that_feedback_can_say_where():
    """A program with a syntax error is an answer; the sandbox's message about it is what mends it."""
    extraction = extract_code("```python\nn = int(input()\nprint(n)\n```", STDIN)
    assert extraction.how == "unparsed"
    assert extraction.code is not None


@given(
    st.text(max_size=300)
    | st.text(alphabet="`~ \npython>.#=()'\"\\\t<think/:def&lt;\x00\ud800", max_size=300)
)
@settings(max_examples=300, deadline=None)
def test_extraction_never_raises(answer):
    """Any text at all, for any kind of problem, gives an extraction."""
    for problem in (STDIN, FUNCTION, METHOD, BODY):
        extract_code(answer, problem)


_NAMES = st.sampled_from(["a", "b", "total", "x1"])
_VALUES = st.one_of(
    st.integers(),
    st.text(max_size=20).map(repr),
    st.lists(st.integers(), max_size=3),
    st.just('"""\n```\nx\n"""'),
)
_STATEMENTS = st.one_of(
    st.builds("{} = {}".format, _NAMES, _VALUES),
    st.builds("def {}(y):\n    z = {}\n    return [y, z]".format, _NAMES, _VALUES),
    st.builds("for i in range(3):\n    print({}, i)".format, _VALUES),
    st.builds("class {}:\n    '''doc'''\n    w = {}".format, _NAMES, _VALUES),
)


@given(
    st.lists(_STATEMENTS, max_size=6),
    st.sampled_from(["```", "~~~", "````"]),
    st.sampled_from(["python", "py", "Python3"]),
    st.sampled_from(["", "Here is the program:\n\n", "It's simple.\n"]),
    st.sampled_from(["", "\nThis works because x is y.\n", "\n```\n5\n```\n"]),
)
@settings(max_examples=200, deadline=None)
def test_a_fenced_valid_program_comes_out_unchanged(statements, mark, tag, before, after):
    """Fencing a valid program and extracting it is the identity."""
    for problem, first in ((FUNCTION, DEF), (STDIN, MAIN)):
        program = first + "".join(f"{statement}\n" for statement in statements)
        assert extract_code(f"{before}{mark}{tag}\n{program}{mark}\n{after}", problem).code == program


@pytest.mark.parametrize(
    "piece",
    mark_slow_but(
        ["```py\nfoo```\n", "~~~~~\nx~~~~~\n", "`", "def f(:\n", "("],
        [
            "```py\nfoo```\n",
            "```\n",
            "~~~~~\nx~~~~~\n",
            "`",
            "def f(:\n",
            "```python\nx = '''\n",
            "(",
            "x = 1\n",
            "a: b\n",
        ],
    ),
)
def test_time_is_linear_in_the_length_of_the_answer(piece):
    """An answer of 200,000 characters of the worst kind costs no more a character than one of 25,000."""
    assert_linear(lambda size: extract_code(piece * (size // len(piece)), METHOD), 25_000)


@pytest.mark.parametrize("head", ["```bash\ncat ", "cat "])
def test_time_is_linear_in_the_number_of_here_documents(head):
    """Shell commands that begin files without end; each is not looked for to the end of the answer."""
    assert_linear(lambda size: extract_code(head + "<<a\n" * (size // 4), METHOD), 12_000)


@pytest.mark.parametrize(
    ("fence", "line"),
    mark_slow_but(
        [("```\n", "a;")], [("```python\n", "a\n"), ("~~~\n", "a.b\n"), ("", "[PYTHON]\n"), ("```\n", "a;")]
    ),
)
def test_short_lines_without_end_are_not_parsed_again_and_again(fence, line, monkeypatch):
    """A fence of 400,000 characters that nobody closed: what is parsed has at most 120,000 lines in all."""
    parsed = 0

    def count(text, *words, **more):
        nonlocal parsed
        parsed += 1 + text.count("\n") + text.count(";")
        return real(text, *words, **more)

    (real, text) = (python_source.ast.parse, fence + line * ((399_000 - len(fence)) // len(line)))
    monkeypatch.setattr(python_source.ast, "parse", count)
    extract_code(text, FUNCTION)
    assert parsed < 120_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Run it: ```bash\nls\n```\n", [("", False)]),
        ("See: ```py\na\n```\n", [("py", True)]),
        ("`` `a` ``\n```a``` b\n", []),
        ("a ```b``` c ```py\n", []),
        ("```py\na\n", [("py", False)]),
        ("```py\na```\nb\n", [("py", True)]),
        ("```py\na ``` b ```\nc\n", [("py", False)]),
        ("````py\na\n```\n````\n", [("py", True)]),
        ("~~~\n```\n~~~\n", [("", True)]),
    ],
)
def test_what_opens_and_closes_a_block(text, found):
    """At the end of prose only Python opens one; a line of code may close one that nothing else closes."""
    blocks, _ = find_blocks(text)
    assert [(block.tag, block.closed) for block in blocks] == found


def test_a_fence_knows_its_tag():
    """Tags in braces, in capitals or followed by attributes are read."""
    blocks, before = find_blocks("p\n```{.Python title=x}\na\n```\n``` Py\nb\n```\n```c++\nd\n```")
    assert [block.tag for block in blocks] == ["python", "py", "c++"]
    assert [block.may_be_python for block in blocks] == [True, True, False]
    assert before == "p"


@pytest.mark.parametrize(
    ("head", "line"),
    mark_slow_but(
        [("", "x = (\n"), ("```python\n", "<a>x = (\n")],
        product(
            ("", "```python\n"), ("> x = (\n", "1 x = (&amp;\\n\n", "    x = (\n", "<a>x = (\n", "x = (\n")
        ),
    ),
)
def test_what_is_parsed_of_an_answer_is_bounded_however_it_is_written(head, line, monkeypatch):
    """Many readings of it are tried, and together they are no more than a multiple of its length."""
    parsed = []

    def refuse(source):
        parsed.append(len(source))
        raise SyntaxError

    monkeypatch.setattr(python_source, "parse_strictly", refuse)
    answer = head + line * (300_000 // len(line))
    extract_code(answer, BODY)
    assert sum(parsed) <= 500_000 + 4 * len(answer)


def test_the_end_of_a_long_answer_is_what_counts():
    """The program of an answer longer than what is looked at stands at its end."""
    found = extract_code(
        "We think on.\n" * 100_000 + "```python\ndef double(x):\n    return 2 * x\n```\n", FUNCTION
    )
    assert found.code == "def double(x):\n    return 2 * x\n"
