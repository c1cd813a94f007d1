"""The run store's schema as an ordered list of migrations, of which a database counts those applied."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.models.request import request_key
from sstar_code.agent.run.bounds import protect

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Request

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
    """
    CREATE TABLE ways (              -- how the samples of this run come to be
        name TEXT PRIMARY KEY,       -- strategy, style
        value TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE notes (             -- what problems of the set learn from each other
        problem_id TEXT NOT NULL,
        kind TEXT NOT NULL,          -- shown: to this problem, decided when it is begun; learnt: from it
        lines TEXT NOT NULL,         -- a line each
        PRIMARY KEY (problem_id, kind)
    );
    """,
)


def check_schema(connection: sqlite3.Connection, version: int, name: str = "main") -> None:
    """Refuse a database in which a table is another, or a view, or has a trigger: reading could do anything.

    `name` is that under which it is attached.

    Raises:
        sqlite3.DatabaseError: it does not have exactly what the first `version` migrations make.
    """
    with closing(sqlite3.connect(":memory:")) as ours:
        for script in MIGRATIONS[:version]:
            ours.executescript(script)
        wanted = _list_schema(ours, "main")
    if _list_schema(connection, name) != wanted:
        raise sqlite3.DatabaseError("it has other tables than ours, views or triggers")


def _list_schema(connection: sqlite3.Connection, name: str) -> set[tuple[str, str, str, str]]:
    """Kind, name, table and definition of everything, comments and blanks aside."""
    query = f"SELECT type, name, tbl_name, sql FROM {name}.sqlite_master LIMIT 100"  # noqa: S608 - ours
    found = set()
    for row in connection.execute(query):
        kind, own, table, text = map(str, row)
        plain = " ".join(re.sub(r"--[^\n]*", "", text).split())
        found.add((kind, own, table, re.sub(r"\s*([(),])\s*", r"\1", plain)))
    return found


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database up to date.

    Raises:
        sqlite3.DatabaseError: the file is no database of ours, or a newer version wrote it.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not version and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise sqlite3.DatabaseError("a database of another program")
    if not 0 <= version <= len(MIGRATIONS):
        raise sqlite3.DatabaseError(
            f"written by a newer version (schema {version}, this one knows {len(MIGRATIONS)})"
        )
    check_schema(connection, version)
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")


def open_to_write(path: Path | None, undo: contextlib.ExitStack) -> sqlite3.Connection:
    """The database, made where there is none, with this version's schema."""
    # One thread uses a store; but where nobody closes it, any thread may be the one that collects it.
    database = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=2.0, check_same_thread=False)
    undo.callback(database.close)
    protect(database)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    migrate(database)
    return database


def open_snapshot(path: Path, undo: contextlib.ExitStack) -> sqlite3.Connection:
    """The database, read in one transaction: what a run writes meanwhile is not seen by halves."""
    try:
        database, version = _begin_to_read(path, "mode=ro", undo)
    except sqlite3.OperationalError:  # a folder that may not be written has no shared memory for the log
        database, version = _begin_to_read(path, "mode=ro&immutable=1", undo)
    if not 2 <= version <= len(MIGRATIONS):
        raise sqlite3.DatabaseError(
            f"schema {version}, this one reads 2 to {len(MIGRATIONS)}; use the sstar that wrote it, or run "
            "the same `sstar eval` again to bring it up to date"
        )
    check_schema(database, version)
    return database


def _begin_to_read(path: Path, mode: str, undo: contextlib.ExitStack) -> tuple[sqlite3.Connection, int]:
    """The database in a transaction, and its schema's version."""
    place = f"{path.resolve().as_uri()}?{mode}"
    database = sqlite3.connect(place, uri=True, isolation_level=None, timeout=5.0, check_same_thread=False)
    undo.callback(database.close)
    protect(database)
    database.execute("BEGIN")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return database, version


def place_call(request: Request, key: str | None = None) -> tuple[str, str, str, int, int, str]:
    """The first columns of a call: its key, which who has it may give, and which call of the method it is."""
    purpose = request.purpose
    return (
        key or request_key(request),
        purpose.problem_id,
        purpose.stage.value,
        purpose.sample,
        purpose.round,
        purpose.ordinal,
    )


def write_now() -> str:
    """The present in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def storable(text: str | None) -> str | None:
    """SQLite keeps UTF-8 only; a model's answer may hold lone surrogates."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()
