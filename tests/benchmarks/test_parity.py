"""Comparing an official judge's readings with our verdicts, on its own inputs and expected outputs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.recorded.agreement import Case
from benchmarks.recorded.parity.official_inputs import pack
from benchmarks.recorded.parity.programs import Program, read_expected
from benchmarks.recorded.parity.readings import Judge, Reading, busy_core, read_all
from benchmarks.recorded.parity.table import compare, list_differences, print_table
from sstar_code.problems import Kind, Problem
from sstar_code.sandbox import Verdict
from tests.support import ROOT, list_children


def make(case, *names):
    problem = Problem("p", "s", Kind.STDIN)
    cases = tuple(Case(name, problem, 0, "code", (), recorded=False) for name in names)
    return Program("judge", {"case": case}, cases)


def read(*readings):
    return {name: {"passed": passed, "load": 1.0} for name, passed in zip("xyz", readings, strict=False)}


@pytest.fixture
def rows():
    programs = [make("a", "set"), make("b", "set"), make("c", "set"), make("d", "base", "plus")]
    official = {
        "a": read([True], [True], [True]),
        "b": read([True], [False], [True]),
        "c": read([False], [False], [True]),
        "d": read([True, False], [True, False], [True, False]),
    }
    ours = [(Verdict.AC, {}), (Verdict.WA, {}), (Verdict.AC, {}), (Verdict.IE, {}), (Verdict.TLE, {})]
    return compare(programs, official, ours)


def test_a_judge_that_contradicts_itself_is_counted_apart(rows, capsys):
    """Agreement is over the verdicts that the judge gave in every reading; a lost run agrees with none."""
    print_table(rows, ["x", "y"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[5:] == [
        "| set | 3 | 1 | 1 | 50.00% | 1 | 0 |",
        "| base | 1 | 0 | 0 | 0.00% | 0 | 1 |",
        "| plus | 1 | 0 | 1 | 100.00% | 0 | 0 |",
    ]


def test_a_further_reading_can_only_find_more_contradictions(rows, capsys):
    """A program that passes beside nothing and fails beside others no longer counts; all are listed."""
    print_table(rows, ["x", "y", "z"])
    assert capsys.readouterr().out.splitlines()[5] == "| set | 3 | 2 | 1 | 100.00% | 0 | 0 |"
    assert [row["set"] for row in list_differences(rows, ["x", "y", "z"])] == ["set", "set", "base"]


def test_the_judges_inputs_keep_their_types(tmp_path):
    """A test of packed inputs and outputs tells a tuple from a list; the solution gives large outputs."""
    row = {
        "task": "Mbpp/1",
        "atol": 0,
        "solution": "def f(value):\n    return type(value)()\n",
        "base": [pack([[(1, 2)], [{3: {4}}]]), pack([(), {}])],
        "plus": [pack([[{5}]]), None],
    }
    path = tmp_path / "expected.jsonl"
    path.write_text(json.dumps(row) + "\n")
    tests = read_expected(path, {"Mbpp/1": "equal"}, {"Mbpp/1": "f"})["Mbpp/1"]
    right, wrong = "def f(value):\n    return type(value)()\n", "def f(value):\n    return list(value)[:0]\n"
    for test in tests:
        exec(right + test.program, {})
        with pytest.raises(AssertionError):
            exec(wrong + test.program, {})


def test_only_failures_are_read_with_another_limit_and_answers_are_kept(tmp_path, monkeypatch):
    """What passed needs no longer limit, and what is known is not asked again."""
    asked = []

    def answer(_judge, script, arguments, core=None):
        name, cases, out, _, limit = arguments
        questions = [json.loads(line) for line in Path(cases).read_text().splitlines()]
        asked.append((script, name, [question["case"] for question in questions], limit, core is None))
        answers = [{"case": q["case"], "passed": [q["case"] == "a"], "load": 0.5} for q in questions]
        Path(out).write_text("".join(json.dumps(row) + "\n" for row in answers) + '{"case": "cu')

    monkeypatch.setattr("benchmarks.recorded.parity.readings.run_isolated", answer)
    judge = Judge("mbpp", "python", "", tmp_path, tmp_path)
    questions = {case: {"case": case} for case in "ab"}
    readings = [Reading("1"), Reading("20 s", limit_s=20), Reading("busy", busy=1)]
    found = read_all(judge, questions, readings)
    assert asked == [
        ("official.py", "mbpp", ["a", "b"], "", True),
        ("official.py", "mbpp", ["a", "b"], "", False),
        ("official.py", "mbpp", ["b"], "20", True),
    ]
    assert [found[case]["20 s"]["passed"] for case in "ab"] == [[True], [False]]
    assert read_all(judge, questions, readings) == found
    assert len(asked) == 3


def test_no_busy_process_outlives_the_reading(tmp_path):
    """The processes are there inside the block and gone after it; none is started for 0."""
    judge = Judge("mbpp", "python", "", tmp_path, tmp_path)
    with busy_core(judge, 0) as core:
        assert (core, _count_busy()) == (None, 0)
    with busy_core(judge, 2) as core:
        assert core is not None
        until = time.monotonic() + 180
        while (
            _count_busy() < 2 and time.monotonic() < until
        ):  # a command line is empty while a program starts
            time.sleep(0.05)
        assert _count_busy() == 2
    assert _count_busy() == 0


def test_busy_processes_end_when_the_benchmark_is_killed(tmp_path):
    """A benchmark that is killed cannot end them, so they end by themselves."""
    program = (
        "import sys, time; sys.path.insert(0, '.')\n"
        "from pathlib import Path\n"
        "from benchmarks.recorded.parity.readings import Judge, busy_core\n"
        f"place = Path({str(tmp_path)!r})\n"
        "with busy_core(Judge('mbpp', 'python', '', place, place), 1):\n"
        "    children = Path('/proc/self/task').glob('*/children')\n"
        "    print(*(path.read_text() for path in children), flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as run:
        (busy,) = run.stdout.readline().split()
        run.kill()
    until = time.monotonic() + 180
    while "while os.getppid()" in _command(busy) and time.monotonic() < until:
        time.sleep(0.1)
    assert "while os.getppid()" not in _command(busy)


def _count_busy():
    return sum("while os.getppid()" in _command(pid) for pid in list_children("self"))


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
