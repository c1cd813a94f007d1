"""Feedback: what a model is told about the public tests its program failed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.generation.feedback import describe_failures, summarize_tests
from sstar_code.agent.prompts.shown import fence
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Environment, Execution, Failure, Status, Verdict
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
        "Test 1 gives a wrong output.\n"
        "Input:\n```\n0\n```\nOutput of the program:\n```\n7\n```\nExpected output:\n```\n0\n```"
    )


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ("the checker: 4 is no prime", "4 is no prime"),
        ("the checker: ValueError: invalid literal", "ValueError: invalid literal"),
        ("the checker cannot read it: TLE: ", "the checker cannot read it: TLE: "),
        ("the checker: exit status 1", ""),
        ("", ""),
    ],
)
def test_the_words_of_a_checker_program_are_told(note, told):
    """Why it rejected the output, where it says more than its exit status."""
    problem = replace(STDIN, checker={"program": "..."})
    result = TestResult(problem.public_tests[0], Verdict.WA, Execution(Status.OK, stdout="7\n"), note)
    (found,) = describe_failures(problem, CODE, Report((result,), 1))
    assert found.checker == told
    assert ("The checker says:\n```\n" + told + "\n```" in found.text) is bool(told)
    assert ("the checker says" in found.brief) is bool(told)


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
    assert note.text == (
        "The program has a syntax error:\n```\nSyntaxError: '(' was never closed\n```\n"
        "```\n> 1 | n = int(input()\n  2 |\n```"
    )
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
        assert f"The test:\n```python\n{shown}\n```" in note.text
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
    if verdict is Verdict.CE and line == "2":
        parts = [f"The program has a syntax error:\n{fence(f'X: {got}')}"]
        parts += [fence("  1 | n = int(input())\n> 2 | print(1 // n)\n  3 |")]
    elif verdict is Verdict.CE:
        parts = [f"The program cannot be used on any test:\n{fence(said + where)}"]
    else:
        way = {Verdict.WA: "gives a wrong output", Verdict.RE: "crashes", Verdict.TLE: "is too slow"}[verdict]
        parts = [f"Test 1 {way}.\nInput:\n{fence(given_input)}", f"Error:\n{fence(said + where)}"]
    if verdict is Verdict.WA:
        parts += [f"Output of the program:\n{fence(got)}" if got.strip() else "It printed nothing."]
    if expected is not None and verdict is not Verdict.CE:
        label = "Expected output" if checker == "exact" else "One accepted output (others may be right too)"
        parts += [f"{label}:\n{fence(expected)}"]
    assert note.text.startswith("\n".join(parts))
    rest = note.text.removeprefix("\n".join(parts))
    assert rest == "" or rest.startswith(("\nThey differ first in line ", "\nExpected "))


def test_the_same_error_is_told_once():
    """Tests that end in one line with one error share a note; the room is left to another failure."""
    tests = tuple(Test(f"{n}\n", "0\n") for n in range(1, 6))
    problem = Problem("p", "S", Kind.STDIN, public_tests=tests)
    crash = [Failure("KeyError", key, 2) for key in "abc"]
    report = _report(
        (tests[0], Verdict.AC, Execution(Status.OK)),
        *(
            (test, *_failed(Verdict.RE, failure=failure))
            for test, failure in zip(tests[1:4], crash, strict=True)
        ),
        (tests[4], Verdict.WA, Execution(Status.OK, stdout="5")),
    )
    notes = describe_failures(problem, CODE, report)
    assert [note.tests for note in notes] == [(2, 3, 4), (5,), ()]
    assert notes[0].text.startswith(
        "Test 2 crashes; tests 3, 4 end with the same error.\nInput:\n```\n2\n```"
    )
    assert [note.text == "" for note in notes] == [False, False, True]
    assert notes[2].input == "3\n"  # what a template of the user's may show is there all the same
    shown = (
        Prompts()
        .render(
            "debug",
            problem,
            code=CODE,
            failures=notes,
            summary="",
            passed=1,
            total=5,
            earlier=(),
            reason="",
            is_cut=False,
        )[1]
        .content
    )
    assert shown.count("KeyError") == 1


def test_another_place_is_another_error():
    """The same exception in another line is told by itself, and so is every wrong output."""
    crashes = [
        (test, *_failed(Verdict.RE, failure=Failure("KeyError", "a", line)))
        for line, test in enumerate(STDIN.public_tests, start=1)
    ]
    assert [note.tests for note in describe_failures(STDIN, CODE, _report(*crashes))] == [(1,), (2,)]
    wrong = [(test, Verdict.WA, Execution(Status.OK, stdout="7")) for test in STDIN.public_tests]
    assert [note.tests for note in describe_failures(STDIN, CODE, _report(*wrong))] == [(1,), (2,)]


def test_every_kind_of_failure_is_counted_at_the_top():
    """One line says which tests pass, crash, are wrong and are slow; another what was nearly spent."""
    tests = tuple(Test(str(n), "0") for n in range(20))
    problem = Problem("p", "S", Kind.STDIN, public_tests=tests, time_limit_s=2, memory_limit_mb=100)
    ok = Execution(Status.OK, cpu_s=0.19, memory_mb=9)
    report = _report(
        (tests[0], Verdict.AC, ok),
        (tests[1], *_failed(Verdict.RE)),
        (tests[2], *_failed(Verdict.TLE, cpu_s=2.1)),
        (tests[3], Verdict.WA, replace(ok, cpu_s=1.26, memory_mb=24.4)),
        *((test, Verdict.AC, ok) for test in tests[4:]),
    )
    assert summarize_tests(problem, report) == (
        "Public tests: 17 passed (tests 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 and 5 more), "
        "1 crashed (test 2), 1 wrong (test 4), 1 too slow (test 3).\n"
        "Test 4 used 1.3 of 2 s and 24 of 100 MB.\n"
        "Every other test that ended used less than a quarter of its time and memory."
    )
    memory = _report((tests[0], *_failed(Verdict.MLE)), (tests[1], *_failed(Verdict.OLE)))
    assert summarize_tests(problem, memory) == (
        "Public tests: 0 passed, 0 crashed, 0 wrong, 0 too slow, 1 too much memory (test 1), "
        "1 too much output (test 2)."
    )


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (
            Failure("ModuleNotFoundError", "No module named 'torch.nn'", 1),
            "`torch.nn` is not installed here; Python 3.11 with its standard library and numpy is.",
        ),
        (
            Failure("ImportError", "cannot import name 'batched' from 'itertools'", 1),
            "The program runs under Python 3.11 with numpy; that name does not exist there.",
        ),
        (Failure("KeyError", "No module named 'x'", 1), ""),
    ],
)
def test_an_import_that_fails_says_what_there_is(failure, advice):
    """A library that the world has and this place has not is told as such; other errors get no advice."""
    report = _report(*((test, *_failed(Verdict.RE, failure=failure)) for test in STDIN.public_tests))
    (note, _) = describe_failures(STDIN, CODE, report, Environment("3.11", ("numpy",)))
    assert note.advice == advice
    assert note.text.endswith(advice or "```")
    assert ("Input" in note.text) is not bool(advice)
    assert ("Expected output" in note.text) is not bool(advice)
    unknown = describe_failures(STDIN, CODE, report)[0].advice
    assert "Python" not in unknown
    assert bool(unknown) is (failure.type == "ModuleNotFoundError")


def test_other_outputs_are_admitted_where_the_statement_allows_them():
    """Without a checker the expected output is one of several, and the program's may be right."""
    problem = replace(STDIN, several_answers=True)
    report = _report((STDIN.public_tests[0], Verdict.WA, Execution(Status.OK, stdout="1")))
    (note,) = describe_failures(problem, CODE, report)
    assert "Expected output (others may be right too):" in note.text


