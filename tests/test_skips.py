"""A test that is not run says so, and where it must run it fails."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT, skip_unless_required

SKIPPING = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_many(number):
    pytest.skip("no engine")

@pytest.mark.skipif(True, reason="not root")
def test_one():
    pass

def test_run():
    pass
"""


@pytest.mark.parametrize("words", [[], ["-n", "1"]])
def test_the_last_line_says_what_was_skipped_and_why(tmp_path, words):
    """Skipped tests are counted by their reason in one line, the last, with and without workers."""
    (tmp_path / "test_made_up.py").write_text(SKIPPING)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "--rootdir",
        tmp_path,
        *words,
        tmp_path,
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "skipped: 3 x no engine; 1 x not root"


@pytest.mark.parametrize("what", ["DOCKER", "DATA"])
def test_what_is_required_is_not_skipped(monkeypatch, what):
    """A test that lacks something is skipped, and fails where that has to be there."""
    monkeypatch.delenv(f"SSTAR_REQUIRE_{what}", raising=False)
    with pytest.raises(pytest.skip.Exception, match="nothing there"):
        skip_unless_required(what, "nothing there")
    monkeypatch.setenv(f"SSTAR_REQUIRE_{what}", "1")
    with pytest.raises(pytest.fail.Exception, match=f"SSTAR_REQUIRE_{what}=1, but nothing there"):
        skip_unless_required(what, "nothing there")
