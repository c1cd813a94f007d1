"""The run store: one SQLite file that holds every model call, candidate, execution and selection of a run.

Every write is committed at once (WAL), so kill -9 at any moment loses at most what was in flight.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import sqlite3
import zlib
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agent.accounting import current_work
from agent.models.request import Answer, Request, Usage, request_key
from agent.schema import migrate
from problems import InfrastructureError, UserError
from sandbox import Execution, Failure, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TextIO

__all__ = ["Store", "StoreError", "lock"]


class StoreError(InfrastructureError):
    """The store cannot be written (disk full, read-only folder, ...)."""


class Store:
    """Open with a path; `close` when done. Not thread-safe: one event loop writes."""

    def __init__(self, path: Path | None = None) -> None:
        """Open or make the database at `path`; None: in memory, for as long as the process lives.

        Raises:
            UserError: `path` is not a database of ours, or another process is writing to it.
            StoreError: it cannot be written.
        """
        self.path = path
        with contextlib.ExitStack() as undo:
            if path is not None:
                undo.enter_context(lock(path.with_suffix(".lock")))
            try:
                self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=2.0)
                undo.callback(self._db.close)
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                migrate(self._db)
            except sqlite3.OperationalError as error:
                raise StoreError(f"{path}: cannot write the run store ({error})") from error
            except sqlite3.DatabaseError as error:
                raise UserError(
                    f"{path}: not a run store of this version ({error}); use another --out"
                ) from error
            self._open = undo.pop_all()

    def close(self) -> None:
        """Write what is left of the log into the file and close it."""
        self._open.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._db
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"{self.path}: cannot write ({error}); what was written before is kept: "
                "free some space and run the same command again"
            ) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what is written inside, or nothing."""
        with self._writing() as db:
            db.execute("BEGIN")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    # model calls

    def get_answer(self, request: Request) -> Answer | None:
        """The answer that was paid for once, or None."""
        row = self._db.execute("SELECT answer FROM calls WHERE key = ?", (request_key(request),)).fetchone()
        if row is None:
            return None
        data = json.loads(row[0])
        return Answer(**{**data, "usage": Usage(**data["usage"])})

    def put_answer(self, request: Request, answer: Answer) -> None:
        """Keep `answer`; one that is there already stays."""
        purpose = request.purpose
        with self._writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    request_key(request),
                    purpose.problem_id,
                    purpose.stage.value,
                    purpose.sample,
                    purpose.round,
                    purpose.ordinal,
                    json.dumps(asdict(request)),
                    json.dumps(asdict(answer)),
                    datetime.now(UTC).isoformat(timespec="milliseconds"),
                ),
            )

    def answers(self) -> Iterator[tuple[str, str, Answer]]:
        """(problem_id, stage, answer) of every call, in the order of writing."""
        for problem_id, stage, text in self._db.execute(
            "SELECT problem_id, stage, answer FROM calls ORDER BY rowid"
        ):
            data = json.loads(text)
            yield problem_id, stage, Answer(**{**data, "usage": Usage(**data["usage"])})

    # executions: `sandbox.memo.ExecutionMemory`

    def get_execution(self, key: str) -> Execution | None:
        """The result kept under `key`, or None."""
        row = self._db.execute("SELECT execution FROM executions WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        data = json.loads(zlib.decompress(row[0]))
        failure = Failure(**data["failure"]) if data["failure"] else None
        return Execution(**{**data, "status": Status(data["status"]), "failure": failure})

    def put_executions(self, executions: Mapping[str, Execution]) -> None:
        """Keep each of `executions` under its key, all in one transaction."""
        work = current_work()
        rows = [
            (
                key,
                run.status.value,
                run.cpu_s,
                zlib.compress(json.dumps(_plain(run)).encode(), level=1),
                *work,
            )
            for key, run in executions.items()
        ]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO executions VALUES (?, ?, ?, ?, ?, ?)", rows)

    def count_executions(self) -> list[tuple[str, str, int, float]]:
        """(problem_id, stage, executions, CPU seconds), by what they were first run for."""
        return self._db.execute(
            "SELECT problem_id, stage, COUNT(*), SUM(cpu_s) FROM executions GROUP BY problem_id, stage"
        ).fetchall()

    # what became of a problem

    def put_problem(
        self,
        problem_id: str,
        outcome: str,
        candidates: Sequence[tuple[int, int, str | None, int, int, bool, str | None]],
        selections: Sequence[tuple[str, str]],
    ) -> None:
        """Keep a finished problem in one transaction.

        `candidates` are (sample, round, code, public_passed, public_total, is_best, hidden_verdict);
        `selections` are (method, JSON); `outcome` is JSON.
        """
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(problem_id, *row[:2], _storable(row[2]), *row[3:]) for row in candidates],
            )
            db.executemany(
                "INSERT OR REPLACE INTO selections VALUES (?, ?, ?)",
                [(problem_id, *row) for row in selections],
            )
            db.execute("INSERT OR REPLACE INTO problems VALUES (?, ?)", (problem_id, outcome))

    def outcomes(self) -> dict[str, str]:
        """Outcome (JSON) of every finished problem by id."""
        return dict(self._db.execute("SELECT problem_id, outcome FROM problems").fetchall())

    def candidates(self, problem_id: str) -> list[str | None]:
        """The program that stands for each sample, in order of samples."""
        rows = self._db.execute(
            "SELECT code FROM candidates WHERE problem_id = ? AND is_best = 1 ORDER BY sample", (problem_id,)
        )
        return [code for (code,) in rows]

    def selections(self, problem_id: str) -> dict[str, str]:
        """Selection (JSON) by method."""
        rows = self._db.execute(
            "SELECT method, selection FROM selections WHERE problem_id = ?", (problem_id,)
        )
        return dict(rows.fetchall())


def _plain(run: Execution) -> dict[str, object]:
    plain: dict[str, object] = {field.name: getattr(run, field.name) for field in fields(run)}
    return plain | {"failure": asdict(run.failure) if run.failure is not None else None}


def lock(path: Path) -> TextIO:
    """Held for as long as the store is open; the kernel lets go of it however the process ends."""
    try:
        file = path.open("a")
    except OSError as error:
        raise StoreError(f"{path}: cannot write ({error.strerror}); name another --out") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise UserError(
            f"{path.parent}: another sstar is working in this folder; name another --out"
        ) from error
    return file


def _storable(text: str | None) -> str | None:
    """SQLite keeps UTF-8 only; a model's answer may hold lone surrogates."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()
