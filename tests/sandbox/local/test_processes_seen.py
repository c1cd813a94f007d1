"""What a supervisor sees of its runs, which is what their limits are judged by."""

from __future__ import annotations

import os
import subprocess

import pytest

from sstar_code.sandbox.local.pipe_worker import find_interpreter, list_parts, start_in_namespaces

_SHOW = "import os; print('1' in os.listdir(3), open('/proc/self/stat').read().split()[0])"


def test_the_inside_finds_a_proc_that_shows_all_its_processes():
    """Under the number that was asked for, whichever numbers were free: without it load decides verdicts."""
    # root becomes an ordinary user inside, who may not enter root's home
    python = find_interpreter() if os.geteuid() else os.path.realpath("/usr/bin/python3")
    shown = start_in_namespaces(
        python, [python, "-S", "-c", _SHOW], list_parts(python), user=True, proc_descriptor=3
    )
    done = subprocess.run(shown, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if "not permitted" in done.stderr or "No space" in done.stderr:
        pytest.skip("no user namespaces here")
    assert done.stdout.split() == ["True", "1"], done.stderr
