"""Feedback: what a model is told about the public tests its program failed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.generation.lineage import describe_failures
from sstar_code.agent.prompts.templates import fence
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Execution, Failure, Status, Verdict
from sstar_code.sandbox.grade import Report, TestResult

CODE = "n = int(input())\nprint(1 // n)\n"
STDIN = Problem("p", "S", Kind.STDIN, public_tests=(Test("0\n", "0\n"), Test("1\n", "1\n")))
FUNCTION = Problem("p", "S", Kind.FUNCTION, "f", public_tests=(Test('[1]\n"a"', '{"$tuple": [1, 2]}'),))


def _report(*results):
    return Report(tuple(TestResult(*result) for result in results), len(results))


def _failed(verdict, **fields):
    return verdict, Execution(Status(verdict.value), **fields)


def test_a_wrong_output_comes_with_input_expected_and_got():
    """For stdin the three texts are quoted in fences."""
    report = _report((STDIN.public_tests[0], Verdict.WA, Execution(Status.OK, stdout="7\n")))
    (note,) = describe_failures(STDIN, CODE, report)
    assert (note.input, note.expected, note.got, note.error) == ("0\n", "0\n", "7\n", "")
    assert note.text == (
        "On this input:\n```\n0\n```\nOutput of the program:\n```\n7\n```\nExpected output:\n```\n0\n```"
    )


def test_values_of_functions_are_python():
    """Arguments, expected and returned values are Python literals, the call is written out."""
    report = _report((FUNCTION.public_tests[0], Verdict.WA, Execution(Status.OK, result="[1, 2]")))
    (note,) = describe_failures(FUNCTION, "def f(a, b): ...", report)
    assert (note.call, note.expected, note.got) == ("f([1], 'a')", "(1, 2)", "[1, 2]")
    assert "f([1], 'a')" in note.text


def test_an_exception_comes_with_type_message_and_line():
    """The line's own text is quoted, so that the model need not count; addresses are removed."""
    failure = Failure("ZeroDivisionError", "division of <X object at 0x7f00deadbeef> by zero", 2)
    (note,) = describe_failures(
        STDIN, CODE, _report((STDIN.public_tests[0], *_failed(Verdict.RE, failure=failure)))
    )
    assert (note.error, note.line, note.line_text, note.got) == (
        "ZeroDivisionError",
        2,
        "print(1 // n)",
        None,
    )
    assert "ZeroDivisionError: division of <X object at 0x...> by zero\nline 2: print(1 // n)" in note.text


def test_lines_are_counted_in_the_models_own_program():
    """Starter code put in front shifts the sandbox's line numbers; the note shifts them back."""
    problem = Problem("p", "S", Kind.FUNCTION, "f", "import os\ndef f(x):\n", public_tests=(Test("1", "1"),))
    body = "    y = x\n    return y / 0\n"
    report = _report(
        (problem.public_tests[0], *_failed(Verdict.RE, failure=Failure("ZeroDivisionError", "", 4)))
    )
    (note,) = describe_failures(problem, body, report)
    assert (note.line, note.line_text) == (2, "return y / 0")


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict.TLE, "did not finish within 6 s of CPU time"),
        (Verdict.MLE, "more than 1024 MB"),
        (Verdict.OLE, "too much output"),
    ],
)
def test_broken_limits_are_said_in_words_without_measurements(verdict, words):
    """The limit is named, never the time or memory that was measured: that would differ from run to run."""
    texts = set()
    for cpu_s in (6.01, 6.4):
        report = _report((STDIN.public_tests[0], *_failed(verdict, cpu_s=cpu_s, wall_s=9.9, memory_mb=cpu_s)))
        (note,) = describe_failures(STDIN, CODE, report)
        texts.add(note.text)
    assert len(texts) == 1
    assert words in texts.pop()


