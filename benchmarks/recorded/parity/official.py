"""Runs a benchmark's own judge once on programs; started by readings.py with that judge's interpreter.

    python official.py livecodebench|humaneval|mbpp CASES OUT CHECKOUT LIMIT_S

CASES is JSON Lines {"case", "code", ...}; OUT gets {"case", "passed": [verdicts], "load"} a line, with the
machine's load average of the last minute. CHECKOUT is LiveCodeBench's, "" for evalplus. LIMIT_S is the wall
time that a test may take, "" for the judge's default. Nothing of ours is imported here: the interpreter is
the judge's.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_LIVECODEBENCH_S = 6
"""LiveCodeBench's default limit of a test, wall time."""


def make_livecodebench(checkout: str, limit_s: str) -> Callable[[dict[str, Any]], list[bool]]:
    """LiveCodeBench's `check_correctness`: (all tests)."""
    sys.path.insert(0, checkout)
    from lcb_runner.evaluation.compute_code_generation_metrics import check_correctness

    timeout = int(limit_s) if limit_s else _LIVECODEBENCH_S

    def judge(case: dict[str, Any]) -> list[bool]:
        sample = {"input_output": json.dumps(case["tests"])}
        try:
            results, _ = check_correctness(sample, case["code"], timeout=timeout, debug=False)
        except Exception:  # as its `evaluate_generations_by_problem` does: such a program has failed
            logging.getLogger(__name__).debug("the judge gave up", exc_info=True)
            return [False]
        return [bool(results) and all(result is True or result == 1 for result in results)]

    return judge


def load_evalplus(dataset: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The problems of `humaneval` or `mbpp`, as evalplus reads them, and the outputs that it expects."""
    from evalplus.data import get_human_eval_plus, get_mbpp_plus
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS
    from evalplus.evaluate import get_groundtruth

    problems = get_human_eval_plus() if dataset == "humaneval" else get_mbpp_plus()
    not_none = [] if dataset == "humaneval" else MBPP_OUTPUT_NOT_NONE_TASKS
    return problems, get_groundtruth(problems, f"parity-{dataset}", not_none)


def make_evalplus(dataset: str, limit_s: str, tasks: set[str]) -> Callable[[dict[str, Any]], list[bool]]:
    """The `check_correctness` of evalplus for `tasks` of a dataset: (base, base and plus)."""
    from evalplus.evaluate import check_correctness

    problems, expected = load_evalplus(dataset)
    # every program is judged in a fork of this process, which is slow where it holds a gigabyte
    expected = {task: outputs for task, outputs in expected.items() if task in tasks}
    limits = {"min_time_limit": float(limit_s)} if limit_s else {}

    def judge(case: dict[str, Any]) -> list[bool]:
        task = case["task"]
        given = (dataset, 0, problems[task], case["code"], expected[task])
        found = check_correctness(*given, fast_check=True, **limits)
        base = found["base"][0] == "pass"
        return [base, base and found["plus"][0] == "pass"]

    return judge


def main() -> None:
    name, cases, out, checkout, limit_s = sys.argv[1:]
    rows = [json.loads(line) for line in Path(cases).read_text("utf-8").splitlines()]
    if name == "livecodebench":
        judge = make_livecodebench(checkout, limit_s)
    else:
        judge = make_evalplus(name, limit_s, {row["task"] for row in rows})
    with Path(out).open("w", encoding="utf-8") as stream:
        for place, row in enumerate(rows):
            found = {"case": row["case"], "passed": judge(row), "load": round(os.getloadavg()[0], 1)}
            stream.write(json.dumps(found) + "\n")
            stream.flush()
            if (place + 1) % 100 == 0:
                print(f"{name}: {place + 1}/{len(rows)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
