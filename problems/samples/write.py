"""Writes samples as the benchmarks' own evaluators read them; `samples.read` reads both forms back.

evalplus (`evalplus.evaluate --samples FILE`, a name that ends with .jsonl) wants every problem there and a
text under `solution`. LiveCodeBench (`lcb_runner.runner.custom_evaluator`) wants every problem of the
release and dates it is started with, no other, and as many programs for each. Where a problem has no program,
or fewer than another, the empty program stands in: it is no solution in either evaluator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def make_evalplus_rows(grouped: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """The lines of a samples file of evalplus; a problem without a program gets the empty one.

    `grouped` holds whole programs by problem id, here and below.
    """
    return [{"task_id": name, "solution": code} for name, codes in grouped.items() for code in codes or [""]]


def make_livecodebench_rows(grouped: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The one JSON list of LiveCodeBench's custom evaluation; every problem gets as many programs."""
    most = max((len(codes) for codes in grouped.values()), default=0) or 1
    return [
        {"question_id": name, "code_list": [*codes, *[""] * (most - len(codes))]}
        for name, codes in grouped.items()
    ]