def test_a_sleeper_is_told_apart_from_a_slow_program():
    """Over the wall limit is not over the CPU limit."""
    (note,) = describe_failures(
        STDIN, CODE, _report((STDIN.public_tests[0], *_failed(Verdict.TLE, limit="wall")))
    )
    assert "waited or slept" in note.text


def test_a_syntax_error_is_told_once():
    """A program that does not compile fails every test for one reason."""
    failure = Failure("SyntaxError", "'(' was never closed", 1)
    report = _report(*((test, *_failed(Verdict.CE, failure=failure)) for test in STDIN.public_tests))
    (note,) = describe_failures(STDIN, "n = int(input()\n", report)
    assert "SyntaxError: '(' was never closed\nline 1: n = int(input()" in note.text
    assert "Expected" not in note.text


def test_the_failing_assert_is_shown():
    """A test with several asserts is shown by the one that the traceback names; else as a whole."""
    program = "def check(g):\n    assert g(1) == 1\n    assert g(2) == 4\ncheck(f)\n"
    problem = Problem(
        "p", "S", Kind.FUNCTION, "f", public_tests=(Test(program=program), Test(program="assert f(3) == 9"))
    )
    trace = 'File "test.py", line 4, in <module>\n  File "test.py", line 3, in check\nAssertionError'
    failure = Failure("AssertionError", "assert g(2) == 4")
    named, single = problem.public_tests
    for test, stderr, shown in (
        (named, trace, "assert g(2) == 4"),
        (named, "", program.strip()),
        (single, "", "assert f(3) == 9"),  # and a message of its own is kept
    ):
        (note,) = describe_failures(
            problem, "", _report((test, *_failed(Verdict.RE, failure=failure, stderr=stderr)))
        )
        assert note.assertion == shown
        assert f"This test failed:\n```python\n{shown}\n```" in note.text
        assert note.text.count("assert g(2) == 4") == ("g(2)" in shown or test is single)


@pytest.mark.parametrize(
    ("verdict", "limit", "text"),
    [
        (Verdict.TLE, "cpu", "it did not finish within 0.25 s of CPU time"),
        (Verdict.TLE, "wall", "it waited or slept and did not finish; it has 0.25 s of CPU time"),
        (Verdict.MLE, None, "it used more than 64 MB of memory"),
        (Verdict.OLE, None, "it wrote far too much output"),
    ],
)
def test_every_word_about_a_limit(verdict, limit, text):
    """The whole message of each broken limit, to the letter: stored answers are found by it."""
    problem = replace(STDIN, time_limit_s=0.25, memory_limit_mb=64)
    (note,) = describe_failures(
        problem, CODE, _report((STDIN.public_tests[0], *_failed(verdict, limit=limit)))
    )
    assert note.message == text


def test_each_kind_of_failure_comes_before_a_second_of_one_kind():
    """Three notes at most, the shortest tests first, variety before repetition."""
    tests = tuple(Test("1" * size, "0") for size in (5, 1, 2, 3))
    problem = Problem("p", "S", Kind.STDIN, public_tests=tests)
    wrong = (Verdict.WA, Execution(Status.OK, stdout="7"))
    report = _report((tests[0], *_failed(Verdict.TLE)), *((test, *wrong) for test in tests[1:]))
    notes = describe_failures(problem, CODE, report)
    assert [(note.verdict, note.input) for note in notes] == [
        (Verdict.WA, "1"),
        (Verdict.TLE, "11111"),
        (Verdict.WA, "11"),
    ]


def test_hidden_tests_and_lost_runs_are_never_told():
    """Only public tests and only the candidate's own failures reach the model."""
    problem = Problem(
        "p", "S", Kind.STDIN, public_tests=(Test("1", "1"),), hidden_tests=(Test("2", "secret"),)
    )
    report = _report(
        (problem.hidden_tests[0], Verdict.WA, Execution(Status.OK, stdout="x")),
        (problem.public_tests[0], *_failed(Verdict.IE)),
    )
    assert describe_failures(problem, CODE, report) == ()


