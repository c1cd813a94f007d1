"""A server of our own that is asked for adapters: how it is started, and what is left where it dies."""

from __future__ import annotations

import json
import shlex
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sstar_code.agent.models.adapters import trainer as training_process
from sstar_code.agent.models.vllm import plan as planning
from tests.support import ROOT

SUPPORT = ROOT / "tests" / "support"
COMMAND = shlex.join([sys.executable, str(SUPPORT / "fake_vllm.py")])
TASK = """{"id": "p", "statement": "Print three times the number.", "kind": "stdin",
"public_tests": [{"input": "1\\n", "output": "3\\n"}, {"input": "0\\n", "output": "0\\n"}]}"""


@pytest.fixture
def learn(sstar, tmp_path, monkeypatch):
    """Run a command that learns, with a fake vLLM and a fake trainer; what the vLLM saw is in the folder."""
    monkeypatch.setattr(training_process, "_PROGRAM", SUPPORT / "fake_trainer.py")
    monkeypatch.setattr(planning, "find_python", lambda _: sys.executable)
    monkeypatch.setenv("FAKE_VLLM", str(tmp_path))
    (tmp_path / "tasks.jsonl").write_text(TASK.replace("\n", " "))

    def run(*words: str, plan=None):
        (tmp_path / "plan.json").write_text(json.dumps(plan or {}))
        common = ["--vllm-command", COMMAND, "--sandbox", "unsafe", "--select", "first", "--out", "run"]
        return sstar("eval", "jsonl:tasks.jsonl", "-m", "vllm:org/fake", *common, *words)

    return run


def read(folder: Path, name: str) -> list:
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_it_is_served_for_adapters_and_asked_them_and_none_is_left(learn, tmp_path):
    """The flags, the route's switch, each step's own adapter; none is loaded when the server ends."""
    ended = learn("--n", "2", "--rounds", "3", "--strategy", "learn")
    assert ended.code == 0, ended.err
    (start,) = read(tmp_path, "starts.jsonl")
    assert start["learns"] == "1"
    assert shlex.join(start["words"]).count("--enable-lora --max-lora-rank 8 --max-loras 8") == 1
    asked = read(tmp_path, "weights.jsonl")
    assert [weights.count("Your answer is incorrect.") for _, weights in asked] == [0, 0, 1, 1, 2, 2, 3, 3]
    ((loads, left),) = read(tmp_path, "adapters.jsonl")
    names, folders = zip(*loads, strict=True)
    assert len(set(names)) == len(set(folders)) == 3
    assert left == {}
    assert not any(Path(folder).parent.exists() for folder in folders)


def test_a_server_that_dies_in_the_middle_gets_the_adapter_again(learn, tmp_path):
    """The call is answered by the same weights; nothing that was answered is asked again."""
    plan = {"1": {"answers": 3}}
    alone = ("--max-in-flight", "1")  # what is under way beside the call it dies of could be lost with it
    ended = learn("--n", "2", "--rounds", "1", "--strategy", "learn", *alone, plan=plan)
    assert ended.code == 0, ended.err
    assert len(read(tmp_path, "starts.jsonl")) == 2
    learnt = [name for name, weights in read(tmp_path, "weights.jsonl") if weights]
    assert len(set(learnt)) == 2
    assert len(read(tmp_path, "asked.jsonl")) == 4


def test_the_same_command_again_trains_nothing(learn, tmp_path, monkeypatch):
    """Answers are found by the adapter's name, which is a function of what it would have learnt."""
    first = learn("--n", "2", "--rounds", "2", "--strategy", "learn")
    store = tmp_path / "run" / "run.db"
    assert first.code == 0, first.err
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("DELETE FROM problems")
    monkeypatch.setattr(training_process, "_PROGRAM", Path("no-such-program"))
    again = learn("--n", "2", "--rounds", "2", "--strategy", "learn")
    assert again.code == 0, again.err
    assert len(read(tmp_path, "asked.jsonl")) == 6


def test_a_training_that_cannot_be_ends_the_run_and_loses_nothing(learn, tmp_path):
    """Exit code 3 with the library's words; the samples that were there are kept."""
    ended = learn("--n", "2", "--rounds", "1", "--strategy", "learn:device=fails")
    assert ended.code == 3
    assert "CUDA out of memory" in ended.err
    assert len(read(tmp_path, "asked.jsonl")) == 2
    assert learn("--n", "2", "--rounds", "1", "--strategy", "learn:device=fails").code == 3
    assert len(read(tmp_path, "asked.jsonl")) == 2
