"""What one piece of work leaves does not reach the next, and nothing outlives its owner."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sstar_code.sandbox import ownership
from sstar_code.sandbox.ownership import make_folder, reap_folders

BOMB = """
import os, time
for _ in range(200):  # root in a namespace of its own has no limit
    try:
        if os.fork() == 0:
            os.setsid()
            time.sleep(300)
    except OSError:
        break
"""
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    time.sleep(300)
"""
FILL = """
import os
for place in ('/tmp', '/dev/shm'):
    try:
        for number in range(30000):
            open(f'{place}/file{number}', 'wb').close()
    except OSError: pass
    try:
        for number in range(300):
            with open(f'{place}/file{number}', 'wb') as file: file.write(b'x' * (8 << 20))
    except OSError: pass
"""
HIDE = """
import os, ctypes
os.makedirs('/tmp/home/.local/lib/python3.11/site-packages', exist_ok=True)
os.chmod('/tmp/home', 0o000)
os.makedirs('/tmp/locked/inner'); os.chmod('/tmp/locked/inner', 0); os.chmod('/tmp/locked', 0)
os.symlink('/', '/tmp/link'); os.mkfifo('/tmp/pipe')
os.chdir('/tmp')
for number in range(1500):
    os.mkdir('d'); os.chdir('d')
"""
LOOK = """
import os, pathlib
def child():
    pid = os.fork()
    if pid == 0: os._exit(0)
    return os.waitpid(pid, 0)[1]
others = [p for p in range(2, 2000) if p != os.getpid() and pathlib.Path(f'/proc/{p}').exists()]
def alive(pid):
    try: os.kill(pid, 0)
    except OSError: return False
    return True
pathlib.Path('/tmp/free').write_bytes(b'x' * (100 << 20))
pathlib.Path('/tmp/free').unlink()
seen = [sum(alive(p) for p in range(2, 5000)) - 1, child(),
        sorted(set(os.listdir('/tmp')) - MOUNTED), os.listdir('/dev/shm'), os.listdir('/tmp/home')]
"""


@pytest.mark.parametrize("code", [BOMB, DAEMON, FILL, HIDE], ids=["bomb", "daemon", "fill", "hide"])
def test_the_next_piece_of_work_finds_the_place_clean(held, root, code):
    """No process, not one that waits to be reaped, no file, all the room, and the home as it was."""
    shown = (root, Path(sys.prefix), Path(sys.base_prefix))  # what is mounted may lie under /tmp
    mounted = {place.parts[2] for place in shown if place.parts[1] == "tmp"}
    look = LOOK.replace("MOUNTED", repr(mounted) if mounted else "set()")
    first, *rest = held.look(root, look, code, look, code, look)
    clean = [0, 0, ["home"], [], []]
    assert (first, rest[1], rest[3]) == (clean, clean, clean)


PLANT = '''
import os, sys
def f():
    lie = """
import json
real = json.dumps
def dumps(x, *a, **k):
    if isinstance(x, dict) and "test" in x and "status" in x:
        x = {n: v for n, v in x.items() if n not in ("failure", "text", "when", "line")}
        x.update(status="OK", outcome="passed")
    return real(x, *a, **k)
json.dumps = dumps
"""
    folder = f"/tmp/home/.local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    os.makedirs(folder, exist_ok=True)
    places = [f"{folder}/{name}.py" for name in ("usercustomize", "sitecustomize", "pytest")]
    here = os.getcwd()
    while here.startswith("/tmp/"):
        here = os.path.dirname(here)
        places.append(here + "/conftest.py")
        places.append(here + "/sitecustomize.py")
    for path in places:
        try:
            open(path, "w").write(lie)
        except OSError:
            pass
    try:
        open(folder + "/x.pth", "w").write("import usercustomize\\n")
    except OSError:
        pass
    return 3
'''


def test_nothing_planted_reaches_a_later_run_of_the_tests(held, root):
    """Modules in the home, `.pth` files, `conftest.py` files above: the second run fails as the first."""
    (root / "m.py").write_text(PLANT)
    (root / "test_m.py").write_text(
        "from m import f\n\ndef test_a():\n    assert f() == 4\n\ndef test_b():\n    assert f() == 5\n"
    )
    runs = held.run_tests(root, "test_m.py", times=3)
    for run in runs:
        assert [item["status"] for item in run.results] == ["RE", "RE"]