def test_the_first_differing_line_of_long_outputs_is_named():
    """In outputs of many lines the model is told where to look."""
    test = Test("9", "\n".join("abcdefg"))
    problem = Problem("p", "S", Kind.STDIN, public_tests=(test,))
    for got, words in (
        ("a\nb\nX\nd\ne\nf\ng", "line 3: expected 'c', got 'X'"),
        ("a\nb\nc", "Expected 7 lines, got 3."),
    ):
        (note,) = describe_failures(
            problem, CODE, _report((test, Verdict.WA, Execution(Status.OK, stdout=got)))
        )
        assert words in note.text


def test_other_right_outputs_are_admitted_where_a_checker_decides():
    """With a checker program the one known output is called one of several."""
    problem = Problem("p", "S", Kind.STDIN, public_tests=(Test("1", "1"),), checker={"program": "..."})
    report = _report((problem.public_tests[0], Verdict.WA, Execution(Status.OK)))
    (note,) = describe_failures(problem, CODE, report)
    assert "others may be right too" in note.text
    assert "It printed nothing." in note.text


@given(st.text(max_size=3000), st.text(max_size=3000), st.integers(1, 5), st.integers(300, 3000))
def test_notes_are_capped_and_deterministic(given_input, output, count, limit):
    """However long the texts are, notes stay near the limit; the same facts give the same notes."""
    tests = tuple(Test(given_input + str(place), output) for place in range(count))
    problem = Problem("p", "S", Kind.STDIN, public_tests=tests)
    report = _report(*((test, Verdict.WA, Execution(Status.OK, stdout=output + "x")) for test in tests))
    notes = describe_failures(problem, CODE, report, max_chars=limit)
    assert notes == describe_failures(problem, CODE, report, max_chars=limit)
    assert len(notes) == min(3, count)
    bare = [note.text.replace("`", "") for note in notes]
    assert sum(map(len, bare)) < 2 * limit + 3 * 900


_TEXTS = st.text(alphabet="ab`%{}#\\\n \"'<&\ud800", max_size=12)


@given(
    st.tuples(_TEXTS, _TEXTS),
    st.none() | _TEXTS,
    st.sampled_from([None, "2", "9"]),
    st.sampled_from(["exact", {"program": "..."}]),
    st.sampled_from([Verdict.WA, Verdict.RE, Verdict.CE, Verdict.TLE]),
)
def test_not_a_byte_of_a_note_is_lost(texts, expected, line, checker, verdict):
    """Whatever stands in them, input, error, outputs and line come in this order, in these words."""
    given_input, got = texts
    test = Test(given_input, expected)
    problem = Problem("p", "S", Kind.STDIN, public_tests=(test,), checker=checker)
    failure = Failure("X", got, int(line) if line else None)
    run = Execution(
        Status.OK if verdict is Verdict.WA else Status(verdict.value), stdout=got, failure=failure
    )
    (note,) = describe_failures(problem, CODE, _report((test, verdict, run)))
    said = f"X: {got}" if got else "X"
    if verdict is Verdict.TLE:
        said = "TimeLimitExceeded: it did not finish within 6 s of CPU time"
    where = {None: "", "2": "\nline 2: print(1 // n)", "9": "\nline 9: "}[line]
    parts = ["The program cannot be used on any test."]
    if verdict is not Verdict.CE:
        parts = [f"On this input:\n{fence(given_input)}"]
    parts += [f"Error:\n{fence(said + where)}"]
    if verdict is Verdict.WA:
        parts += [f"Output of the program:\n{fence(got)}" if got.strip() else "It printed nothing."]
    if expected is not None and verdict is not Verdict.CE:
        label = "Expected output" if checker == "exact" else "One accepted output (others may be right too)"
        parts += [f"{label}:\n{fence(expected)}"]
    assert note.text.startswith("\n".join(parts))
    rest = note.text.removeprefix("\n".join(parts))
    assert rest == "" or rest.startswith(("\nThey differ first in line ", "\nExpected "))
