"""Calls of the kernel that the standard library has no name for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sstar_code.sandbox.inside import kernel

_CONFINED = """
import os, signal, sys, threading
from sstar_code.sandbox.inside import kernel
kernel.control(kernel.NO_NEW_PRIVILEGES)
kernel.enter_domain(kernel.make_domain())
def may(pid):
    try: os.kill(pid, 0)
    except PermissionError: return False
    return True
def may_read(pid):
    try: os.readlink(f"/proc/{pid}/exe")
    except PermissionError: return False
    return True
signal.signal(signal.SIGUSR1, lambda *_: None)
threading.Thread(target=signal.raise_signal, args=(signal.SIGUSR1,)).start()
child = os.fork()
if child == 0: signal.pause()
def may_execute():
    try: os.execv("/bin/true", ["true"])
    except PermissionError: return False
os.mkdir("one"); os.mkdir("two"); os.rename("one", "two/one")
print(may_execute(), may(os.getppid()), may_read(os.getppid()), may(os.getpid()), may(child))
os.kill(child, 9)
"""


def test_a_domain_keeps_signals_and_eyes_inside(tmp_path):
    """A process in a domain of its own reaches itself and what it started, and nothing else of its user."""
    ruleset = kernel.make_domain()
    if ruleset is None:
        pytest.skip("the kernel has no Landlock that knows scopes (Linux 6.12)")
    os.close(ruleset)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _CONFINED],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.stdout.split() == ["False", "False", "False", "True", "True"]


_COUNTED = """
import os, sys
from sstar_code.sandbox.inside import kernel
os.setuid(int(sys.argv[1]))
print(kernel.is_counted_apart())
"""


@pytest.mark.skipif(os.getuid() != 0, reason="not root")
@pytest.mark.parametrize("others", [0, 6])
def test_whether_others_count(others, tmp_path):
    """A limit of processes is for ourselves alone where nobody else runs as our user."""
    uid = 3_000_000_000 + others
    command = ["/bin/sleep", "86400"]
    started = [subprocess.Popen(command, user=uid, cwd=tmp_path.anchor) for _ in range(others)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _COUNTED, str(uid)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    for process in started:
        process.kill()
        process.wait()
    assert done.stdout.strip() == str(others == 0)
