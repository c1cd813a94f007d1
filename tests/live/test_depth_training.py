"""The trainers of models that think in depth, a minute of each, beside the torch of vLLM's environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from scripts.train_tiny_model.depth.data import make_examples
from tests.support import ROOT

VLLM = os.environ.get("SSTAR_LIVE_VLLM", "")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not VLLM, reason="no environment with torch: run make test-live"),
]


def run_beside_torch(*words: object) -> str:
    """What a command of the environment with torch prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [str(Path(VLLM).with_name("python")), *map(str, words)]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Some examples, and four prompts of problems kept out of them."""
    made = tmp_path_factory.mktemp("depth")
    make_examples(made, 160, 4)
    return made


def train(folder, kind, *words):
    """The losses on the way."""
    target = folder / kind
    run_beside_torch("-m", "scripts.train_tiny_model.depth.train", folder, target, "--kind", kind, *words)
    curve = (folder / f"{kind}.curve.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in curve]


def check(folder, kind):
    """What `check_depth.py` says of the model."""
    script = ROOT / "tests" / "live" / "check_depth.py"
    return json.loads(run_beside_torch(script, folder / "prompts.jsonl", folder / kind))


def test_every_export_of_a_recurrent_model_is_what_was_trained(folder):
    """The loss falls; at each depth transformers writes from the file what the looped block writes."""
    losses = train(folder, "recurrent")
    assert losses[-1] < losses[0] / 1.5
    found = check(folder, "recurrent")
    assert found.pop("loops") == [2], "exits at any divergence end after the second look"
    assert sorted(found) == ["r1", "r2", "r4", "r8"]
    for compared, same, tokens in found.values():
        assert compared == same == 8
        assert tokens > 0
    config = json.loads((folder / "recurrent-r4" / "config.json").read_text())
    assert (config["architectures"], config["num_hidden_layers"]) == (["LlamaForCausalLM"], 6)


def test_an_inner_thinker_writes_with_less_work_what_was_trained(folder):
    """The loss falls; leaving out the passes of tokens that are not picked changes nothing; both occur.

    It begins with random weights: the kept model has little left to learn from right answers.
    """
    losses = train(folder, "inner", "--from-nothing")
    assert losses[-1] < 0.9 * losses[0]
    found = check(folder, "inner")
    compared, same, tokens = found["inner"]
    assert compared == same == 4
    assert tokens > 0
    assert len(found["loops"]) > 1, "some tokens are thought about longer than others"
    assert set(found["loops"]) <= {1, 2, 3, 4}
