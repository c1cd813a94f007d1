"""What a run of pytest gave, and why it did not start where it did not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

_MOST_FAULT = 300
_HAS_STARTED = (0, 5)
"""Exit statuses of a pytest that told of no test although it started: there was none."""
_FAULTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:\S+: )?error: (.*)",  # an argument that it does not know
        r"E\s+(\S.*)",  # what a conftest.py raised
        r"ERROR: (?!usage:)(.*)",
        r"(?:INTERNALERROR> )?((?:\w+\.)*\w*(?:Error|Exception|Exit)\b.*)",
    )
)
"""Lines with which pytest says why it does not start, the plainest first."""


@dataclass(frozen=True, slots=True)
class TestRun:
    """The results of pytest on one version."""

    __test__ = False

    results: tuple[dict[str, Any], ...]
    """One a test or file that could not be collected: `test`, `status`, `outcome`, `reached`, ..."""
    has_pytest: bool
    is_over: bool
    """Whether it ran out of time as a whole."""
    fault: str = ""
    """Why pytest did not start, in its own words; empty where it did."""


def explain_start(log: str, status: int) -> str:
    """Why a pytest that told of no test did not start; empty where it did."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if status in _HAS_STARTED:
        return ""
    for pattern in _FAULTS:
        found = [item[1] for line in lines if (item := pattern.match(line))]
        if found:
            return found[-1][:_MOST_FAULT]
    return (lines or [f"exit status {status}"])[-1][:_MOST_FAULT]


def join_runs(runs: Sequence[TestRun]) -> TestRun:
    """The runs of several projects as one; a pytest that did not start comes before others."""
    first = next((run for run in runs if run.fault or not run.has_pytest), runs[0])
    results = tuple(item for run in runs for item in run.results)
    return replace(first, results=results, is_over=any(run.is_over for run in runs))
