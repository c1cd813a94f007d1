"""A run as the report sees it, read from its folder without changing anything there."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.calls import StageCount
from agent.records import ProblemOutcome
from agent.schema import MIGRATIONS
from agent.shards import Shard
from problems import UserError
from selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from problems import Problem

__all__ = ["Choice", "RoundRow", "Run", "asked_for", "open_run", "read_manifest", "read_selection"]


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


@contextmanager
def open_run(folder: Path, problems: Mapping[str, Problem] | None = None) -> Iterator[Run]:
    """Read `folder`, which may belong to a run that is going on; nothing is written, and no lock is taken.

    `problems` by id, where the caller has them.

    Raises:
        UserError: it is no run folder of `sstar eval`, or its store cannot be read.
    """
    manifest = read_manifest(folder)
    path = folder / "run.db"
    if not path.is_file():
        raise UserError(f"{folder}: nothing was run yet (no run.db)")
    try:
        with _connect(path) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if not 2 <= version <= len(MIGRATIONS):
                raise UserError(
                    f"{path}: schema {version}, this version reads 2 to {len(MIGRATIONS)}; "
                    "use the sstar that wrote it, or run the same `sstar eval` again to bring it up to date"
                )
            yield _read(folder, manifest, database, problems or {})
    except sqlite3.DatabaseError as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of `sstar eval`.

    Raises:
        UserError: there is none, or another command wrote it.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        config = manifest["config"]
    except FileNotFoundError as error:
        raise UserError(
            f"{folder}: no run folder (it has no manifest.json); name the --out of a run"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a manifest of ours") from error
    if not isinstance(config, dict) or not {"n", "select", "problems"} <= set(config):
        raise UserError(f"{folder}: not a run of `sstar eval`; `report` reads no other folders")
    return dict(manifest)


@contextmanager
def _connect(path: Path) -> Iterator[sqlite3.Connection]:
    """Read-only, and one transaction: what a run writes meanwhile is not seen by halves."""
    place = path.resolve().as_uri()
    database = sqlite3.connect(f"{place}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
    try:
        try:
            database.execute("SELECT 1 FROM calls").fetchone()
        except sqlite3.OperationalError:  # a folder that may not be written has no shared memory for the log
            database.close()
            database = sqlite3.connect(f"{place}?immutable=1", uri=True, isolation_level=None)
        database.execute("BEGIN")
        yield database
    finally:
        database.close()


def _read(
    folder: Path, manifest: dict[str, Any], database: sqlite3.Connection, problems: Mapping[str, Problem]
) -> Run:
    outcomes = {
        problem_id: ProblemOutcome.from_json(text)
        for problem_id, text in database.execute("SELECT problem_id, outcome FROM problems")
    }
    summary = _read_summary(folder)
    asked = tuple(asked_for(manifest["config"]))
    failed = {**summary.get("failed", {}), **_errors(outcomes)}
    return Run(
        folder=folder,
        manifest=manifest,
        problem_ids=asked,
        outcomes=outcomes,
        errors={
            problem_id: line
            for problem_id, line in failed.items()
            if problem_id in asked and (problem_id not in outcomes or outcomes[problem_id].error)
        },
        rounds=_read_rounds(database),
        choices=_read_choices(database),
        stages=_read_stages(database),
        answered=_read_span(database),
        problems=problems,
        summary=summary,
        database=database,
    )


def asked_for(config: Mapping[str, Any]) -> list[str]:
    """The ids of the problems that the run was to solve: of a shard only its part."""
    ids = list(dict.fromkeys(config["problems"]))
    return Shard.parse(config["shard"]).take(ids) if "shard" in config else ids


def _errors(outcomes: Mapping[str, ProblemOutcome]) -> dict[str, str]:
    return {problem_id: outcome.error for problem_id, outcome in outcomes.items() if outcome.error}


def _read_summary(folder: Path) -> dict[str, Any]:
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def _read_rounds(database: sqlite3.Connection) -> dict[str, list[RoundRow]]:
    rounds: dict[str, list[RoundRow]] = {}
    for problem_id, *row in database.execute(
        "SELECT problem_id, sample, round, code IS NOT NULL AND trim(code) != '', "
        "public_passed, public_total, is_best, hidden_verdict FROM candidates "
        "ORDER BY problem_id, sample, round"
    ):
        sample, number, written, passed, total, best, hidden = row
        item = RoundRow(sample, number, bool(written), passed, total, bool(best), hidden)
        rounds.setdefault(problem_id, []).append(item)
    return rounds


def _read_choices(database: sqlite3.Connection) -> dict[str, dict[str, Choice]]:
    choices: dict[str, dict[str, Choice]] = {}
    for problem_id, method, text in database.execute("SELECT problem_id, method, selection FROM selections"):
        data = json.loads(text)
        clusters = tuple(tuple(members) for members in data["clusters"])
        choice = Choice(data["chosen"], data["confidence"], clusters, data["calls"], data["tokens"])
        choices.setdefault(problem_id, {})[method] = choice
    return choices


def read_selection(run: Run, problem_id: str, method: str) -> Selection | None:
    """What `method` chose and why, with evidence as plain dicts; None where it did not run."""
    row = run.database.execute(
        "SELECT selection FROM selections WHERE problem_id = ? AND method = ?", (problem_id, method)
    ).fetchone()
    return None if row is None else Selection(**json.loads(row[0]))


def _read_stages(database: sqlite3.Connection) -> dict[str, dict[str, StageCount]]:
    stages: dict[str, dict[str, StageCount]] = {}
    for problem_id, stage, *counts in database.execute(
        "SELECT problem_id, stage, COUNT(*), "
        "COALESCE(SUM(json_extract(answer, '$.usage.prompt')), 0), "
        "SUM(json_extract(answer, '$.usage.cached')), "
        "COALESCE(SUM(json_extract(answer, '$.usage.output')), 0), "
        "SUM(json_extract(answer, '$.usage.reasoning')), SUM(json_extract(answer, '$.seconds')), "
        "SUM(json_extract(answer, '$.usage.output') IS NULL), "
        "SUM(json_extract(answer, '$.finish_reason') = 'length') FROM calls GROUP BY problem_id, stage"
    ):
        stages.setdefault(problem_id, {})[stage] = StageCount(*counts)
    for problem_id, stage, executions, cpu_s in database.execute(
        "SELECT problem_id, stage, COUNT(*), SUM(cpu_s) FROM executions GROUP BY problem_id, stage"
    ):
        count = stages.setdefault(problem_id, {}).setdefault(stage, StageCount())
        count.executions += executions
        count.cpu_s += cpu_s
    return stages


def _read_span(database: sqlite3.Connection) -> tuple[str, str] | None:
    first, last = database.execute("SELECT MIN(created_at), MAX(created_at) FROM calls").fetchone()
    return None if first is None else (first, last)


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
