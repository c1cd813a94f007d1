"""Runs a benchmark's own judge on programs; started by benchmarks/parity.py with that judge's interpreter.

    python official.py livecodebench|humaneval|mbpp CASES OUT CHECKOUT_OR_EMPTY

CASES is JSON Lines {"case", "code", ...}; OUT gets {"case", "passed": [one reading, the other]} a line;
in both readings a program is judged anew. Nothing of ours is imported here: the interpreter is the judge's.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_READINGS = 2
_TIMEOUT_S = 6
"""LiveCodeBench's default."""


def make_livecodebench(checkout: str) -> Callable[[dict[str, Any]], list[bool]]:
    """LiveCodeBench's `check_correctness`, with its defaults."""
    sys.path.insert(0, checkout)
    from lcb_runner.evaluation.compute_code_generation_metrics import check_correctness

    def judge(case: dict[str, Any]) -> list[bool]:
        sample = {"input_output": json.dumps(case["tests"])}
        try:
            results, _ = check_correctness(sample, case["code"], timeout=_TIMEOUT_S, debug=False)
        except Exception:  # as its `evaluate_generations_by_problem` does: such a program has failed
            logging.getLogger(__name__).debug("the judge gave up", exc_info=True)
            return [False]
        return [bool(results) and all(result is True or result == 1 for result in results)]

    return judge


def make_evalplus(dataset: str) -> Callable[[dict[str, Any]], list[bool]]:
    """The `check_correctness` of evalplus for a dataset, with its defaults: (base, base and plus)."""
    from evalplus.data import get_human_eval_plus, get_mbpp_plus
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS
    from evalplus.evaluate import check_correctness, get_groundtruth

    problems = get_human_eval_plus() if dataset == "humaneval" else get_mbpp_plus()
    not_none = [] if dataset == "humaneval" else MBPP_OUTPUT_NOT_NONE_TASKS
    expected = get_groundtruth(problems, f"parity-{dataset}", not_none)

    def judge(case: dict[str, Any]) -> list[bool]:
        task = case["task"]
        found = check_correctness(dataset, 0, problems[task], case["code"], expected[task], fast_check=True)
        base = found["base"][0] == "pass"
        return [base, base and found["plus"][0] == "pass"]

    return judge


def main() -> None:
    name, cases, out, checkout = sys.argv[1:]
    judge = make_livecodebench(checkout) if name == "livecodebench" else make_evalplus(name)
    rows = [json.loads(line) for line in Path(cases).read_text("utf-8").splitlines()]
    with Path(out).open("w", encoding="utf-8") as stream:
        for place, row in enumerate(rows):
            readings = [judge(row) for _ in range(_READINGS)]
            stream.write(json.dumps({"case": row["case"], "passed": readings}) + "\n")
            stream.flush()
            if (place + 1) % 100 == 0:
                print(f"{name}: {place + 1}/{len(rows)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
