"""An interpreter whose folder lies where a room has its scratch."""

from __future__ import annotations

import venv

import anyio
import pytest

from sstar_code.agent.repository.find.project_files import read_source
from sstar_code.agent.repository.find.stubs import find_stubs
from sstar_code.agent.repository.task.checks import Survey, find_checks, mark_open
from sstar_code.agent.repository.task.problem import make_task
from sstar_code.agent.repository.verify.candidate_sandbox import CandidateSandbox
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.problems.values import encode_lines
from sstar_code.sandbox.local.pipe_worker import list_ways
from sstar_code.sandbox.local.sandbox import LocalSandbox
from sstar_code.sandbox.outcome import Limits, Mode, Program

WAYS = {way.name: way for way in (*list_ways(), *list_ways(ordinary=True))}


@pytest.mark.parametrize("name", WAYS)
def test_an_environment_under_tmp_is_found_in_the_room(tmp_path, name):
    """A virtual environment under /tmp starts in a room, which has another /tmp, whichever way it is made."""
    assert tmp_path.is_relative_to("/tmp") or pytest.skip("temporary folders are elsewhere")
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / "a.py").write_text(
        'def f(x: int) -> int:\n    """Add one.\n\n    >>> f(1)\n    2\n    """\n    ...\n'
    )
    venv.create(tmp_path / "env", symlinks=True)
    tmp_path.chmod(0o755)

    async def work():
        async with (
            LocalSandbox(1, ways=[WAYS[name]]) as sandbox,
            RepositoryRunner(root, str(tmp_path / "env" / "bin" / "python"), sandbox) as runner,
        ):
            (stub,) = find_stubs(read_source(root / "a.py"))
            runner.texts = {stub.source.path: mark_open(stub).source.data}
            task = make_task(stub, find_checks(stub, Survey({}), root), root, "x")
            candidates = CandidateSandbox(runner, fallback=sandbox)
            candidates.add(task)
            program = Program("def f(x):\n    return x + 1\n", Mode.CALL, "f", preamble=task.mark)
            return await candidates.run(program, [encode_lines([4])], Limits())

    (call,) = anyio.run(work)
    assert call.result == "5", call
