"""What is left of a sandbox whose owner was killed: no process, and no folder after the next start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sstar_code.sandbox import ownership
from sstar_code.sandbox.local.pipe_worker import PipeWorker, find_interpreter, list_parts, start_in_namespaces
from sstar_code.sandbox.workers.protocol import Conversation
from tests.attacks.conftest import _ordinary_way
from tests.support import ROOT, list_children

_OWNER = """
import json, os, sys, time
sys.path.insert(0, sys.argv[1])
from sstar_code.sandbox import ownership
from sstar_code.sandbox.local.pipe_worker import PipeWorker
from sstar_code.sandbox.workers.protocol import Settings
worker = PipeWorker(json.loads(sys.argv[2]), Settings())
worker.start()
print(json.dumps([worker.receive(60).decode(), str(ownership.make_folder())]), flush=True)
time.sleep(600)
"""
_HOSTILE = (
    "import os, time; os.setsid() if os.getpid() > 1 else 0; print('here', flush=True); time.sleep(600)"
)


def _list_descendants(pid):
    return [one for child in list_children(pid) for one in (child, *_list_descendants(child))]


def _wait_until_gone(pids):
    deadline = time.monotonic() + 60
    while left := [pid for pid in pids if _lives(pid)]:
        assert time.monotonic() < deadline, f"they outlived their owner: {left}"
        time.sleep(0.05)


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _arguments(way):
    """The command that shows `_HOSTILE` alone, which never reads its standard input, in `way`."""
    python = find_interpreter()
    inside = [python, "-c", _HOSTILE]
    if way in {"root", "a repository as root"}:
        if os.geteuid() != 0:
            pytest.skip("needs root")
        uid = 1_234_567_890 if way != "root" else None
        return start_in_namespaces(python, inside, list_parts(python), user=False, uid=uid)
    found = _ordinary_way(way).arguments
    python = "/usr/bin/python3" if os.geteuid() == 0 else python
    inside = [os.path.realpath(python), "-c", _HOSTILE]
    if way == "bubblewrap":
        return (*found[: found.index("--") + 1], *inside)
    return (*found[:-1], json.dumps({**json.loads(found[-1]), "command": inside}))


@pytest.mark.parametrize("way", ["root", "a repository as root", "user namespaces", "bubblewrap"])
def test_no_process_outlives_a_killed_owner(way, tmp_path):
    """What runs inside ends with its owner by itself, whether or not it looks at its standard input."""
    command = [sys.executable, "-c", _OWNER, str(ROOT / "src"), json.dumps(_arguments(way))]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as owner:
        try:
            (said, folder) = json.loads(owner.stdout.readline())
            assert said == "here\n"
            family = _list_descendants(owner.pid)
            assert len(family) >= 2
            assert ownership.reap_folders(tmp_path) == [], "its owner lives"
        finally:
            owner.send_signal(signal.SIGKILL)
    _wait_until_gone(family)
    assert [str(path) for path in ownership.reap_folders(tmp_path)] == [folder]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["user namespaces", "bubblewrap"])
def test_a_worker_outlives_the_thread_that_started_it(way):
    """Only the end of the whole process is the owner's death: threads come and go."""
    found = _ordinary_way(way)
    worker = PipeWorker(found.arguments, found.settings)
    conversation = Conversation(worker)
    starter = threading.Thread(target=conversation.open)
    starter.start()
    starter.join()
    time.sleep(0.3)
    try:
        conversation.check()
    finally:
        worker.kill()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"mode": 0o777}, id="others may have written to it"),
        pytest.param({"labels": {}}, id="nobody's"),
        pytest.param({"labels": [1]}, id="not ours"),
        pytest.param({"link": True}, id="a link"),
        pytest.param({"host": "elsewhere"}, id="of another host"),
    ],
)
def test_only_what_is_ours_for_certain_is_removed(tmp_path, change):
    """A folder stays unless this user made it, nobody else could write to it, and its owner is dead."""
    dead = replace(ownership.describe_owner(), start_ticks=1, host=change.get("host", os.uname().nodename))
    made = tmp_path / "sstar-old"
    made.mkdir(mode=0o700)
    record = change.get("labels", dead.to_labels())
    (made / ".owner.json").write_text(json.dumps(record))
    made.chmod(change.get("mode", 0o700))
    place = tmp_path
    if "link" in change:
        place = tmp_path / "place"
        place.mkdir()
        (place / "sstar-link").symlink_to(made)
    assert ownership.reap_folders(place) == []
    assert made.is_dir()
