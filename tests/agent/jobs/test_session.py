"""One way to open a run: what differs is refused everywhere, and the way to the model is short."""

from __future__ import annotations

import json
import sys
from contextvars import ContextVar

import anyio
import anyio.lowlevel
import pytest
from anyio._backends._asyncio import TaskGroup

from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice
from sstar_code.agent.jobs.session import open_session
from sstar_code.agent.models.recorded import ReplayModel
from sstar_code.agent.run.folder import note_environment
from sstar_code.problems import UserError
from sstar_code.sandbox import Environment
from tests.support import ROOT

MOST_FRAMES = 14
SOURCE = str(ROOT / "src")
_BEGUN_BY: ContextVar[tuple[str, ...]] = ContextVar("begun_by", default=())


def list_frames() -> tuple[str, ...]:
    """Our functions on the way here, the outermost first, those of the tasks that began this one included."""
    frame, own = sys._getframe(1), []
    while frame is not None:
        if frame.f_code.co_filename.startswith(SOURCE):
            own.insert(0, frame.f_code.co_qualname)
        frame = frame.f_back
    before = _BEGUN_BY.get()
    shared = 0
    while shared < min(len(before), len(own)) and before[shared] == own[shared]:
        shared += 1
    return (*before, *own[shared:])


def test_the_way_from_the_command_to_the_model_is_short(sstar, isolated, monkeypatch):
    """From `main` to the model's `ask` a call of `eval` passes at most 14 of our functions."""
    asked: list[tuple[str, ...]] = []
    start_soon, ask = TaskGroup.start_soon, ReplayModel.ask

    def begin(group, function, *arguments, **options):
        token = _BEGUN_BY.set(list_frames())
        start_soon(group, function, *arguments, **options)
        _BEGUN_BY.reset(token)

    async def record(model, request):
        asked.append(list_frames())
        return await ask(model, request)

    monkeypatch.setattr(TaskGroup, "start_soon", begin)
    monkeypatch.setattr(ReplayModel, "ask", record)
    words = ["eval", "examples", "-m", "replay:examples", "--n", "2", "--limit", "1", "--select", "first"]
    assert sstar(*words, *isolated).code == 0
    samples = [frames for frames in asked if "next_round" in frames]
    assert samples
    longest = max(samples, key=len)
    assert longest[0] == "main"
    assert len(longest) + 1 <= MOST_FRAMES, " ".join(longest)  # and the model's `ask` itself


@pytest.mark.parametrize("command", ["solve", "eval"])
def test_another_role_is_another_run(command, sstar, serve, write_set, isolated):
    """Answers to prompts with a system message are not passed off as answers to prompts without one."""
    server = serve()
    task = write_set() if command == "eval" else f"{write_set()}#double"
    words = [
        command,
        task,
        "-m",
        "tiny",
        "--base-url",
        server.base_url,
        "--n",
        "1",
        "--out",
        "run",
        *isolated,
    ]
    assert sstar(*words).code == 0
    calls = len(server.received)
    ended = sstar(*words, "--system-role", "user")
    assert (ended.code, len(server.received)) == (2, calls)
    assert "system_role was None, is 'user'" in ended.err


@pytest.mark.parametrize("command", ["check", "fix"])
def test_a_cluster_is_refused_where_code_runs_on_this_machine(command, sstar, folder):
    """`check` and `fix` have no --ray: what a command would ignore it does not take."""
    (folder / "m.py").write_text("def f():\n    ...\n")
    ended = sstar(command, "m.py", "--ray", "nowhere.invalid:1")
    assert ended.code == 2
    assert "No such option: --ray" in ended.err


@pytest.mark.anyio
async def test_a_session_that_fails_to_open_leaves_the_folder_free(tmp_path):
    """Where the model cannot be had, the store is closed again and the next start may use it."""
    missing = Endpoint(model=f"replay:{tmp_path / 'none.jsonl'}")
    for _ in range(2):
        with pytest.raises(UserError, match="no such recording"):
            async with open_session(tmp_path, SandboxChoice("unsafe"), print, endpoint=missing):
                pytest.fail("it opened")
    await anyio.lowlevel.checkpoint()


def test_another_environment_is_told_when_a_run_goes_on(tmp_path):
    """Prompts name Python and libraries: a folder that began with others says why samples are asked anew."""
    (tmp_path / "manifest.json").write_text('{"config": {}}')
    found = [Environment("3.11"), Environment("3.11"), Environment("3.12", ("numpy",))]
    assert [note_environment(tmp_path, one) for one in found] == [False, False, True]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest == {"config": {}, "environment": {"python": "3.12", "libraries": ["numpy"]}}
    assert not note_environment(tmp_path / "none", found[0])
