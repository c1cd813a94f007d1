"""Statements in prompts: markup goes, meaning stays, and no sample stands there twice."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sstar_code.agent.prompts.shown import show_value
from sstar_code.agent.prompts.statement import clean_statement, list_unshown
from sstar_code.problems import Kind, Problem, Test


def _problem(statement, *tests, kind=Kind.STDIN, **fields):
    return Problem("p", statement, kind, public_tests=tests, **fields)


@pytest.mark.parametrize(
    ("statement", "clean"),
    [
        ("Given $$$n$$$ and the $$$i$$$-th", "Given n and the i-th"),
        ("$$$a$$$$$$b$$$", "a b"),
        (r"$$$1 \le n \le 10^5$$$", r"1 \le n \le 10^5"),
        ("so $$$$$$x + y$$$$$$ holds", "so  x + y  holds"),
        ("5$$$n$$$x", "5 n x"),
        (r"\textbf{all} of \color{red}{\text{these} ones}", "all of these ones"),
        (r"\color{red}{\textbf{W}}B, \mathrm{case}_1, \operatorname{gcd}(a, b)", "WB, case_1, gcd(a, b)"),
        (r"a \color{blue}b and \displaystyle c", "a b and c"),
        (r"? \enspace a_1 \enspace a_2", "? a_1 a_2"),
        (
            "as shown: <image> and ![](https://x.y/z.png)",
            "as shown: [image, not shown] and [image, not shown]",
        ),
        ("1 &lt;= n &amp;&amp; n &le; 5", "1 <= n && n <= 5"),
        ("<p>Up to 10<sup>5</sup>, a<sub>i+1</sub>, <code>x</code></p>", "Up to 10^5, a_(i+1), `x`"),
        ("<ul><li>one</li><li><b>two</b></li></ul>", "- one\n\n- two"),
        ("1\u2009≤\u2009n,\xa0all\u200b", "1 ≤ n, all"),
        ("one\r\ntwo & three", "one\ntwo & three"),
    ],
)
def test_markup_goes(statement, clean):
    """Marks of formulas, styles, pages and pictures go; what they hold stays."""
    assert clean_statement(_problem(statement)) == clean


@pytest.mark.parametrize(
    "statement",
    [
        "It costs $5 or $10, or $$$ if you are rich",
        "If a<b and c>d, or x <b> y, print <number>",
        r"$\texttt{abc}$ with $\sum_{i=1}^n a_i$ and \frac{1}{2}",
        r"$s_\text{left}$, $x^\mathrm{th}$, 32\operatorname{bit}, A\text{or}B and \texttt{a}",
        "Parse the HTML entities &lt;, &amp; and <b>bold</b>",
        "The tag <b>x</b> closes with </b>; images are <img src='x'>",
        r"In LaTeX, \textbf{x} is bold and $$$x$$$ is not",
        "Read `$$$x$$$` and `a &lt; b`",
        "```python\nif a &lt; b:\n\n\n    x = r'\\textbf{y}'\n```",
        ">>> f('&lt;')\n'<'",
    ],
)
def test_what_is_not_surely_markup_stays(statement):
    """Money, comparisons, formulas with meaning, code, and statements about markup are left alone."""
    assert clean_statement(_problem(statement)) == statement


def test_blank_lines_run_together_but_not_in_samples():
    """Several blank lines become one, save in the text of a public test, and where tests are not known."""
    text = "First.\n\n\n \nInput\n\na\n\n\nb\n\n\n\nOutput\n\n\n1"
    assert clean_statement(_problem(text, Test("a\n\n\nb\n", "1\n"))) == (
        "First.\n\nInput\n\na\n\n\nb\n\nOutput\n\n1"
    )
    assert clean_statement(_problem(text)) == text


def test_a_docstring_is_left_alone():
    """A statement that is the starter code is code."""
    source = 'def f(x):\n    """Turn &lt; into <.\n\n\n    $$$x$$$\n    """\n'
    problem = _problem(source, kind=Kind.FUNCTION, entry_point="f", starter_code=source)
    assert clean_statement(problem) == source


_PIECES = st.sampled_from(
    [
        "$$$",
        "$",
        "x",
        "5",
        " ",
        "\n",
        "\n\n\n",
        "&lt;",
        "<b>",
        "</b>",
        "<image>",
        "\\textbf{",
        "}",
        "`",
        "```\n",
    ]
)


@given(st.lists(_PIECES, max_size=12), st.lists(_PIECES, max_size=12), st.lists(_PIECES, max_size=8))
@example(["\\textbf{"], [], ["}", "}"])
def test_samples_and_code_are_never_changed(before, after, sample):
    """Whatever stands around it, the text of a public test and a fenced block come through to the letter."""
    text = "".join(sample).strip()
    block = f"```\n{text.replace('`', '')}\n```"
    around = [part for part in before if "`" not in part], [part for part in after if "`" not in part]
    statement = f"{''.join(around[0])}\n{block}\n{''.join(around[1])}"
    assert block in clean_statement(_problem(statement))
    if len(text) > 1 and "`" not in text:
        shown = f"{''.join(around[0])} | {text} | {''.join(around[1])}"
        assert text in clean_statement(_problem(shown, Test(text, "1")))


RUN = Test("3 14\n1 2\n", "7\n")


@pytest.mark.parametrize(
    ("statement", "is_shown"),
    [
        ("Sample Input\n\n3 14\n1 2\n\nSample Output\n\n7\n", True),
        ("Input\n\n```\n3  14\n1 2\n```\nOutput\n```\n7\n```", True),
        ("For example, 3 14 1 2 gives 7.", False),  # "7." may be the beginning of 7.5
        ("For 3 14 1 2 print `7`", True),
        ("Sample Input\n\n3 14\n1 2\n\nSample Output\n\n70\n", False),
        ("Sample Input\n\n23 14\n1 2\n\nSample Output\n\n7\n", False),
        ("Add 3 14 and 1 2. " + "x " * 300 + "7", False),
        ("Add.", False),
    ],
)
def test_a_sample_of_the_statement_is_known_in_any_layout(statement, is_shown):
    """White space and decoration do not matter; other numbers, and an output far away, do."""
    assert list_unshown(_problem(statement, RUN), show_value) == (() if is_shown else (RUN,))


def test_another_right_output_does_not_double_a_sample():
    """Where the statement shows the input with another output, the test's own is not listed beside it."""
    test = Test("6\n10 20 30 40 50 60\n", "20 10\n")
    assert list_unshown(_problem("Input\n6\n10 20 30 40 50 60\nOutput\n10 20", test), show_value) == ()


