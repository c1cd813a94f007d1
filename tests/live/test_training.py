"""The trainers of scripts/train_tiny_model, a minute of each, beside the torch of vLLM's environment."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.train_tiny_model.backtracking.choose import plant
from scripts.train_tiny_model.examples import make_examples
from scripts.train_tiny_model.learning.lessons import FILE, make_lessons
from scripts.train_tiny_model.recipes import BACKTRACK, RECIPES
from tests.support import ROOT

VLLM = os.environ.get("SSTAR_LIVE_VLLM", "")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not VLLM, reason="no environment with torch: run make test-live"),
]

SHOW_LEARNT = f"""
import json, sys
from pathlib import Path
from scripts.train_tiny_model.train import learn_tokens, make_examples, pad_batch, read_rows
rows = read_rows(Path(sys.argv[1]))
tokenizer = learn_tokens(rows)
tokenizer.add_tokens([{BACKTRACK!r}], special_tokens=True)
for row, example in zip(rows, make_examples(rows, tokenizer)):
    ids, asked = pad_batch([example], tokenizer.pad_token_id)
    print(json.dumps([row["answer"], row.get("wrong"), tokenizer.decode(ids[asked])]))
"""

SHOW_SERVED = """
import json, sys
from pathlib import Path
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
from scripts.train_tiny_model.train import find_loss, make_examples, read_rows
folder, model = map(Path, sys.argv[1:])
rows = read_rows(folder)
file = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_file(str(model / "tokenizer.json")))
named = make_examples(rows, file)
served = make_examples(rows, AutoTokenizer.from_pretrained(model))
base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
with torch.no_grad():
    for one, other in zip(named, served, strict=True):
        print(json.dumps([one.tokens, other.tokens, find_loss(base, [other], 0).item()]))
"""

MISFIT = """
import sys
import torch
from safetensors.torch import save_file
from scripts.train_tiny_model.learning.train import BASE
from sstar_code.agent.models.adapters.train_lora import Learner
name = "model.layers.7.self_attn.q_proj" if sys.argv[1] == "another model" else "a"
save_file({f"{name}.scale" if "." in name else name: torch.ones(8)}, sys.argv[2] + ".safetensors")
job = {"steps": [], "device": "cpu", "folder": sys.argv[2], "optimizer_file": sys.argv[2] + ".safetensors"}
try:
    Learner(str(BASE)).train(job)
except ValueError as error:
    print(error)
"""


def run_beside_torch(*words: object) -> str:
    """What a command of the environment with torch prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    command = [str(Path(VLLM).with_name("python")), *map(str, words)]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def test_the_kept_model_is_loaded_in_the_tokens_that_it_learnt(tmp_path):
    """`AutoTokenizer`, which vLLM and the trainers use, splits as the file says; right answers are likely."""
    make_examples(tmp_path, 40, 5, replace(RECIPES["plain"], cut=0.0))
    model = ROOT / "tests" / "live" / "tiny_coder" / "model"
    printed = run_beside_torch("-c", SHOW_SERVED, tmp_path, model)
    rows = [json.loads(line) for line in printed.splitlines()]
    assert len(rows) > 20
    assert all(named == served for named, served, _ in rows)
    assert statistics.fmean(loss for *_, loss in rows) < 0.2  # of right programs in other tokens: 2.8


@pytest.mark.parametrize("recipe", ["tiny-coder", "backtrack"])
def test_the_loss_falls_and_the_file_gives_the_trained_models_tokens(tmp_path, recipe):
    """A short training lowers the loss; the model in the file is the trained one.

    The curve is a moving mean that begins with one batch: of a model that is trained further it rises first.
    """
    make_examples(tmp_path, 400, 0, RECIPES[recipe])
    words = ("-m", "scripts.train_tiny_model.train", tmp_path, tmp_path / "model", "--recipe", recipe)
    printed = run_beside_torch(*words)
    curve = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert curve[-1]["loss"] < 0.85 * max(row["loss"] for row in curve)
    assert curve[-1]["step"] == curve[-1]["steps"] - 1
    assert "gives the tokens of the trained model on 8 prompts" in printed


def test_a_learned_optimizer_lowers_the_loss_and_its_adapter_is_the_trained_step(tmp_path):
    """A short training lowers the loss after a step by a tenth; an adapter of the file is that step."""
    make_lessons(tmp_path, 80, 0, unseen=6)
    target = tmp_path / FILE
    printed = run_beside_torch("-m", "scripts.train_tiny_model.learning.train", tmp_path, target)
    curve = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert curve[-1]["loss"] < 0.9 * curve[0]["loss"]
    assert curve[-1]["step"] == curve[-1]["steps"] - 1
    found = re.search(r"the tokens of the trained step on 6 prompts, those of the model on (\d)", printed)
    assert found
    assert int(found[1]) < 6, "a step that changes nothing shows nothing"
    shown = json.loads((tmp_path / "unseen.json").read_text())
    assert shown["lessons"] == 6
    assert target.stat().st_size < 4_000_000


@pytest.mark.parametrize("fault", ["no optimizer", "another model"])
def test_an_optimizer_of_another_model_is_told(tmp_path, fault):
    """A job with it has an error that says what the file is, and writes no adapter."""
    printed = run_beside_torch("-c", MISFIT, fault, tmp_path / "adapter")
    assert "make tiny-coder TECHNIQUE=optune" in printed or "was trained for another model" in printed
    assert ("another model" in printed) == (fault == "another model")
    assert not (tmp_path / "adapter").exists()


def test_a_planted_mistake_is_looked_at_behind_both_lines(tmp_path):
    """One probability of the token for each wrong line and each right one."""
    make_examples(tmp_path, 40, 0, RECIPES["backtrack"])
    plant(tmp_path / "planted.jsonl", 6)
    module = "scripts.train_tiny_model"
    run_beside_torch("-m", f"{module}.train", tmp_path, tmp_path / "model", "--recipe", "backtrack")
    words = ("-m", f"{module}.backtracking.notice", tmp_path / "planted.jsonl", tmp_path / "model")
    found = json.loads(run_beside_torch(*words))
    assert {name: len(chances) for name, chances in found.items()} == {"wrong": 6, "right": 6}
    assert all(0 < chance < 1 for chances in found.values() for chance in chances)


def test_a_wrong_line_is_read_and_not_learnt(tmp_path):
    """The right lines and the token of an answer with a wrong line are learnt; of others all, and the end."""
    make_examples(tmp_path, 60, 0, RECIPES["backtrack"])
    rows = [json.loads(line) for line in run_beside_torch("-c", SHOW_LEARNT, tmp_path).splitlines()]
    marked = [row for row in rows if row[1]]
    assert len(marked) > 10
    for answer, wrong, learnt in rows:
        if wrong:  # the line's end before it may be one token with its indent
            assert learnt in (answer + BACKTRACK, answer.removesuffix("\n") + BACKTRACK)
        else:
            assert learnt == answer + "<|im_end|>"
