"""No answer of a program ends, stalls or swells a run: `grade`, `select`, `eval` and `solve`."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
from contextlib import closing
from itertools import product

import pytest

from sstar_code.problems import checkers
from sstar_code.sandbox import grade as grading
from tests.agent.conftest import DOUBLE
from tests.support import mark_slow_but

RIGHT, SQUARE = "print(int(input()) * 2)", "print(int(input()) ** 2)"
OTHER = {**DOUBLE, "id": "other", "statement": "Print twice the integer that you read."}
ANSWER = f"```python\n{RIGHT}\n```"


def sample(code, name="double"):
    return {"task_id": name, "solution": code}


class Commands:
    """Runs commands on problems.jsonl and s.jsonl in a folder of their own."""

    def __init__(self, sstar, folder, write_set, isolated):
        self._sstar, self.folder, self.write_set, self.isolated = sstar, folder, write_set, isolated

    def write_samples(self, *rows):
        (self.folder / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(self, command, *words):
        """How `sstar COMMAND jsonl:problems.jsonl ...` ended; it writes to run."""
        return self._sstar(command, "jsonl:problems.jsonl", *words, *self.isolated, "--out", "run")

    def rows(self, name):
        """The lines of a file in run."""
        return [json.loads(line) for line in (self.folder / "run" / name).read_text().splitlines()]


@pytest.fixture
def commands(sstar, folder, write_set, isolated):
    """Grade and select in this process."""
    return Commands(sstar, folder, write_set, isolated)


@pytest.fixture
def break_other(monkeypatch):
    """Let the comparison of outputs raise where the checker is `lines`, as a value once did."""

    def compare(checker, kind, expected, got):
        if checker == "lines":
            raise TypeError("unhashable \x1b[31m type")
        return checkers.accepts(checker, kind, expected, got)

    monkeypatch.setattr(grading, "accepts", compare)
    return {**OTHER, "checker": "lines"}


def test_grade_goes_on_after_a_problem_that_raises(commands, break_other):
    """Its samples are told and count as wrong, the others have their verdicts, and so it is each time."""
    commands.write_set(break_other, DOUBLE)
    commands.write_samples(sample(RIGHT, "other"), sample(RIGHT), sample(SQUARE))
    for _ in range(2):
        ended = commands.run("grade", "s.jsonl")
        rows = commands.rows("verdicts.jsonl")
        assert (ended.code, [row["verdict"] for row in rows]) == (3, ["IE", "AC", "WA"])
        error = "unexpected TypeError at test_hostile_answers.py:"
        assert rows[0]["error"].startswith(error)
        assert f"sstar: error: other: {error}" in ended.err
        assert "\x1b" not in ended.err + rows[0]["error"]
        assert "grade again" not in ended.out + ended.err
    ended = commands.run("grade", "s.jsonl", "--json")
    assert (ended.code, ended.json["pass@1"], ended.json["raised"]) == (3, 0.25, 1)


def test_select_goes_on_after_a_problem_that_raises(commands, break_other):
    """Nothing is chosen for it, with the reason; the others have their choice."""
    commands.write_set(break_other, DOUBLE)
    commands.write_samples(sample(RIGHT, "other"), sample(SQUARE, "other"), sample(SQUARE), sample(RIGHT))
    ended = commands.run("select", "s.jsonl", "--no-model")
    rows = commands.rows("selections.jsonl")
    assert (ended.code, [row["chosen"] for row in rows]) == (3, [None, 0])
    assert "sstar: error: other: unexpected TypeError at" in ended.err
    assert [("error" in row) for row in rows] == [True, False]


def test_eval_keeps_the_error_of_a_problem_that_raises(commands, serve, break_other, monkeypatch):
    """It counts as wrong, the next start does not try it again but says so, and `--retry errors` does."""
    commands.write_set(break_other, DOUBLE)
    server = serve(ANSWER)
    words = ("eval", "-m", "tiny", "--base-url", server.base_url, "--n", "1", "--rounds", "0")
    for _ in range(2):
        ended = commands.run(*words)
        assert ended.code == 3
        assert "error: other: unexpected TypeError at" in ended.out
        assert "--retry errors tries it again" in ended.out
        assert len(server.received) == 2
        summary = json.loads((commands.folder / "run" / "summary.json").read_text())
        assert (summary["pass@1"], summary["errors"], summary["unfinished"]) == (0.5, 1, 0)
    monkeypatch.setattr(grading, "accepts", checkers.accepts)
    ended = commands.run(*words, "--retry", "errors", "--json")
    assert (ended.code, ended.json["pass@1"], ended.json["errors"]) == (0, 1.0, 0)
    assert len(server.received) == 2, "the answer was stored"


FORGER = """
import sys
sys.modules["sstar_code.problems.values"].encode = lambda _: {text!r}
def twice(items):
    return items
