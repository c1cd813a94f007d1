"""What the live page of a run shows: its state and the problems that have ended."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.report.data.state import read_outcomes, read_state
from sstar_code.agent.run.history.kinds import read_run
from sstar_code.agent.run.store import Store

if TYPE_CHECKING:
    from sstar_code.agent.run.outcomes import ProblemOutcome


def read_progress(folder: Path) -> dict[str, Any]:
    """The object that the page asks for every other second; rows are `[id, outcome, class, samples]`.

    Raises:
        UserError: it is no run folder, or its store is not one of ours.
        StoreError: the store cannot be read.
    """
    kind, manifest = read_run(folder)
    outcomes = read_outcomes(folder, kind)
    select = str(manifest["config"].get("select", ""))
    graded = [outcome for outcome in outcomes.values() if outcome.graded]
    calls = runs = 0
    if (folder / "run.db").is_file():
        with closing(Store(folder / "run.db", read_only=True)) as store:
            calls, runs = store.count_calls(), sum(row[2] for row in store.count_executions())
    return {
        "state": read_state(folder).as_json(),
        "rows": [[one, *_describe(outcome, kind, select)] for one, outcome in outcomes.items()],
        "right": sum(_is_right(outcome, kind, select) for outcome in graded),
        "graded": len(graded),
        "calls": calls,
        "runs": runs,
        "has_page": kind != "grade" and (folder / "run.db").is_file(),
    }


def _is_right(outcome: ProblemOutcome, kind: str, select: str) -> bool:
    return outcome.count_right() > 0 if kind == "grade" else outcome.is_right(outcome.chosen.get(select))


def _describe(outcome: ProblemOutcome, kind: str, select: str) -> tuple[str, str, str]:
    """Words for the outcome, the class of their colour, and how many samples are good so far."""
    samples = len(outcome.samples)
    if kind == "grade":
        right = outcome.count_right()
        words = ("a right sample", "right") if right else ("no right sample", "wrong")
        return (*(words if outcome.graded else ("no tests", "soft")), f"{right} right of {samples}")
    passing = f"{sum(sample.survives for sample in outcome.samples)} of {samples}"
    if outcome.error is not None:
        return outcome.error, "wrong", passing
    if outcome.graded:
        is_right = _is_right(outcome, kind, select)
        return "right" if is_right else "wrong", "right" if is_right else "wrong", passing
    return ("passes the public tests" if outcome.solved else "fails public tests"), "soft", passing
