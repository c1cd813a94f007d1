"""Reads a run from its folder without changing anything there, also while it is going on."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sstar_code.agent.jobs.merge_runs import Shard
from sstar_code.agent.report.data.run import Choice, RoundRow, Run
from sstar_code.agent.run.outcomes import ProblemOutcome
from sstar_code.agent.run.schema import MIGRATIONS
from sstar_code.agent.run.usage import StageCount
from sstar_code.problems import UserError
from sstar_code.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sstar_code.problems import Problem

__all__ = ["asked_for", "open_run", "read_manifest", "read_selection"]


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


def read_selection(run: Run, problem_id: str, method: str) -> Selection | None:
    """What `method` chose and why, with evidence as plain dicts; None where it did not run."""
    row = run.database.execute(
        "SELECT selection FROM selections WHERE problem_id = ? AND method = ?", (problem_id, method)
    ).fetchone()
    return None if row is None else Selection(**json.loads(row[0]))
