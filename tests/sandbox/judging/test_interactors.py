"""Programs that talk to an interactor: its verdicts, and that no candidate stops or fools it."""

from __future__ import annotations

import pytest

from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.workers import protocol
from tests.sandbox.judging.programs import GUESS, SEARCH, SEARCH_CPP, SPY, in_cpp, in_problem

PROBLEM = in_problem([("37\n", "")], interactor=GUESS)
IN_PYTHON = """
import sys
wanted = int(open(sys.argv[1]).read())
for count in range(10):
    guess = int(input())
    if guess == wanted:
        print("yes")
        sys.exit(0)
    print("more" if guess < wanted else "less", flush=True)
sys.exit("too many guesses")
"""


def judge(held, problem, code):
    (result,) = held.call(run_tests, held.sandbox, problem, code, list(problem.hidden_tests)).results
    return result


@pytest.mark.parametrize("code", [SEARCH, SEARCH_CPP], ids=["python", "cpp"])
@pytest.mark.parametrize("interactor", [GUESS, {"program": IN_PYTHON}], ids=["by-cpp", "by-python"])
def test_programs_talk_to_interactors(cpp_local, code, interactor):
    """An interactor of either language, over several tests."""
    problem = in_problem([("37\n", ""), ("1\n", ""), ("100\n", "")], interactor=interactor)
    report = cpp_local.call(run_tests, cpp_local.sandbox, problem, code, list(problem.hidden_tests))
    assert [result.verdict.value for result in report.results] == ["AC"] * 3, report.results
    if interactor is GUESS:
        assert [result.execution.stdout for result in report.results] == ["2", "5", "6"]


@pytest.mark.docker
@pytest.mark.parametrize("code", [SEARCH, SEARCH_CPP], ids=["python", "cpp"])
def test_programs_talk_to_interactors_in_docker(cpp_docker, code):
    """As on this machine."""
    assert judge(cpp_docker, PROBLEM, code).verdict.value == "AC"
    assert "too many guesses" in judge(cpp_docker, PROBLEM, "while True: print(3, flush=True)").note
    assert judge(cpp_docker, PROBLEM, SPY).verdict.value != "AC"


@pytest.mark.parametrize(
    ("code", "verdict", "note"),
    [
        ("while True: print(3, flush=True)", "WA", "the interactor: wrong answer too many guesses"),
        ("", "WA", "Unexpected end of file"),
        ("print(1)", "WA", "the "),
        ("print(0)", "WA", "parameter guess equals to 0"),
        ("print('x', flush=True); input()", "WA", 'Expected integer, but "x" found'),
        ("import os; os.write(1, bytes(range(256)) * 999)", "WA", "the interactor: wrong"),
        (f"{SEARCH}\nprint('ok found', flush=True)", "AC", ""),
        (f"{SEARCH}\n1 / 0", "RE", ""),
        ("1 / 0", "RE", ""),
        ("print(50, flush=True); import os; os.abort()", "RE", ""),
        ("print(50", "CE", ""),
        ("while True: pass", "TLE", ""),
        ("x = bytearray(1 << 31)", "MLE", ""),
        (SPY, "WA", "the "),
        ("print(42, flush=True); input()", "WA", "the interactor cannot follow it: SIGSEGV"),
    ],
)
def test_an_interactor_has_the_last_word(cpp_local, code, verdict, note):
    """Right and wrong answers, malformed ones, floods, and what ends early, is too slow, or looks around."""
    result = judge(cpp_local, PROBLEM, code)
    assert (result.verdict.value, note in result.note) == (verdict, True), result


def test_a_checker_judges_what_the_interactor_wrote(cpp_local):
    """At last, where the interactor accepts: here the number of guesses, against what the jury needs."""
    last = in_cpp("""
    int guesses = ouf.readInt(0, 10, "guesses");
    if (guesses > ans.readInt()) quitf(_wa, "%d guesses", guesses);
    quitf(_ok, "few");""")
    problem = in_problem([("37\n", "2\n"), ("1\n", "2\n")], interactor=GUESS, checker=last)
    report = cpp_local.call(run_tests, cpp_local.sandbox, problem, SEARCH, list(problem.hidden_tests))
    assert [result.verdict.value for result in report.results] == ["AC", "WA"], report.results
    assert report.results[1].note == "the checker: wrong answer 5 guesses"
    assert (
        "the interactor: "
        in judge(cpp_local, in_problem([("37\n", "2\n")], interactor=GUESS, checker=last), "").note
    )
    python = {"program": "import json, sys\nsys.exit(int(json.load(sys.stdin)['output']) > 2)"}
    problem = in_problem([("37\n", "2\n"), ("1\n", "2\n")], interactor=GUESS, checker=python)
    report = cpp_local.call(run_tests, cpp_local.sandbox, problem, SEARCH, list(problem.hidden_tests))
    assert [result.verdict.value for result in report.results] == ["AC", "WA"]


def test_a_flood_is_wrong_however_long_the_interactor_reads(cpp_local, monkeypatch):
    """It is ended at its own limit, and whoever brought it there has not passed."""
    monkeypatch.setitem(protocol.JUDGE_LIMITS, "memory_mb", 32)
    result = judge(cpp_local, PROBLEM, "import os\nwhile True: os.write(1, b'1' * 65536)")
    assert result.verdict.value == "WA"
    assert result.note.startswith("the interactor cannot follow it: over its limit of ")


def test_who_waits_for_each_other_is_ended(cpp_local):
    """A candidate that says nothing is over its limit of wall time, and nobody hangs."""
    result = judge(cpp_local, PROBLEM, "input()")
    assert (result.verdict.value, result.execution.limit) == ("TLE", "wall")


@pytest.mark.parametrize(
    ("interactor", "note"),
    [
        (in_cpp("    abort();", "registerInteraction(argc, argv)"), "SIGABRT"),
        (in_cpp("    inf.readToken();", "registerInteraction(argc, argv); inf.readToken()"), "FAIL"),
        (in_cpp("    undeclared();"), "CE: line 4: 'undeclared' was not declared"),
        ({"program": "def f(:"}, "CE: "),
    ],
)
def test_an_interactor_that_breaks_by_itself_is_the_sets_fault(cpp_local, interactor, note):
    """Nothing is known of the candidate, and the words say whose fault it is."""
    result = judge(cpp_local, in_problem([("37\n", "")], interactor=interactor), SEARCH)
    assert result.verdict.value == "IE"
    assert result.note.startswith("the interactor of the problem is at fault: ")
    assert note in result.note


def test_an_interactor_gives_points(cpp_local):
    """As a checker does."""
    judge_ = in_cpp("    ouf.readInt(); quitp(5);", "registerInteraction(argc, argv)")
    problem = in_problem([("37\n", "")], interactor=judge_, full_score=10)
    result = judge(cpp_local, problem, "print(1)")
    assert (result.verdict.value, result.score) == ("WA", 0.5)


def test_an_ordinary_users_candidate_does_not_see_its_interactor(cpp_namespaces):
    """Where both have the same user: the interactor's files and memory are closed to it all the same."""
    assert judge(cpp_namespaces, PROBLEM, SEARCH_CPP).verdict.value == "AC"
    assert judge(cpp_namespaces, PROBLEM, SPY).verdict.value == "WA"
