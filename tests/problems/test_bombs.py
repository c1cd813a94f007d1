"""Data files that would eat the machine: each is one line, exit code 2, little memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.support import ROOT
from tests.support.bombs.files import PLACES, list_contents
from tests.support.bombs.rows import CHANGES, ROWS

_MOST_MB, _MOST_S = 300, 5.0
_USUAL_S = 0.2
"""What it takes to parse a million numbers on a machine where the bound of seconds holds with room."""
_NAMES = [*list_contents({}, "a")]
_OTHERS = [reader for reader in ROWS if reader != "jsonl"]
_CASES = [("jsonl", name) for name in _NAMES] + [
    pytest.param(_OTHERS[place % len(_OTHERS)], name, marks=pytest.mark.slow if place % 8 else ())
    for place, name in enumerate(_NAMES)
]
"""Every content for one reader, and for another, since lines are read alike by all."""


@pytest.fixture(scope="module")
def read():
    """Has a reader read a path in a process of its own: what came of it, and what it cost."""
    command = [sys.executable, "-m", "tests.support.bombs.measure"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(reader, path):
            process.stdin.write(json.dumps([reader, str(path)]) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


def _check(found, path):
    assert found["rc"] == 2, found
    assert found["err"].startswith("sstar: "), found
    assert found["err"].count("\n") == 1, found
    assert len(found["err"]) < 700, found
    assert str(path) in found["err"], found
    _check_cost(found)


def _check_cost(found):
    assert found["mb"] < _MOST_MB, found
    assert found["cpu_s"] < _MOST_S or found["cpu_s"] < _MOST_S * _measure_slowness(), found


def _measure_slowness():
    """How many times the CPU time this machine takes now of one on which the bound of seconds was set."""
    text = "[" + "1.5," * 1_000_000 + "1]"
    spent_s = []
    for _ in range(5):
        started_s = time.process_time()
        json.loads(text)
        spent_s.append(time.process_time() - started_s)
    return sorted(spent_s)[2] / _USUAL_S


@pytest.mark.parametrize(("reader", "name"), _CASES)
def test_a_file_that_unfolds_is_refused(read, tmp_path, reader, name):
    """Packed, nested, endless and damaged files end at a bound, whatever form they are said to have."""
    path = tmp_path / "data"
    path.write_bytes(list_contents(*ROWS[reader])[name]())
    found = read(reader, path)
    path.unlink()
    if name.startswith("many") and found["rc"] == 0:  # within the bounds, and what this reader takes
        assert max(found["mb"] / _MOST_MB, found["cpu_s"] / _MOST_S) < 1
    else:
        _check(found, path)


@pytest.mark.parametrize("name", CHANGES)
def test_a_row_that_unfolds_is_refused(read, tmp_path, name):
    """Values inside a row have bounds of their own, and the message has its line and key."""
    reader, change = CHANGES[name]
    path = tmp_path / "data"
    path.write_text(json.dumps(ROWS[reader][0] | change()))
    found = read(reader, path)
    _check(found, path)
    assert f"{path}:1: " in found["err"]


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("reader", ["jsonl", "samples", "recording", "statement", "prices"])
def test_what_is_no_file_is_refused(read, tmp_path, reader, name):
    """A pipe, a device or holes are not read, since they may never end."""
    if name == "a folder of nothing" and reader == "samples":
        pytest.skip("a folder without programs is no fault of its reader")
    path = tmp_path / "data"
    PLACES[name](path)
    _check(read(reader, path), path)


@pytest.mark.parametrize("reader", ["jsonl", "lcb", "samples"])
def test_honest_rows_of_many_megabytes_are_read(read, tmp_path, reader):
    """Bounds are far from what published sets hold: 36 MB of tests in a row."""
    rows = {
        "jsonl": ROWS["jsonl"][0] | {"hidden_tests": [{"input": "1 2 3\n" * 300_000, "output": "6"}] * 20},
        "lcb": ROWS["lcb"][0] | {"public_test_cases": [{"input": "1 2\n" * 10**6, "output": "3"}] * 8},
        "samples": ROWS["samples"][0] | {"solution": "x = 1\n" * 50_000},
    }
    path = tmp_path / "data"
    path.write_text(json.dumps(rows[reader]))
    assert read(reader, path)["rc"] == 0