"""


@pytest.mark.parametrize(
    "text",
    [
        '[{"$repr": [], "$type": {}}]',
        '{"$repr": 5, "$type": [1]}',
        '{"$dict": [[{"$repr": {}, "$type": "x"}, 1]]}',
        "[" * 5000 + "]" * 5000,
        '{"$set": [' + ", ".join(str(n * ((1 << 61) - 1)) for n in range(1, 2000)) + "]}",
    ],
)
def test_a_forged_value_is_a_wrong_answer_everywhere(commands, serve, text):
    """Graded, chosen among, and shown to a model that repairs: WA, and no end of the run."""
    tests = [{"input": "[3]", "output": "[3, 3]"}, {"input": "[4]", "output": "[4, 4]"}]
    problem = {"id": "twice", "statement": "Twice.", "kind": "function", "entry_point": "twice"}
    commands.write_set({**problem, "checker": "unordered", "public_tests": tests, "hidden_tests": tests})
    forged = FORGER.format(text=text)
    commands.write_samples(
        sample(forged, "twice"), sample("def twice(items):\n    return items * 2", "twice")
    )
    ended = commands.run("grade", "s.jsonl", "--explain", "twice")
    assert (ended.code, "AC 1  WA 1" in ended.out) == (0, True)
    ended = commands.run("select", "s.jsonl", "--no-model", "--fresh")
    assert (ended.code, ended.out.split("\t")[1]) == (0, "1")
    words = ("-m", "tiny", "--base-url", serve(f"```python\n{forged}\n```").base_url, "--fresh")
    ended = commands.run("eval", *words, "--n", "2", "--rounds", "1", "--json")
    assert (ended.code, ended.json["pass@1"]) == (0, 0.0)


def test_long_outputs_fill_neither_memory_nor_the_store(commands):
    """Forty outputs of 16 MB, each of emoji: what is kept of all is a few megabytes."""
    tests = [{"input": f"{number}\n", "output": str(2 * number)} for number in range(20)]
    commands.write_set({**DOUBLE, "public_tests": tests[:1], "hidden_tests": tests[1:]})
    emoji = "print('\\U0001f600' * ((4 << 20) - 8))"
    noise = "import base64, os\nprint(base64.b64encode(os.urandom(12 << 20 - 8)).decode())"
    commands.write_samples(sample(emoji), sample(noise), sample(RIGHT))
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = commands.run("grade", "s.jsonl", "--all-tests")
    assert (ended.code, "AC 1  WA 2" in ended.out) == (0, True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 400 << 10
    assert (commands.folder / "run" / "run.db").stat().st_size < 8 << 20
    rows = commands.rows("verdicts.jsonl")
    assert rows[0]["error"] == "test 1: WA: over 65636 characters, not compared"


@pytest.mark.parametrize("checker", mark_slow_but(["exact"], ["exact", "unordered", "floats"]))
def test_select_among_programs_that_write_without_end(commands, checker):
    """Those that differ only after the beginning are told apart by hash; none is compared for long."""
    commands.write_set({**DOUBLE, "checker": checker, "hidden_tests": []})
    loud = [
        f"n = int(input())\nprint(4 if n == 2 else '7 ' * (6 << 20) + '{number}')" for number in (1, 1, 2)
    ]
    commands.write_samples(sample(RIGHT), *map(sample, loud))
    ended = commands.run("select", "s.jsonl", "--no-model", "--fresh")
    (row,) = commands.rows("selections.jsonl")
    assert ended.code == 0
    assert row["clusters"] == [[0], [1, 2], [3]]
    assert (commands.folder / "run" / "selections.jsonl").stat().st_size < 100_000
    with closing(sqlite3.connect(commands.folder / "run" / "run.db")) as db:
        assert db.execute("SELECT max(length(execution)) FROM executions").fetchone()[0] < 10_000


BUSY = """
import sys
from sstar_code.agent.cli.main import main
from sstar_code.sandbox import grade

def compare(*_):
    print("busy", file=sys.stderr, flush=True)
    while True:
        pass

grade.accepts = compare
main({words!r})
"""


@pytest.mark.parametrize(
    ("command", "signals"),
    mark_slow_but([("eval", 1), ("grade", 2)], product(("grade", "select", "eval", "solve"), (1, 2))),
)
def test_an_interrupt_ends_a_comparison_that_never_ends(spawn, commands, serve, command, signals):
    """One Ctrl-C or two, while the event loop is busy: exit 130, and the store can be read."""
    commands.write_set(DOUBLE)
    commands.write_samples(sample(RIGHT), sample(SQUARE))
    (commands.folder / "t.md").write_text(
        "Read an integer, print it doubled.\n\nExample\n\nInput\n\n```\n2\n```\n\nOutput\n\n```\n4\n```\n"
    )
    asked = ("-m", "tiny", "--base-url", serve(ANSWER).base_url)
    words = {
        "grade": ["jsonl:problems.jsonl", "s.jsonl"],
        "select": ["jsonl:problems.jsonl", "s.jsonl", "--no-model"],
        "eval": ["jsonl:problems.jsonl", *asked, "--n", "1"],
        "solve": ["t.md", *asked, "--n", "1"],
    }[command]
    process = spawn(program=BUSY.format(words=[command, *words, *commands.isolated, "--out", "run"]))
    while process.stderr.readline() != "busy\n":
        assert process.poll() is None
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    if signals == 1:
        assert "sstar: interrupted; what was finished is kept" in err
    with closing(sqlite3.connect(commands.folder / "run" / "run.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
