"""A run as the report sees it: everything but its texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.agent.run.usage import StageCount

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sstar_code.agent.run.outcomes import ProblemOutcome
    from sstar_code.problems import Problem

__all__ = ["Choice", "RoundRow", "Run"]


@dataclass(frozen=True, slots=True)
class RoundRow:
    """One round of one sample, without its program."""

    sample: int
    round: int
    written: bool
    """The answer held a program."""
    public_passed: int
    public_total: int
    is_best: bool
    hidden: str | None
    """Verdict on the hidden tests; None where it was not graded."""

    @property
    def survives(self) -> bool:
        """Passed every public test."""
        return self.written and self.public_passed == self.public_total

    @property
    def right(self) -> bool:
        """Passes the hidden tests.

        Only rounds that may stand for a sample are graded; one that fails a public test is wrong anyway.
        """
        return self.hidden == "AC"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a method chose for a problem, without its evidence."""

    chosen: int | None
    confidence: float
    clusters: tuple[tuple[int, ...], ...]
    calls: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Run:
    """Everything of a run but its texts, which `database` has."""

    folder: Path
    manifest: Mapping[str, Any]
    problem_ids: tuple[str, ...]
    """Those asked for, in their order."""
    outcomes: Mapping[str, ProblemOutcome]
    """Of finished problems."""
    errors: Mapping[str, str]
    """Problem id to one line."""
    rounds: Mapping[str, Sequence[RoundRow]]
    """Of finished problems, in order of samples and rounds."""
    choices: Mapping[str, Mapping[str, Choice]]
    """By problem and method."""
    stages: Mapping[str, Mapping[str, StageCount]]
    """By problem and stage."""
    answered: tuple[str, str] | None
    """When the first and the last answer were stored (UTC, ISO 8601); None without answers."""
    problems: Mapping[str, Problem]
    """Those whose set could be read; statements, tests and metadata come from there."""
    summary: Mapping[str, Any]
    """`summary.json`; empty while the first start is going on."""
    database: sqlite3.Connection
    """Read-only, one snapshot."""

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.resolve().name

    @property
    def config(self) -> Mapping[str, Any]:
        """What the manifest says was asked for."""
        config = self.manifest["config"]
        assert isinstance(config, dict)
        return config

    @property
    def select(self) -> str:
        """The method whose choice is the answer."""
        return str(self.config["select"])

    @property
    def total(self) -> Mapping[str, StageCount]:
        """Of all problems, by stage."""
        total: dict[str, StageCount] = {}
        for stages in self.stages.values():
            for name, count in stages.items():
                total[name] = _add(total.get(name, StageCount()), count)
        return total

    def is_graded(self, problem_id: str) -> bool:
        """Whether hidden tests gave verdicts."""
        outcome = self.outcomes.get(problem_id)
        return outcome is not None and outcome.graded and problem_id not in self.errors

    def counts(self, problem_id: str) -> bool:
        """Whether the problem is in the rates: all are but those that turned out to have no hidden tests."""
        return problem_id in self.errors or problem_id not in self.outcomes or self.is_graded(problem_id)


def _add(total: StageCount, count: StageCount) -> StageCount:
    def known(a: int | None, b: int | None) -> int | None:
        return b if a is None else a if b is None else a + b

    return StageCount(
        calls=total.calls + count.calls,
        prompt=total.prompt + count.prompt,
        cached=known(total.cached, count.cached),
        output=total.output + count.output,
        reasoning=known(total.reasoning, count.reasoning),
        seconds=total.seconds + count.seconds,
        unknown=total.unknown + count.unknown,
        cut=total.cut + count.cut,
        executions=total.executions + count.executions,
        cpu_s=total.cpu_s + count.cpu_s,
    )
