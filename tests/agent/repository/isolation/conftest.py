"""Isolated repositories in every sandbox that can hold one, and what their code says of where it is."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sstar_code.agent.repository.find.places import locate
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.sandbox.local.pipe_worker import list_ways
from sstar_code.sandbox.local.sandbox import LocalSandbox
from sstar_code.sandbox.outcome import SandboxError

LIMITS = {"cpu_s": 20.0, "wall_s": 60.0, "memory_mb": 300, "output_kb": 120_000}
_ORDINARY = os.geteuid() != 0
_SHOWN_BY_ROOT = () if _ORDINARY else (pytest.mark.slow,)
WAYS = {way.name: way for way in (*list_ways(ordinary=True), *([] if _ORDINARY else list_ways()))}


@dataclass
class Held:
    """A sandbox that has been entered."""

    sandbox: Any
    portal: Any
    lines: list[str] = field(default_factory=list)

    def call(self, work):
        return self.portal.call(work)

    def look(self, root, *codes, python=sys.executable):
        """What the repository's function `look` gives for each of `codes`, in order, or its failure."""
        (root / "a.py").write_text(
            "def look(code):\n    space = {}\n    exec(code, space)\n    return space.get('seen')\n"
        )
        target = {"module": "a", "path": ["look"], "how": "function", "constructor": None}
        request = {
            "do": "call",
            "target": {**target, "keywords": [], "raises": []},
            "inputs": [json.dumps(code) for code in codes],
            "plain": [True] * len(codes),
            "limits": LIMITS,
        }
        answers = self.ask(root, [request], python)[0]
        return [json.loads(item["result"]) if item["status"] == "OK" else item for item in answers]

    def ask(self, root, requests, python=sys.executable):
        """The answers to each request, of one room."""
        self.lines.clear()

        async def work():
            async with RepositoryRunner(root, str(python), self.sandbox, say=self.lines.append) as runner:
                base = locate(root / "a.py", root).base
                return [await runner.ask({}, request, 120.0, base) for request in requests]

        return self.call(work)

    def run_tests(self, root, *select, times=1, python=sys.executable):
        """The outcomes of pytest by name, `times` in one room."""

        async def work():
            async with RepositoryRunner(root, str(python), self.sandbox, say=self.lines.append) as runner:
                return [await runner.run_tests({}, list(select)) for _ in range(times)]

        return self.call(work)


@pytest.fixture(scope="session")
def held_docker(sandbox_docker, portal):
    """The Docker sandbox."""
    return Held(sandbox_docker.sandbox, portal)


def _enter(portal, way):
    sandbox = LocalSandbox(1, ways=[WAYS[way]])
    manager = portal.wrap_async_context_manager(sandbox)
    try:
        manager.__enter__()
    except SandboxError as error:
        pytest.skip(str(error))
    return Held(sandbox, portal), manager


@pytest.fixture(scope="session")
def held_ways(portal):
    """Each way of `--sandbox local`, entered when it is asked for."""
    entered: dict[str, Any] = {}

    def enter(name):
        if name not in WAYS:
            pytest.skip(f"no {name} here")
        if name not in entered:
            entered[name] = _enter(portal, name)
        return entered[name][0]

    yield enter
    for _, manager in entered.values():
        manager.__exit__(None, None, None)


@pytest.fixture(
    params=[
        pytest.param("root", marks=pytest.mark.root),
        # An ordinary user has these ways alone; where root's is tried, they show it in full.
        *(pytest.param(way, marks=_SHOWN_BY_ROOT) for way in ("bubblewrap", "user namespaces")),
        pytest.param("docker", marks=pytest.mark.docker),
    ]
)
def held(request):
    """Every sandbox in turn."""
    if request.param == "docker":
        return request.getfixturevalue("held_docker")
    return request.getfixturevalue("held_ways")(request.param)


@pytest.fixture
def root(tmp_path):
    """An empty repository whose path anybody may walk."""
    folder = tmp_path / "repo"
    (folder / ".git").mkdir(parents=True)
    for place in (tmp_path, *tmp_path.parents):
        if place != Path("/") and place.stat().st_uid == os.geteuid() and place != Path("/tmp"):
            place.chmod(place.stat().st_mode | 0o055)
    return folder
