"""Our verdicts against recorded ones, on a few programs; `docs/measurements/agreement.md` has all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "every"), [("humaneval_codet", 211), ("livecodebench", 160), ("mbpp_pool", 97)]
)
def test_programs_get_the_recorded_verdicts(shared_data, sandbox_local, name, every, tmp_path):
    """A sample of recorded programs gets the recorded verdicts, and none is lost by the sandbox."""
    out = tmp_path / "differences.json"
    command = [sys.executable, "-m", "benchmarks.recorded.agreement", str(shared_data), "--only", name]
    command += ["--sandbox", "local", "--every", str(every), "--out", str(out)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert out.read_text() == "[]"