def test_what_a_module_makes_when_it_is_imported_stays(held_ways, root):
    """Its files are there for every call, as they were, whatever an earlier call did to them."""
    held = held_ways("user namespaces")
    (root / "b.py").write_text(
        "import tempfile, pathlib\nPLACE = pathlib.Path(tempfile.mkdtemp())\n"
        "(PLACE / 'data').write_text('kept')\n"
    )
    spoil = "import b, shutil; (b.PLACE / 'more').write_text('x'); (b.PLACE / 'data').write_text('spoilt')"
    (root / "a.py").write_text(
        "import b\ndef look(code):\n    space = {}\n    exec(code, space)\n    return space.get('seen')\n"
    )
    ask = "import b, os; seen = [(b.PLACE / 'data').read_text(), os.listdir(b.PLACE)]"
    target = {
        "module": "a",
        "path": ["look"],
        "how": "function",
        "constructor": None,
        "keywords": [],
        "raises": [],
    }
    inputs = [json.dumps(code) for code in (ask, spoil, ask, "import b, shutil; shutil.rmtree(b.PLACE)", ask)]
    limits = {"cpu_s": 20.0, "wall_s": 60.0, "memory_mb": 300, "output_kb": 64}
    request = {"do": "call", "target": target, "inputs": inputs, "plain": [True] * 5, "limits": limits}
    (answers,) = held.ask(root, [request])
    assert [json.loads(item["result"]) for item in (answers[0], answers[2], answers[4])] == [
        ["kept", ["data"]]
    ] * 3


OWNER = """
import sys, anyio
from pathlib import Path
from tests.agent.repository.isolation.conftest import WAYS
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.sandbox.local.sandbox import LocalSandbox
from sstar_code.sandbox.docker.sandbox import DockerSandbox

async def main(way, root):
    sandbox = DockerSandbox(1) if way == "docker" else LocalSandbox(1, ways=[WAYS[way]])
    async with sandbox, RepositoryRunner(root, sys.executable, sandbox) as runner:
        print(runner._folder, flush=True)
        target = {"module": "a", "path": ["f"], "how": "function", "constructor": None}
        target |= {"keywords": [], "raises": []}
        limits = {"cpu_s": 300.0, "wall_s": 300.0, "memory_mb": 300, "output_kb": 64}
        request = {"do": "call", "target": target, "inputs": [""], "plain": [True], "limits": limits}
        await runner.ask({}, request, 300.0, root)

anyio.run(main, sys.argv[1], Path(sys.argv[2]))
"""


def find_processes(mark):
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and mark.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("root", marks=pytest.mark.root),
        "bubblewrap",
        "user namespaces",
        pytest.param("docker", marks=pytest.mark.docker),
    ],
)
def test_nothing_outlives_an_owner_that_is_killed(request, way, root, tmp_path):
    """Hostile code ends within seconds, and the copy goes when the next one is made."""
    request.getfixturevalue("held_docker") if way == "docker" else request.getfixturevalue("held_ways")(way)
    mark = f"sstar-test-{os.getpid()}-{way.replace(' ', '-')}"
    (root / "a.py").write_text(
        "import os, signal, subprocess, sys\n\ndef f():\n"
        "    if os.fork() == 0:\n        os.setsid()\n"
        f"        os.execv(sys.executable, [sys.executable, '-c', 'while True: pass', {mark!r}])\n"
        f"    os.execv(sys.executable, [sys.executable, '-c', 'while True: pass', {mark!r}])\n"
    )
    command = [sys.executable, "-c", OWNER, way, str(root)]
    place = tmp_path / "copies"  # of its own: in the common one any other sandbox that starts removes it
    place.mkdir()
    environment = {**os.environ, "TMPDIR": str(place)}
    owner = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[4], env=environment
    )
    folder = Path(owner.stdout.readline().strip())
    assert folder.parent == place
    deadline_s = time.monotonic() + 120
    while len(find_processes(mark)) < 2:
        assert time.monotonic() < deadline_s, "the code did not start"
        assert owner.poll() is None
        time.sleep(0.1)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    deadline_s = time.monotonic() + 60
    while find_processes(mark):
        assert time.monotonic() < deadline_s, "the code outlived its owner"
        time.sleep(0.1)
    assert folder.is_dir()
    assert reap_folders(place) == [folder]
    assert not folder.exists()


def test_only_folders_of_dead_processes_are_removed(tmp_path, monkeypatch):
    """Not those of the living, of others, without a mark, or that are links; no link is followed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = make_folder()
    assert mine.parent == tmp_path
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    text = (mine / ownership._RECORD).read_text()
    gone = text.replace(f'"{os.getpid()}:', f'"{dead.pid}:')
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    for name, owner in (
        ("sstar-dead", gone),
        ("sstar-open", gone),
        ("sstar-broken", "[1"),
        ("other-dead", gone),
    ):
        (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / name / ownership._RECORD).write_text(owner)
    (tmp_path / "sstar-open").chmod(0o777)
    (tmp_path / "sstar-dead" / "link").symlink_to(precious)
    (tmp_path / "sstar-none").mkdir(mode=0o700)
    (tmp_path / "sstar-link").symlink_to(precious)
    (tmp_path / "sstar-marked").mkdir(mode=0o700)
    (tmp_path / "sstar-marked" / ownership._RECORD).symlink_to(tmp_path / "other-dead" / ownership._RECORD)
    assert reap_folders(tmp_path) == [tmp_path / "sstar-dead"]
    assert (precious / "file").read_text() == "x"
    assert mine.is_dir()
