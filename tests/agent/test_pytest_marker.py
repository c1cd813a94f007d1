"""The marker of tests that were written by `--emit-tests`, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest

from sstar_code.problems import Kind, Problem
from sstar_code.selection.protocols import Derived
from sstar_code.selection.pytest_export import write_tests
from tests.support import ROOT

PLUGIN = "sstar_code.agent.pytest_marker"


@pytest.fixture
def folder(tmp_path):
    """A project with a derived test and one of its own."""
    (tmp_path / "solution.py").write_text("def f(x):\n    return x + 1\n")
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    problem = Problem("p", "", Kind.FUNCTION, "f")
    found = [Derived("1", "2", 0.9, "the judge")]
    assert write_tests(problem, found, tmp_path / "test_derived.py", target="solution.py") == 1
    return tmp_path


def run_pytest(folder, *words, plugin=True):
    more = ["-p", PLUGIN] if plugin else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-W", "error", "-p", "no:cacheprovider",
         *more, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("wanted", "ran"), [("sstar_derived", "test_derived.py"), ("not sstar_derived", "test_own.py")]
)
def test_derived_tests_can_be_chosen_and_left_out(folder, wanted, ran):
    """`-m` takes the marker either way, and strict markers know it."""
    code, told = run_pytest(folder, "-vv", "-m", wanted)
    assert code == 0, told
    assert "1 passed, 1 deselected" in told
    assert f"{ran}::" in told


def test_without_the_plugin_the_tests_run_all_the_same(folder):
    """What is written stands alone: no unknown marker, no import of ours."""
    code, told = run_pytest(folder, plugin=False)
    assert (code, "2 passed" in told) == (0, True), told
    assert "import sstar" not in (folder / "test_derived.py").read_text()


def test_a_pytest_that_asks_for_it_pays_next_to_nothing():
    """It loads no module that is not loaded already, and nobody gets it unasked."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "pytest11" not in project.get("entry-points", {})
    code = (
        "import sys, pytest; before = set(sys.modules)\n"
        f"import {PLUGIN}\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["sstar_code", "sstar_code.agent", PLUGIN]
