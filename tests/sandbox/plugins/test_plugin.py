"""A sandbox of another package is used as ours are, and its faults are told as that package's."""

from __future__ import annotations

import sys

import pytest

from sstar_code.problems import UserError
from sstar_code.sandbox import Limits, Program, SandboxError, Status, make_sandbox

MODULE = """\
from sstar_code.sandbox import Execution, SandboxError

class Sandbox:
    name = "of a test"

    def __init__(self, workers):
        if workers == 13:
            raise RuntimeError("no luck")
        self.workers = 2 if workers is None else workers
        self.log = []

    async def __aenter__(self):
        self.log.append("in")
        if self.workers == 5:
            raise OSError("no room")
        return self

    async def __aexit__(self, kind, error, trace):
        self.log.append("out")
        if self.workers == 6:
            raise OSError("stuck")

    async def run(self, program, inputs, limits, *, stop_on_failure=False):
        if program.code == "break":
            raise ZeroDivisionError("in the middle")
        if program.code == "say":
            raise SandboxError("start the machine first")
        if program.code == "text":
            return ["OK"] * len(inputs)
        if program.code == "few":
            return [Execution("OK")] * (len(inputs) - 1)
        if program.code == "none":
            return []
        return (Execution("OK", stdout=text) for text in inputs)
"""
POINTS = """\
[sstar_code.sandboxes]
theirs = sandbox_of_a_test:Sandbox
gone = no_such_module_here:Sandbox
local = sandbox_of_a_test:Sandbox
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path, monkeypatch):
    info = tmp_path / "my_sandbox-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-sandbox\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(POINTS)
    (tmp_path / "sandbox_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("sandbox_of_a_test", None)


@pytest.mark.anyio
async def test_an_installed_sandbox_is_made_entered_run_and_left():
    """Its name works like one of ours; the line for the user names the package."""
    said = []
    sandbox = make_sandbox("theirs", say=said.append)
    assert said == ["sandbox theirs of my-sandbox 0.1, as asked"]
    assert (sandbox.name, sandbox.workers) == ("theirs", 2)
    assert [make_sandbox("theirs", workers=count).workers for count in (1, 7)] == [1, 7]
    async with sandbox as entered:
        assert entered is sandbox
        runs = await sandbox.run(Program(""), ["a", "b"], Limits())
    assert [(run.status, run.stdout) for run in runs] == [(Status.OK, "a"), (Status.OK, "b")]
    assert sandbox._sandbox.log == ["in", "out"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "stop", "message"),
    [
        (
            "break",
            False,
            "sandbox 'theirs' of my-sandbox 0.1: ZeroDivisionError: in the middle; that package",
        ),
        ("say", False, "^start the machine first$"),
        ("text", False, "gives a str where an Execution is expected; that package is at fault"),
        ("few", False, "gives 1 records for 2 inputs"),
        ("none", True, "gives 0 records for 2 inputs"),
    ],
)
async def test_a_fault_while_running_is_infrastructure(code, stop, message):
    """What the package does wrong is never a verdict: one line, that package, work left."""
    async with make_sandbox("theirs") as sandbox:
        with pytest.raises(SandboxError, match=message):
            await sandbox.run(Program(code), ["a", "b"], Limits(), stop_on_failure=stop)


@pytest.mark.anyio
async def test_after_a_failure_there_may_be_fewer_records():
    """With `stop_on_failure` the list may end early, and no input gives no record."""
    async with make_sandbox("theirs") as sandbox:
        assert len(await sandbox.run(Program("few"), ["a", "b"], Limits(), stop_on_failure=True)) == 1
        assert await sandbox.run(Program("none"), [], Limits(), stop_on_failure=True) == []


@pytest.mark.anyio
@pytest.mark.parametrize(("workers", "message"), [(5, "OSError: no room"), (6, "OSError: stuck")])
async def test_a_fault_while_entering_or_leaving_is_infrastructure(workers, message):
    """So is a sandbox that does not start or does not end."""
    with pytest.raises(SandboxError, match=f"my-sandbox 0.1: {message}; that package is at fault"):
        async with make_sandbox("theirs", workers=workers):
            pass


@pytest.mark.parametrize(
    ("name", "workers", "message"),
    [
        ("theirs", 13, "sandbox 'theirs' of my-sandbox 0.1: RuntimeError: no luck; that package is at fault"),
        ("theirs", 0, "ValueError: it has 0 workers"),
        ("gone", 1, "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("their", 1, r"unknown sandbox 'their' \(did you mean 'theirs'\?\): .*unsafe, theirs, gone"),
    ],
)
def test_what_cannot_be_made_is_the_users_to_mend(name, workers, message):
    """A broken package is told before anything is run."""
    with pytest.raises(UserError, match=message):
        make_sandbox(name, workers=workers)


def test_our_own_names_stay_ours():
    """A package cannot take over `local`."""
    assert type(make_sandbox("local")).__module__ == "sstar_code.sandbox.local.sandbox"
    assert "sandbox_of_a_test" not in sys.modules
