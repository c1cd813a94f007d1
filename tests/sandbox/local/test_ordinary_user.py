"""Isolation for an ordinary user: the same verdicts, in every way that the kernel gives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio as anyio_package
import idna
import pytest

from tests.support import ROOT

pytestmark = pytest.mark.root


_SCRIPT = r"""
import json, sys
sys.path[:0] = json.loads(sys.argv[2])
import anyio
from sstar_code.sandbox import Limits, Mode, Program
from sstar_code.sandbox.local.pipe_worker import list_ways
from sstar_code.sandbox.local.sandbox import LocalSandbox

BARRED = '''
import ctypes, os
libc = ctypes.CDLL(None)
def attempt(action, *arguments):
    try: return action(*arguments) not in (-1,)
    except OSError: return False
print([
    attempt(os.kill, 1, 9), attempt(os.kill, os.getppid(), 9), attempt(os.fork), attempt(open, '/left', 'w'),
    attempt(open, '/proc/1/mem', 'rb'), attempt(open, '/proc/1/environ'), attempt(open, '/etc/passwd'),
    attempt(__import__('socket').socket), attempt(os.pidfd_open, 1), attempt(libc.unshare, 0x10000000),
    attempt(libc.prctl, 4, 1, 0, 0, 0), attempt(__import__('resource').prlimit, 1, 0),
])
'''
CASES = [
    (Program("print(sum(map(int, input().split())))"), "1 2"),
    (Program("def f(a): return (a,)", Mode.CALL, "f"), "[1]"),
    (Program("def f(a): return 2"), "x"),
    (Program("def f(a): return 2", Mode.ASSERT), "assert f(1) == 1"),
    (Program("1 / 0"), ""),
    (Program("while True: pass"), ""),
    (Program("import time; time.sleep(9)"), ""),
    (Program("x = [0] * (1 << 40)"), ""),
    (Program("while True: print('x' * 999)"), ""),
    (Program("("), ""),
    (Program("import threading; threading.stack_size(1 << 27); threading.Thread(target=print).start()"), ""),
    (Program("import decimal, fractions, sqlite3; print(decimal.Decimal(1) / 3)"), ""),
    (Program(BARRED), ""),
]

async def main():
    rows = {}
    for way in list_ways():
        if sys.argv[1] != way.name:
            continue
        async with LocalSandbox(1, ways=[way]) as sandbox:
            runs = []
            for program, text in CASES:
                wall_s = 1.5 if "sleep" in program.code else 15.0
                limits = Limits(cpu_s=1.0, wall_s=wall_s, memory_mb=256, output_kb=99)
                runs += await sandbox.run(program, [text], limits)
            rows = [[run.status.value, run.result, run.stdout[:200]] for run in runs]
    print(json.dumps(rows))

anyio.run(main)
"""

_EXPECTED = ["OK", "OK", "OK", "RE", "RE", "TLE", "TLE", "MLE", "OLE", "CE", "OK", "OK", "OK"]


def _readable_python() -> str | None:
    """An interpreter that another user can start (ours may live in a private home)."""
    probe = "import os, sys; sys.exit(sys.version_info < (3, 11) or not os.access(sys._base_executable, 1))"
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for python in (sys.executable, "/usr/bin/python3"):
        if (
            subprocess.run([*user, python, "-I", "-c", probe], capture_output=True, check=False).returncode
            == 0
        ):
            return python
    return None


@pytest.fixture
def folder():
    """A folder that everyone may read; the folders of pytest are closed when another pytest begins."""
    with TemporaryDirectory(prefix="sstar-ordinary-", dir="/tmp") as name:
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("way", ["bubblewrap", "user namespaces"])
def test_ordinary_user_gets_the_same_verdicts(way, folder):
    """As uid 65534, with no privilege at all: each kind of end, and every door barred."""
    if way == "bubblewrap" and not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    python = _readable_python()
    if python is None or not shutil.which("setpriv"):
        pytest.skip("no interpreter that another user can start, or no setpriv")
    paths = _copy_for_everyone(folder)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
    command = [*user, python, "-I", "-c", _SCRIPT, way, json.dumps(paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", timeout=120)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row[0] for row in rows] == _EXPECTED, rows
    assert rows[1][1] == '{"$tuple": [[1]]}'
    assert rows[-1][2] == f"{[False] * 12}\n"


def _copy_for_everyone(folder: Path) -> list[str]:
    """Our packages and anyio where another user may read them."""
    ours = folder / "sstar_code"
    for name in ("problems", "sandbox"):
        shutil.copytree(ROOT / name, ours / name)
    (ours / "__init__.py").write_text("")
    for package in (anyio_package, idna):
        source = Path(package.__file__).parent
        shutil.copytree(source, folder / source.name)
    typing_extensions = Path(anyio_package.__file__).parent.parent / "typing_extensions.py"
    if typing_extensions.is_file():
        shutil.copy(typing_extensions, folder)
    folder.chmod(0o755)
    return [str(folder)]
