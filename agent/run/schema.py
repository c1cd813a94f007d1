"""The run store's schema as an ordered list of migrations; a database remembers how many it has applied."""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE calls (             -- every model answer, written before it is used
        key TEXT PRIMARY KEY,        -- agent.models.request_key
        problem_id TEXT NOT NULL, stage TEXT NOT NULL, sample INTEGER NOT NULL,
        round INTEGER NOT NULL, ordinal TEXT NOT NULL,
        request TEXT NOT NULL,       -- JSON
        answer TEXT NOT NULL,        -- JSON
        created_at TEXT NOT NULL     -- UTC, ISO 8601
    );
    CREATE INDEX calls_by_problem ON calls (problem_id, stage);
    CREATE TABLE executions (        -- every run of a program on an input
        key TEXT PRIMARY KEY,        -- sandbox.execution_key
        status TEXT NOT NULL, cpu_s REAL NOT NULL,
        execution BLOB NOT NULL      -- zlib of JSON
    );
    CREATE TABLE candidates (        -- every round of every sample
        problem_id TEXT NOT NULL, sample INTEGER NOT NULL, round INTEGER NOT NULL,
        code TEXT,                   -- NULL where the answer held none
        public_passed INTEGER NOT NULL, public_total INTEGER NOT NULL,
        is_best INTEGER NOT NULL,    -- 1 for the round that stands for the sample
        hidden_verdict TEXT,         -- NULL where not graded
        PRIMARY KEY (problem_id, sample, round)
    );
    CREATE TABLE selections (
        problem_id TEXT NOT NULL, method TEXT NOT NULL,
        selection TEXT NOT NULL,     -- JSON, selection.Selection
        PRIMARY KEY (problem_id, method)
    );
    CREATE TABLE problems (          -- one row for every problem that is finished
        problem_id TEXT PRIMARY KEY,
        outcome TEXT NOT NULL        -- JSON, agent.run.outcomes.ProblemOutcome
    );
    """,
    """
    ALTER TABLE executions ADD COLUMN problem_id TEXT NOT NULL DEFAULT '';     -- what it was first run for
    ALTER TABLE executions ADD COLUMN stage TEXT NOT NULL DEFAULT 'other';
    """,
    """
    CREATE TABLE failed_calls (      -- every call that the model refused for good, until it is answered
        key TEXT PRIMARY KEY,        -- as in calls
        problem_id TEXT NOT NULL, stage TEXT NOT NULL, sample INTEGER NOT NULL,
        round INTEGER NOT NULL, ordinal TEXT NOT NULL,
        error TEXT NOT NULL,         -- one line
        created_at TEXT NOT NULL     -- UTC, ISO 8601
    );
    """,
    """
    CREATE TABLE steps (             -- what was decided about a problem's samples, before it was done
        problem_id TEXT NOT NULL, ordinal INTEGER NOT NULL,
        step TEXT NOT NULL,          -- JSON, allocation.policy.Step
        seen TEXT NOT NULL,          -- JSON, allocation.policy.Observed: what it rests on
        PRIMARY KEY (problem_id, ordinal)
    );
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database up to date.

    Raises:
        sqlite3.DatabaseError: the file is no database of ours, or a newer version wrote it.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not version and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise sqlite3.DatabaseError("a database of another program")
    if version > len(MIGRATIONS):
        raise sqlite3.DatabaseError(
            f"written by a newer version (schema {version}, this one knows {len(MIGRATIONS)})"
        )
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")