@pytest.mark.parametrize(
    ("statement", "is_shown"), [("Of 4 numbers 8 are even.", False), ("Input\n4\nOutput\n8\n", True)]
)
def test_a_short_sample_has_to_be_lines_of_its_own(statement, is_shown):
    """One digit stands in any text."""
    test = Test("4\n", "8\n")
    assert list_unshown(_problem(statement, test), show_value) == (() if is_shown else (test,))


CALL = Test('[1, 2]\n"ab"', "true")


@pytest.mark.parametrize(
    ("statement", "is_shown"),
    [
        (">>> f([1, 2], 'ab')\nTrue", True),
        ('Input: nums = [1,2], s = "ab"\nOutput: true', True),
        ("assert f([1,2], 'ab') == True", True),
        ('Input: nums = [1,2], s = "ab"\nOutput: false', False),
        ('Input: nums = [[1,2]], s = "abc"\nOutput: true', False),
        ("Input: nums = [1,2]" + " and so on" * 20 + ', s = "ab"\nOutput: true', False),
    ],
)
def test_an_example_call_is_known_in_any_notation(statement, is_shown):
    """Python's and JSON's words and quotes are one; another value is another example."""
    problem = _problem(statement, CALL, kind=Kind.FUNCTION, entry_point="f")
    assert list_unshown(problem, show_value) == (() if is_shown else (CALL,))


def test_short_calls_have_to_be_calls():
    """`f(1)` with its result counts, the numbers alone do not; a test that is a program is compared whole."""
    short, program = Test("1", "2"), Test(program="assert f(3) == 9")
    fields = {"kind": Kind.FUNCTION, "entry_point": "f"}
    assert list_unshown(_problem("From 1 make 2.", short, **fields), show_value) == (short,)
    for shown in ("f(1) -> 2", "Input: n = 1\nOutput: 2"):
        assert list_unshown(_problem(shown, short, **fields), show_value) == ()
    assert list_unshown(_problem("assert f(3)==9", program, **fields), show_value) == ()
    assert list_unshown(_problem("f of 3", program, **fields), show_value) == (program,)
