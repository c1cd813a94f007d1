"""Decisions about samples, kept in the run store before they are acted on: a resumed run decides alike.

What is decided for one problem hangs on what others have shown by then, and so on the order of answers.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from sstar_code.agent.allocation.policy import Observed, Repairs, Step

if TYPE_CHECKING:
    from sstar_code.agent.run.store import Store

__all__ = ["DecisionLog"]


class DecisionLog:
    """The steps of every problem of a run."""

    def __init__(self, store: Store | None = None) -> None:
        """Begin with what `store` holds; without one, steps are kept for the life of the process."""
        self._store = store
        self._steps: dict[str, list[Step]] = {}
        self.shown: dict[str, Observed] = {}
        """What each problem had shown when its last step was decided."""
        for problem_id, step, seen in store.steps() if store else ():
            data = json.loads(step)
            self._steps.setdefault(problem_id, []).append(Step(**{**data, "dropped": tuple(data["dropped"])}))
            self.shown[problem_id] = _read_seen(seen)

    def of(self, problem_id: str) -> list[Step]:
        """The steps of a problem so far, in order."""
        return self._steps.setdefault(problem_id, [])

    def add(self, problem_id: str, step: Step, seen: Observed) -> None:
        """Keep the next step of a problem and what it rests on."""
        steps = self.of(problem_id)
        if self._store is not None:
            self._store.put_step(problem_id, len(steps), json.dumps(asdict(step)), json.dumps(asdict(seen)))
        steps.append(step)
        self.shown[problem_id] = seen


def _read_seen(text: str) -> Observed:
    data = json.loads(text)
    repairs = tuple(Repairs(**item) for item in data.pop("repairs"))
    return Observed(**{**data, "groups": tuple(data["groups"]), "repairs": repairs})
