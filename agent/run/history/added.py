"""Keeps the work of methods that were added to a finished run apart from the work of the run itself.

The store counts calls and executions by problem and stage, not by method. So what a run had done for a
problem is written down before the first method is added; what is counted later in the stages of selection
came with the added ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from sstar_code.agent.run.bounds import read_own_json
from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.outcomes import StageCount, read_record
from sstar_code.problems import ProblemFileError

_FILE = "before_added_methods.json"
_NEVER_ADDED = ("generate", "debug", "grade")

ByProblem = Mapping[str, Mapping[str, StageCount]]
"""The work for each problem by stage."""


def note_own_work(folder: Path, work: ByProblem, problem_ids: Iterable[str]) -> None:
    """Write down the `work` of the run for the finished problems `problem_ids`, where it is not noted yet.

    Raises:
        InfrastructureError: the folder cannot be written.
    """
    noted = _read(folder)
    new = {one: work.get(one, {}) for one in problem_ids if one not in noted}
    if new:
        every = {**noted, **new}
        rows = {one: {name: asdict(count) for name, count in stages.items()} for one, stages in every.items()}
        write_json(folder / _FILE, rows)


def split_work(folder: Path, work: ByProblem) -> tuple[ByProblem, ByProblem]:
    """The run's own part of `work`, and what methods that were added later needed."""
    noted = _read(folder)
    if not noted:
        return work, {}
    own: dict[str, dict[str, StageCount]] = {}
    added: dict[str, dict[str, StageCount]] = {}
    for problem_id, stages in work.items():
        for name, count in stages.items():
            mine = count
            if problem_id in noted and name not in _NEVER_ADDED:
                mine = noted[problem_id].get(name, StageCount())
                added.setdefault(problem_id, {})[name] = _subtract(count, mine)
            own.setdefault(problem_id, {})[name] = mine
        own.setdefault(problem_id, {})
    return own, added


def _subtract(whole: StageCount, part: StageCount) -> StageCount:
    values: dict[str, Any] = {}
    for item in fields(StageCount):
        count = getattr(whole, item.name)
        values[item.name] = None if count is None else max(0, count - (getattr(part, item.name) or 0))
    return StageCount(**values)


def _read(folder: Path) -> ByProblem:
    try:
        rows = read_own_json(folder / _FILE)
        return {
            one: {name: read_record(StageCount, count) for name, count in stages.items()}
            for one, stages in rows.items()
        }
    except (ProblemFileError, ValueError, TypeError, AttributeError):
        return {}