def test_a_program_without_its_entry_point_is_told_so():
    """What is wrong with a whole program of another name is no syntax error."""
    problem = Problem("p", "S", Kind.FUNCTION, "f", "def f(x):\n", public_tests=(Test("1", "1"),))
    whole, part = "def g(x):\n    return x\n", "return x +"
    run = _failed(Verdict.CE, failure=Failure("EntryPointMissing", "it does not define f"))
    (note,) = describe_failures(problem, whole, _report((problem.public_tests[0], *run)))
    assert note.text == (
        "The program cannot be used on any test:\n```\nEntryPointMissing: the program has to define f\n```"
    )
    run = _failed(Verdict.CE, failure=Failure("IndentationError", "expected an indented block", 2))
    (note,) = describe_failures(problem, part, _report((problem.public_tests[0], *run)))
    assert "IndentationError" in note.text
    assert "> 1 | return x +" in note.text


def test_a_failing_assert_says_nothing_of_prints():
    """An assertion that fails has no output to compare, and its name alone says nothing more."""
    test = Test(program="assert f(1) == 2")
    problem = Problem("p", "S", Kind.FUNCTION, "f", public_tests=(test,))
    failure = Failure("AssertionError", "assert f(1) == 2")
    (note,) = describe_failures(
        problem, "", _report((test, Verdict.WA, _failed(Verdict.RE, failure=failure)[1]))
    )
    assert note.text == "Test 1 fails.\nThe test:\n```python\nassert f(1) == 2\n```"
