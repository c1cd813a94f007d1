"""A repository with functions left open, answers for them, and a model that gives these."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sstar_code.agent.cli.main import main
from sstar_code.agent.models.request import CallError
from sstar_code.agent.testing.scripted import ScriptedModel
from tests.support.connected import Connected

TEXT = Path(__file__).parent / "shop.txt"


def read_sections():
    """Name -> text of each part of the fixture."""
    parts = TEXT.read_text("utf-8").split("=== ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


@dataclass(frozen=True)
class Shop:
    root: Path
    answers: dict[str, dict[str, str]]
    hidden: str

    def path(self, name):
        return self.root / name


@pytest.fixture
def shop(tmp_path):
    """The repository on disk, no environment of its own."""
    root = tmp_path / "shop"
    answers: dict[str, dict[str, str]] = {}
    for name, text in read_sections().items():
        if name.startswith("answers/"):
            _, function, kind = name.split("/")
            answers.setdefault(function, {})[kind] = text
        elif not name.startswith("hidden/"):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.replace("\n", "\r\n" if name.endswith("cart.py") else "\n").encode())
    (root / ".git").mkdir()
    return Shop(root, answers, read_sections()["hidden/test_hidden.py"])


def fence(code):
    return f"```python\n{code}```"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def fix(monkeypatch, capsys, tmp_path):
    """`fix(answers, *words)`: the command in process; `answers` (function -> programs) is its model.

    `judge` answers the questions of the choice, by the request.
    """
    for name in list(os.environ):
        if name.startswith(("SSTAR_", "OPENAI_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    models = []

    def run(answers, *words, command="fix", judge=None):
        def answer(request):
            if request.purpose.stage == "judge" and judge is not None:
                return judge(request)
            name = request.purpose.problem_id.rpartition("::")[2]
            if request.purpose.stage != "generate" or name not in answers:
                return CallError("not in the script")
            programs = answers[name]
            return fence(programs[request.purpose.sample % len(programs)])

        model = _ConnectedModel(answer)
        models.append(model)
        monkeypatch.setattr("sstar_code.agent.jobs.session.make_asked", lambda *_: model)
        capsys.readouterr()
        more = [] if command == "check" else ["-m", "scripted", "--rounds", "0", "--python", sys.executable]
        with pytest.raises(SystemExit) as ended:
            main([command, *more, *(str(word) for word in words)])
        out, err = capsys.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    run.models = models
    return run


class _ConnectedModel(Connected, ScriptedModel):
    """A scripted model where an endpoint is expected."""
