"""How far an answer is from what transformers choose with the switch penalty as a logits processor.

    python tests/live/penalize.py MODEL < REQUEST > DISTANCES

REQUEST is a JSON object: `prompt` and `written` (ids), `tokens` (ids that are penalised), `words` that begin
a thought, `alpha`, `age` (tokens of a thought that are under the penalty), and `repetition`, a repetition
penalty over prompt and answer. DISTANCES are what each token's logit is below the largest; zeros are greedy
decoding, token for token. Runs in the environment of the live tests.
"""

from __future__ import annotations

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def measure_distances(folder: str, request: dict) -> list[float]:
    """The distances, in the order of the tokens."""
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids, thought, found = list(request["prompt"]), [], []
    with torch.inference_mode():
        rows = model(torch.tensor([ids + request["written"]])).logits[0, len(ids) - 1 :]
    for row, token in zip(rows, request["written"], strict=False):
        logits = row.clone()
        if len(thought) < request["age"]:
            logits[request["tokens"]] -= request["alpha"]
        seen = torch.tensor(sorted(set(ids)))
        value, penalty = logits[seen], request["repetition"]
        logits[seen] = torch.where(value > 0, value / penalty, value * penalty)
        found.append(float(logits.max() - logits[token]))
        ids.append(token)
        thought.append(token)
        if any(word in tokenizer.decode(thought) for word in request["words"]):
            thought = []
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_distances(sys.argv[1], json.load(sys.stdin))))
