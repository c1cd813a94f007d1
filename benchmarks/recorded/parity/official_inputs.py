"""Writes down the inputs and expected outputs that evalplus tests with; started with evalplus's interpreter.

    python official_inputs.py humaneval|mbpp OUT

OUT gets a line a problem: {"task", "atol", "solution", "base": [inputs, outputs], "plus": [inputs, outputs]},
both packed: a pickle keeps tuples, sets and integer keys. Outputs of more than a megabyte (packed) are null:
`solution` gives them again.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
import zlib
from pathlib import Path
from typing import Any

_MOST = 1_000_000
"""Characters of packed outputs; the largest are 57 million."""


def pack(value: Any) -> str:
    """`value` as text: base85 of zlib of a pickle."""
    return base64.b85encode(zlib.compress(pickle.dumps(value, protocol=4))).decode("ascii")


def main() -> None:
    from official import load_evalplus

    dataset, out = sys.argv[1:]
    problems, expected = load_evalplus(dataset)
    with Path(out).open("w", encoding="utf-8") as stream:
        for task, problem in problems.items():
            solution = problem["prompt"] + problem["canonical_solution"]
            row = {"task": task, "atol": problem["atol"], "solution": solution}
            for part in ("base", "plus"):
                outputs = pack(expected[task][part])
                row[part] = [pack(list(problem[f"{part}_input"])), outputs if len(outputs) < _MOST else None]
            stream.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
