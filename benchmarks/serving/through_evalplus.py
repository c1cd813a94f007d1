"""Whether `sstar serve` keeps the gain of `sstar eval` where evalplus is the client: pass@1 on HumanEval+.

    python -m benchmarks.serving.through_evalplus FOLDER [--every 2] [--n 16] [--evalplus .venv-clients/bin]

The model behind is a recording (humaneval_codet, 100 samples a problem of CodeGen-16B), as an endpoint: who
asks for a program gets a sample by the seed, or the next one without a seed; whatever else is asked is
refused, so selection goes by what programs do. evalplus's own generation asks the model and `sstar-MODEL`
through one `sstar serve`, with its own prompts. `sstar eval` asks the same endpoint for the same samples.
Programs are graded by `sstar grade`, on the tests of HumanEval+. Nothing is repaired.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.recorded.data import read_lines
from benchmarks.serving.load import running
from sstar_code.agent.testing.server import Reply, ServerDouble, chat, failure

_SCRIPT = "import sys; from sstar_code.agent.cli.main import main; sys.argv[0] = 'sstar'; main()"
_MODEL = "codegen-16b"
_NAME = "HumanEval_codegen16B_temp0.8_topp0.95_num100_max300_code_solution.jsonl.gz"
_HEADS = ("Solve this programming problem.", "Please provide a self-contained Python script")
"""How a prompt begins that asks for a program: ours, and evalplus's."""
_BASE_SAMPLES = "4"


class Recorded:
    """Answers chat requests with the recorded programs."""

    def __init__(self, rows: list[dict[str, Any]], samples: dict[str, list[str]]) -> None:
        self.how: Counter[str] = Counter()
        self._rows, self._samples = rows, samples
        self._next: Counter[str] = Counter()

    def __call__(self, body: dict[str, Any]) -> Reply:
        text = next(item["content"] for item in body["messages"] if item["role"] == "user")
        stub = [row for row in self._rows if row["prompt"].strip() in text]
        if not text.startswith(_HEADS) or not stub:
            self.how["refused"] += 1
            return failure(400, "not recorded")
        row = max(stub, key=lambda row: len(row["prompt"]))
        self.how["a program"] += 1
        seed = body.get("seed")
        if seed is None:
            (seed, self._next[row["task_id"]]) = (self._next[row["task_id"]], self._next[row["task_id"]] + 1)
        code = row["prompt"] + self._samples[row["task_id"]][seed % 100]
        return chat(f"```python\n{code}\n```", usage={"prompt_tokens": 100, "completion_tokens": 100})


def grade(data: Path, samples: Path, folder: Path) -> str:
    """Percent of programs that pass the tests of HumanEval+."""
    words = ["grade", f"humanevalplus:{data}", str(samples), "--fresh", "--out", str(folder), "--json"]
    return f"{json.loads(call(*words))['pass@1']:.1%}"


def call(*words: str) -> str:
    """What `sstar` prints."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *words, "--sandbox", "local"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def generate(program: Path, data: Path, root: Path, *words: str) -> Path:
    """The file of samples that evalplus's generation writes."""
    told = [program, "--dataset", "humaneval", "--backend", "openai", "--root", root, "--bs", "1", *words]
    environment = os.environ | {"HUMANEVAL_OVERRIDE_PATH": str(data), "OPENAI_API_KEY": "none"}
    subprocess.run(told, env=environment, stdout=subprocess.DEVNULL, check=True)
    return next(file for file in (root / "humaneval").glob("*.jsonl") if ".raw." not in file.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--evalplus", type=Path, default=Path(".venv-clients/bin"))
    parser.add_argument("--folder", type=Path, default=Path("build/through-evalplus"))
    options = parser.parse_args()
    folder, program = options.folder.resolve(), options.evalplus.resolve() / "evalplus.codegen"
    folder.mkdir(parents=True, exist_ok=True)
    recorded = {
        row["task_id"]: row["samples"] for row in read_lines(options.data / "humaneval_codet" / _NAME)
    }
    rows = [*read_lines(options.data / "humaneval" / "HumanEvalPlus.jsonl.gz")]
    rows = [row for row in rows if row["task_id"] in recorded][:: options.every]
    samples = {f"HumanEval/{number}": recorded[row["task_id"]] for number, row in enumerate(rows)}
    for name, row in zip(samples, rows, strict=True):
        row["task_id"] = name  # evalplus wants ids without gaps
    data = folder / "HumanEvalPlus.jsonl.gz"
    with gzip.open(data, "wt") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    respond = Recorded(rows, samples)
    method = ["--n", str(options.n), "--rounds", "0", "--temperature", "0.8", "--base-url"]
    with ServerDouble(respond, models=(_MODEL,), max_model_len=8192) as upstream:
        words = ["serve", "-m", _MODEL, "--port", "0", "--sandbox", "local", *method, upstream.base_url]
        with running("-c", _SCRIPT, *words) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            for model, count in ((_MODEL, _BASE_SAMPLES), (f"sstar-{_MODEL}", "1")):
                asked = ["--model", model, "--base-url", url, "--n_samples", count, "--temperature", "0.8"]
                made = generate(program, data, folder / model, *asked)
                told = grade(data, made, folder / f"grade-{model}")
                print(f"{model}: pass@1 {told}; requests: {dict(respond.how)}", flush=True)
                respond.how.clear()
        text = call("eval", f"humanevalplus:{data}", "-m", _MODEL, *method, upstream.base_url, "--fresh",
                    "--out", str(folder / "eval"), "--json")  # fmt: skip
    scores = json.loads(text)
    print(json.dumps({key: value for key, value in scores.items() if "@1" in key or "selected" in key}))


if __name__ == "__main__":
    main()
