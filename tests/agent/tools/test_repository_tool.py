"""`solve_function` for a function of a file: a diff is the result, and nothing else happens unasked."""

from __future__ import annotations

import sys

import anyio
import pytest

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

import mcp

from sstar_code.agent.models import Answer
from sstar_code.agent.models.request import Usage
from sstar_code.agent.testing import FakeSandbox
from sstar_code.agent.tools import solving as solving_tool
from sstar_code.agent.tools.repository import Repository, open_repository
from tests.support.servers.tools import RefusedError, Solving, call
from tests.support.servers.waiting import Waiting

pytestmark = pytest.mark.anyio

MODULE = '''def one(x: int) -> int:
    """Add one.

    >>> one(1)
    2
    """
    ...


def two(x: int) -> int:
    """Add two.

    >>> two(1)
    3
    """
    ...
'''


@pytest.fixture
def root(tmp_path):
    made = tmp_path / "repo"
    (made / ".git").mkdir(parents=True)
    (made / "a.py").write_text(MODULE)
    return made


def write_it(request):
    """The right function for whichever is asked for."""
    name = request.purpose.problem_id.rpartition("::")[2]
    number = {"one": 1, "two": 2}[name]
    code = f"def {name}(x: int) -> int:\n    return x + {number}\n"
    return Answer(f"```python\n{code}```", usage=Usage(prompt=3, output=4))


async def test_a_diff_is_the_result_and_the_file_changes_only_when_asked(sandbox, root):
    """The diff is one that git takes; two calls at once hold each its own function; `write` writes it."""
    found, told = {}, []

    async def note(progress, total, message):
        told.append(message)

    async with anyio.create_task_group() as group:
        solving = Solving(sandbox, group, write_it, Repository(root, sys.executable))
        async with mcp.Client(solving.server) as client:

            async def ask(name):
                given = {"file": "a.py", "function": name}
                made = await client.call_tool("solve_function", given, progress_callback=note)
                found[name] = made.structured_content

            async with anyio.create_task_group() as both:
                both.start_soon(ask, "one")
                both.start_soon(ask, "two")
            for name, line, other in (("one", "return x + 1", "+ 2"), ("two", "return x + 2", "+ 1")):
                made = found[name]
                assert made["state"] == "done", made["why"]
                assert f"+    {line}" in made["diff"]
                assert other not in made["diff"] + made["program"]
                assert "candidates pass 1 example" in made["why"]
                assert made["report"]["calls"] >= 2
                assert not made["report"]["written"]
                checking = ["git", "apply", "--check", "-"]
                await anyio.run_process(["git", "init", "-q"], cwd=root)
                await anyio.run_process(checking, cwd=root, input=made["diff"].encode())
            assert (root / "a.py").read_text() == MODULE
            assert any("1 example" in line for line in told)
            made = await call(client, "solve_function", file=str(root / "a.py"), function="one", write=True)
            assert made["report"]["written"]
        group.cancel_scope.cancel()
    assert (root / "a.py").read_text() == MODULE.replace("...", "return x + 1", 1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"file": "../other.py", "function": "f"}, "not in the repository"),
        ({"file": "/etc/passwd", "function": "f"}, "not in the repository"),
        ({"file": "link.py", "function": "f"}, "a link that leads out"),
        ({"file": "missing.py", "function": "f"}, "give a Python file"),
        ({"file": "a" * 5_000, "function": "f"}, "give a Python file"),
        ({"file": ".git", "function": "f"}, "give a Python file"),
        ({"file": "notes.txt", "function": "f"}, "no Python file"),
        ({"file": "broken.py", "function": "f"}, "does not parse"),
        ({"file": "a.py", "function": "three"}, "open ones are: one, two"),
        ({"file": "a.py"}, "name the function"),
        ({"file": "a.py", "function": "one", "tests": [{"input": [1], "output": 2}]}, "names for pytest"),
        ({"file": "a.py", "function": "one", "statement": "Write it."}, "not both"),
        ({"statement": "Write a function f.", "write": True}, "`write` changes a file"),
        ({}, "a file and a function"),
    ],
)
async def test_nothing_outside_the_repository_and_no_mistake_costs_a_call(root, tmp_path, given, told):
    """Each is a line that says what to give, before the model is asked."""
    (tmp_path / "other.py").write_text("def f(): ...\n")
    (root / "link.py").symlink_to(tmp_path / "other.py")
    (root / "notes.txt").write_text("")
    (root / "broken.py").write_text("def f(:\n")
    async with anyio.create_task_group() as group:
        solving = Solving(FakeSandbox({}), group, write_it, Repository(root))
        async with mcp.Client(solving.server) as client:
            with pytest.raises(RefusedError, match=told) as caught:
                await call(client, "solve_function", **given)
        group.cancel_scope.cancel()
    assert "\n" not in str(caught.value)
    assert solving.model.requests == []


async def test_a_folder_that_is_no_repository_is_left_alone(tmp_path):
    """Without a mark of one the server reads no file; from a folder inside, the whole repository is meant."""
    (tmp_path / "inner").mkdir()
    assert open_repository(tmp_path / "inner") is None
    (tmp_path / "pyproject.toml").write_text("")
    assert open_repository(tmp_path / "inner").root == tmp_path
    async with anyio.create_task_group() as group:
        async with mcp.Client(Solving(FakeSandbox({}), group, write_it).server) as client:
            with pytest.raises(RefusedError, match="--repository DIR"):
                await call(client, "solve_function", file="a.py", function="f")
        group.cancel_scope.cancel()


async def test_taking_a_call_back_ends_its_work(sandbox, root):
    """The model's call ends, the job says that it was cancelled, and the file is as it was."""
    model = Waiting()
    async with anyio.create_task_group() as group:
        solving = Solving(sandbox, group, model, Repository(root, sys.executable))
        async with mcp.Client(solving.server) as client:
            async with anyio.create_task_group() as calling:
                calling.start_soon(client.call_tool, "solve_function", {"file": "a.py", "function": "one"})
                await model.asked.wait()
                calling.cancel_scope.cancel()
            await model.left.wait()
            (job,) = solving.jobs._jobs.values()
            await job.ended.wait()
            assert job.failure == "cancelled"
        group.cancel_scope.cancel()
    assert (root / "a.py").read_text() == MODULE


async def test_long_work_on_a_file_has_a_handle(sandbox, root, monkeypatch):
    """What is found out later is had with it; work that fails says why, and leaves the file."""
    monkeypatch.setattr(solving_tool, "_WAIT_S", 0.0)

    def write_wrong(_request):
        return Answer("```python\ndef one(x):\n    return 7\n```", usage=Usage(prompt=3, output=4))

    async with anyio.create_task_group() as group:
        solving = Solving(sandbox, group, write_wrong, Repository(root, sys.executable))
        async with mcp.Client(solving.server) as client:
            made = await call(client, "solve_function", file="a.py", function="one")
            assert (made["state"], made["diff"]) == ("running", "")
            monkeypatch.setattr(solving_tool, "_WAIT_S", 180.0)
            ended = await call(client, "solve_function", job=made["job"])
        group.cancel_scope.cancel()
    assert ended["state"] == "failed"
    assert "0 of 1 checks" in ended["why"]
    assert (root / "a.py").read_text() == MODULE
