"""Makes the recording behind `-m replay:lists`: the tiny coder's answers, served by a real vLLM on the CPU.

    python -m scripts.record.lists [--add] [--sandbox auto] [--vllm-command .venv-vllm/bin/vllm]

First samples, repairs and the answers to selection's questions are all sampled. The same machine may give
other answers another time, since what is computed together depends on what arrives together. So after a
change of selection `--add` asks only what the recording does not hold yet, and the samples stay.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from scripts.record.recording import record
from sstar_code.agent.jobs.session import Endpoint, make_asked
from sstar_code.agent.models.recorded import ReplayModel, find_prompts, find_recording
from sstar_code.agent.models.request import ReplayMissError
from sstar_code.agent.models.vllm.server import ManagedModel
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.solving.settings import Settings

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, Model, Request

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "live" / "tiny_coder" / "model"
NAME = "tiny-coder"
SETTINGS = Settings(n=8, rounds=2, temperature=0.7, seed=0)
LENGTH = 8192
"""Room for the answer's 4,096 tokens that are asked for by default; the model was made for 2,048 in all."""
VLLM_ARGS = (
    f"--served-model-name {NAME} --max-model-len {LENGTH} "
    f"--hf-overrides '{{\"max_position_embeddings\": {LENGTH}}}'"
)


def count_parameters(weights: Path) -> int:
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


class Continued:
    """Answers from the recording there is, and asks `model` what that does not hold."""

    def __init__(self, model: Model) -> None:
        recording = find_recording("replay:lists")
        assert recording is not None
        self.name = model.name
        self._model = model
        self._known = ReplayModel(recording, strict=True)

    async def ask(self, request: Request) -> Answer:
        try:
            return await self._known.ask(request)
        except ReplayMissError:
            return await self._model.ask(request)


async def serve_and_record(vllm_command: str, sandbox: str, *, add: bool) -> None:
    endpoint = Endpoint(f"vllm:{MODEL}", vllm_command=vllm_command, vllm_args=VLLM_ARGS)
    model = make_asked(endpoint, print)
    assert isinstance(model, ManagedModel)
    async with model:
        await model.check()
        weights = MODEL / "model.safetensors"
        parameters = count_parameters(weights)
        version = model.describe()[0]["vllm"]
        about = {
            "answers": f"these answers were really sampled, under vLLM {version}, from a model of "
            f"{parameters / 1e6:.2f} million parameters that knows only tasks like these; they say "
            "nothing about other models",
            "model": NAME,
            "parameters": parameters,
            "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "vllm": version,
        }
        asked = Continued(model) if add else model
        await record(
            "lists",
            asked,
            prompts=Prompts(find_prompts("replay:lists")),
            settings=SETTINGS,
            about=about,
            sandbox=sandbox,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--vllm-command", default=str(ROOT / ".venv-vllm" / "bin" / "vllm"))
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--add", action="store_true", help="keep what is recorded, ask only what is not")
    options = parser.parse_args()
    anyio.run(partial(serve_and_record, options.vllm_command, options.sandbox, add=options.add))


if __name__ == "__main__":
    main()
