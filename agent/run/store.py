"""The run store: one SQLite file that holds every model call, candidate, execution and selection of a run.

Every write is committed at once (WAL), so kill -9 at any moment loses at most what was in flight.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import sqlite3
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from sstar_code.agent.models.request import Answer, Request, request_key
from sstar_code.agent.run.outcomes import RoundOutcome, StageCount, read_record
from sstar_code.agent.run.schema import MIGRATIONS, migrate
from sstar_code.agent.telemetry.events import current_work
from sstar_code.problems import InfrastructureError, UserError
from sstar_code.sandbox import Execution


class StoreError(InfrastructureError):
    """The store cannot be written (disk full, read-only folder, ...)."""


def lock(path: Path) -> TextIO:
    """Hold the file `path` until the result is closed; the kernel lets go of it however the process ends.

    Raises:
        UserError: another process holds it; the message says which, where and since when.
        StoreError: the file cannot be made.
    """
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path}: cannot write ({error.strerror}); name another --out") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = _read_holder(file)
        file.close()
        raise UserError(
            f"{path.parent}: another sstar is working in this folder{holder}; "
            "wait for it, stop it, or name another --out"
        ) from error
    _write_holder(file)
    return file


def _write_holder(file: TextIO) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": platform.node(), "since": since}
    try:
        file.truncate(0)
        file.write(json.dumps(holder) + "\n")
        file.flush()
    except OSError:  # a full disk: the lock holds all the same, only its holder stays unnamed
        os.ftruncate(file.fileno(), 0)


def _read_holder(file: TextIO) -> str:
    file.seek(0)
    try:
        holder = json.loads(file.read())
        return f" (process {holder['pid']} on {holder['host']}, since {holder['since']})"
    except (ValueError, KeyError, TypeError):  # it has just begun, or its disk was full
        return ""


class Store:
    """Open with a path; `close` when done. Not thread-safe: one event loop writes."""

    def __init__(self, path: Path | None = None, *, read_only: bool = False) -> None:
        """Open or make the database at `path`; None: in memory, for as long as the process lives.

        With `read_only` it has to be there, no lock is taken and nothing is written: what is read is one
        snapshot, also of a run that is going on.

        Raises:
            UserError: `path` is not a database of ours, or another process is writing to it.
            StoreError: it cannot be written or, with `read_only`, read.
        """
        self.path = path
        with contextlib.ExitStack() as undo:
            if path is not None and not read_only:
                undo.enter_context(lock(path.with_suffix(".lock")))
            try:
                if path is not None and read_only:
                    self._db = _open_snapshot(path, undo)
                else:
                    self._db = _open_to_write(path, undo)
            except sqlite3.OperationalError as error:
                raise StoreError(
                    f"{path}: cannot {'read' if read_only else 'write'} the run store ({error})"
                ) from error
            except sqlite3.DatabaseError as error:
                raise UserError(f"{path}: not a run store of this version ({error})") from error
            self._open = undo.pop_all()
        weakref.finalize(self, self._open.close)  # also where nobody closed it: Python 3.13 warns of that

    def close(self) -> None:
        """Write what is left of the log into the file and close it."""
        self._open.close()

    @contextlib.contextmanager
    def _reaching(self, what: str = "write") -> Iterator[sqlite3.Connection]:
        try:
            yield self._db
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"{self.path}: cannot {what} ({error}); what was written before is kept: "
                "free some space and run the same command again"
            ) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what is written inside, or nothing."""
        with self._reaching() as db:
            db.execute("BEGIN")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _read(self, query: str, *values: str) -> list[Any]:
        with self._reaching("read") as db:
            return db.execute(query, values).fetchall()

    # model calls

    def get_answer(self, request: Request) -> Answer | None:
        """The answer that was paid for once, or None."""
        rows = self._read("SELECT answer FROM calls WHERE key = ?", request_key(request))
        return read_record(Answer, json.loads(rows[0][0])) if rows else None

    def put_answer(self, request: Request, answer: Answer) -> None:
        """Keep `answer`; one that is there already stays. An earlier failure of the call is forgotten."""
        place = _place(request)
        texts = json.dumps(asdict(request)), json.dumps(asdict(answer))
        with self._transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*place, *texts, _now())
            )
            db.execute("DELETE FROM failed_calls WHERE key = ?", place[:1])

    def put_failure(self, request: Request, error: str) -> None:
        """Note that the model refused `request` for good; `error` is one line."""
        with self._reaching() as db:
            db.execute(
                "INSERT OR REPLACE INTO failed_calls VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*_place(request), _storable(error), _now()),
            )

    def failures(self) -> list[tuple[str, str, str]]:
        """(problem_id, stage, error) of every call that failed for good and was not answered since."""
        rows = self._read("SELECT problem_id, stage, error FROM failed_calls ORDER BY rowid")
        return [(problem_id, stage, error) for problem_id, stage, error in rows]

    def answers(self) -> Iterator[tuple[str, str, Answer]]:
        """(problem_id, stage, answer) of every call, in the order of writing."""
        with self._reaching("read") as db:
            for problem_id, stage, text in db.execute(
                "SELECT problem_id, stage, answer FROM calls ORDER BY rowid"
            ):
                yield problem_id, stage, read_record(Answer, json.loads(text))

    def calls(self, problem_id: str) -> list[tuple[Request, Answer]]:
        """Every answered call for a problem, in the order of writing."""
        query = "SELECT request, answer FROM calls WHERE problem_id = ? ORDER BY rowid"
        return [
            (read_record(Request, json.loads(request)), read_record(Answer, json.loads(answer)))
            for request, answer in self._read(query, problem_id)
        ]

    def answered_between(self) -> tuple[str, str] | None:
        """When the first and the last answer were stored (UTC, ISO 8601); None without answers."""
        ((first, last),) = self._read("SELECT MIN(created_at), MAX(created_at) FROM calls")
        return (first, last) if first else None

    def count_stages(self, problem_ids: Iterable[str] = ()) -> dict[str, dict[str, StageCount]]:
        """The work for each problem by stage: `problem_ids` first, then others that some was done for."""
        counts: dict[str, dict[str, StageCount]] = {problem_id: {} for problem_id in problem_ids}

        def count_of(problem_id: str, stage: str) -> StageCount:
            return counts.setdefault(problem_id, {}).setdefault(stage, StageCount())

        for problem_id, stage, answer in self.answers():
            count_of(problem_id, stage).add_answer(answer)
        for problem_id, stage, executions, cpu_s in self.count_executions():
            count_of(problem_id, stage).add(StageCount(executions=executions, cpu_s=cpu_s))
        return counts

    # decisions about the samples of a problem

    def put_step(self, problem_id: str, ordinal: int, step: str, seen: str) -> None:
        """Keep the JSON of a step, and of what it rests on; one that is there already stays."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO steps VALUES (?, ?, ?, ?)", (problem_id, ordinal, step, seen))

    def steps(self) -> list[tuple[str, str, str]]:
        """(problem_id, step, seen), those of a problem in order."""
        return self._read("SELECT problem_id, step, seen FROM steps ORDER BY problem_id, ordinal")

    # executions: `sandbox.memo.ExecutionMemory`

    def get_execution(self, key: str) -> Execution | None:
        """The result kept under `key`, or None."""
        rows = self._read("SELECT execution FROM executions WHERE key = ?", key)
        return read_record(Execution, json.loads(zlib.decompress(rows[0][0]))) if rows else None

    def put_executions(self, executions: Mapping[str, Execution]) -> None:
        """Keep each of `executions` under its key, all in one transaction."""
        work = current_work()
        rows = [
            (
                key,
                run.status.value,
                run.cpu_s,
                zlib.compress(json.dumps(asdict(run)).encode(), level=1),
                *work,
            )
            for key, run in executions.items()
        ]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO executions VALUES (?, ?, ?, ?, ?, ?)", rows)

    def count_executions(self) -> list[tuple[str, str, int, float]]:
        """(problem_id, stage, executions, CPU seconds), by what they were first run for."""
        query = "SELECT problem_id, stage, COUNT(*), SUM(cpu_s) FROM executions GROUP BY problem_id, stage"
        return [(problem_id, stage, count, cpu_s) for problem_id, stage, count, cpu_s in self._read(query)]

    # what became of a problem

    def put_problem(
        self,
        problem_id: str,
        outcome: str,
        candidates: Sequence[tuple[int, int, str | None, int, int, bool, str | None]],
        selections: Sequence[tuple[str, str]],
    ) -> None:
        """Keep a finished problem in one transaction, in place of what was kept of it before.

        `candidates` are (sample, round, code, public_passed, public_total, is_best, hidden_verdict);
        `selections` are (method, JSON); `outcome` is JSON.
        """
        with self._transaction() as db:
            for table in ("candidates", "selections"):
                db.execute(f"DELETE FROM {table} WHERE problem_id = ?", (problem_id,))  # noqa: S608 - ours
            db.executemany(
                "INSERT OR REPLACE INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(problem_id, *row[:2], _storable(row[2]), *row[3:]) for row in candidates],
            )
            db.executemany(
                "INSERT OR REPLACE INTO selections VALUES (?, ?, ?)",
                [(problem_id, *row) for row in selections],
            )
            db.execute("INSERT OR REPLACE INTO problems VALUES (?, ?)", (problem_id, outcome))

    def put_selections(self, problem_id: str, outcome: str, selections: Sequence[tuple[str, str]]) -> None:
        """Keep further `selections`, (method, JSON), of a finished problem, and its `outcome` with them."""
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO selections VALUES (?, ?, ?)",
                [(problem_id, *row) for row in selections],
            )
            db.execute("UPDATE problems SET outcome = ? WHERE problem_id = ?", (outcome, problem_id))

    def reopen(self, problem_ids: Iterable[str]) -> None:
        """Let these problems count as unfinished, without failures; their answers and executions stay."""
        rows = [(problem_id,) for problem_id in problem_ids]
        with self._transaction() as db:
            db.executemany("DELETE FROM problems WHERE problem_id = ?", rows)
            db.executemany("DELETE FROM failed_calls WHERE problem_id = ?", rows)

    def absorb(self, path: Path) -> None:
        """Take over everything of the store at `path`, which has this version's schema.

        A problem that is finished there replaces what is here of it; of calls and executions the first stay.
        """
        with self._reaching() as db:
            db.execute("ATTACH DATABASE ? AS other", (str(path),))
            try:
                with self._transaction():
                    self._absorb_tables(db)
            finally:
                db.execute("DETACH DATABASE other")

    def _absorb_tables(self, db: sqlite3.Connection) -> None:
        for table in ("candidates", "selections", "problems"):
            db.execute(
                f"DELETE FROM main.{table} WHERE problem_id IN (SELECT problem_id FROM other.problems)"  # noqa: S608 - ours
            )
        for (table,) in self._read("SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY rowid"):
            db.execute(
                f"INSERT OR IGNORE INTO main.{table} SELECT * FROM other.{table} ORDER BY rowid"  # noqa: S608 - ours
            )

    def outcomes(self) -> dict[str, str]:
        """Outcome (JSON) of every finished problem by id."""
        return dict(self._read("SELECT problem_id, outcome FROM problems"))

    def rounds(self) -> dict[str, list[RoundOutcome]]:
        """Every round of every sample by finished problem, in order of samples and rounds."""
        rounds: dict[str, list[RoundOutcome]] = {}
        for problem_id, sample, number, code, passed, total, is_best, hidden in self._read(
            "SELECT problem_id, sample, round, code, public_passed, public_total, is_best, hidden_verdict "
            "FROM candidates ORDER BY problem_id, sample, round"
        ):
            rounds.setdefault(problem_id, []).append(
                RoundOutcome(sample, number, code, passed, total, bool(is_best), hidden)
            )
        return rounds

    def candidates(self, problem_id: str) -> list[str | None]:
        """The program that stands for each sample, in order of samples."""
        query = "SELECT code FROM candidates WHERE problem_id = ? AND is_best = 1 ORDER BY sample"
        return [code for (code,) in self._read(query, problem_id)]

    def selections(self, problem_id: str) -> dict[str, str]:
        """Selection (JSON) by method."""
        query = "SELECT method, selection FROM selections WHERE problem_id = ? ORDER BY rowid"
        return dict(self._read(query, problem_id))


def _place(request: Request) -> tuple[str, str, str, int, int, str]:
    """The first columns of a call: its key, and which call of the method it is."""
    purpose = request.purpose
    key = request_key(request)
    return key, purpose.problem_id, purpose.stage.value, purpose.sample, purpose.round, purpose.ordinal


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _open_to_write(path: Path | None, undo: contextlib.ExitStack) -> sqlite3.Connection:
    """The database, made where there is none, with this version's schema."""
    database = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=2.0)
    undo.callback(database.close)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    migrate(database)
    return database


def _open_snapshot(path: Path, undo: contextlib.ExitStack) -> sqlite3.Connection:
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
    return database


def _begin_to_read(path: Path, mode: str, undo: contextlib.ExitStack) -> tuple[sqlite3.Connection, int]:
    """The database in a transaction, and its schema's version."""
    place = f"{path.resolve().as_uri()}?{mode}"
    database = sqlite3.connect(place, uri=True, isolation_level=None, timeout=5.0)
    undo.callback(database.close)
    database.execute("BEGIN")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return database, version


def _storable(text: str | None) -> str | None:
    """SQLite keeps UTF-8 only; a model's answer may hold lone surrogates."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()
