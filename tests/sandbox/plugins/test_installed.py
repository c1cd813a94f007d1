"""Packages that bring a set, a checker and a sandbox are installed, and the command uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support import ROOT
from tests.support.plugins import install_examples

pytest.importorskip("hatchling", reason="make setup installs it")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The examples, installed beside the product."""
    return install_examples(tmp_path_factory.mktemp("plugins"))


@pytest.fixture
def sstar(site, tmp_path):
    """Runs the command as a process that finds the examples."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SSTAR_")}
    environment = {**clean, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT / "src")])}
    main = "import sys; from sstar_code.agent.cli.main import main; sys.exit(main())"

    def call(*words):
        command = [sys.executable, "-c", main, *map(str, words)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return call


def _grade(sstar, path, problem, programs, *words):
    """The verdict of each of `programs` on `problem`, and the command's standard error."""
    (path / "set.jsonl").write_text(json.dumps({"id": "p", "statement": "s", "kind": "stdin"} | problem))
    rows = [json.dumps({"task_id": "p", "solution": program}) for program in programs]
    (path / "samples.jsonl").write_text("\n".join(rows))
    ended = sstar("grade", "jsonl:set.jsonl", "samples.jsonl", "--out", "out", *words)
    assert ended.returncode in (0, 1), ended.stderr
    lines = (path / "out" / "verdicts.jsonl").read_text().splitlines()
    return [json.loads(line)["verdict"] for line in lines], ended.stderr


def test_a_problem_names_an_installed_checker_and_sandbox(sstar, tmp_path):
    """The checker `divisors:3` and `--sandbox plain-process` decide; whose sandbox it is is said."""
    problem = {"checker": "divisors:3", "hidden_tests": [{"input": "30\n", "output": "30"}]}
    programs = ["print(2, 3, 5)", "print(5, 2, 3)", "print(6, 5)", "print('x y z')", "raise KeyError"]
    verdicts, words = _grade(sstar, tmp_path, problem, programs, "--sandbox", "plain-process")
    assert verdicts == ["AC", "AC", "WA", "WA", "RE"]
    assert "sandbox plain-process of sstar-sandbox-example 1.0, as asked" in words


def test_an_installed_set_is_listed_and_graded(sstar, tmp_path):
    """`powers` and `powers:FILE` are sets like any other."""
    (tmp_path / "four").write_text("4")
    (tmp_path / "samples.jsonl").write_text(
        json.dumps({"task_id": "power-4", "solution": "def f(x):\n    return x ** 4"})
    )
    graded = sstar("grade", "powers:four", "samples.jsonl", "--sandbox", "unsafe", "--json")
    assert json.loads(graded.stdout)["pass@1"] == 1.0, graded.stderr
    assert "sstar-set-example 1.0" in sstar("ls").stdout


SANDBOXES = "auto, docker, local, unsafe, plain-process"
CHECKERS = "exact, lines, floats, unordered, any-case, python, livecodebench, codecontests, apps, divisors"
GRADE = ("grade", "powers", "s.jsonl", "--sandbox")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*GRADE, "plain-proces"], f"(did you mean 'plain-process'?): choose one of {SANDBOXES}"),
        ([*GRADE, "plain-process", "--runtime", "runsc"], "needs the docker sandbox, not plain-process"),
        (["validate", "jsonl:set.jsonl"], f"unknown checker 'divisor'; there are {CHECKERS}, or"),
    ],
)
def test_a_name_that_is_not_there_lists_what_is(sstar, tmp_path, words, message):
    """What packages bring is offered with what we bring."""
    (tmp_path / "set.jsonl").write_text(
        json.dumps({"id": "p", "statement": "s", "kind": "stdin", "checker": "divisor"})
    )
    (tmp_path / "s.jsonl").write_text(json.dumps({"task_id": "power-2", "solution": "x"}))
    ended = sstar(*words)
    assert message in " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode in (1, 2)


def test_a_sandbox_that_cannot_do_it_says_so(sstar, tmp_path):
    """What a package's sandbox refuses is its own line, an infrastructure failure, never a verdict."""
    (tmp_path / "s.jsonl").write_text(
        json.dumps({"task_id": "power-2", "solution": "def f(x): return x * x"})
    )
    ended = sstar("grade", "powers", "s.jsonl", "--sandbox", "plain-process")
    assert ended.returncode == 3
    assert "plain-process runs programs on standard input only" in ended.stderr
