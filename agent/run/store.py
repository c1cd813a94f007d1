"""The run store: one SQLite file that holds every model call, candidate, execution and selection of a run.

Every write is committed at once (WAL), so kill -9 at any moment loses at most what was in flight.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sstar_code.agent.models.request import Answer, Request, as_plain, request_key
from sstar_code.agent.run import schema
from sstar_code.agent.run.bounds import DAMAGE, Bound, Kind, damaged, is_of_the_machine, refuse_traps, unpack
from sstar_code.agent.run.lock import StoreError, lock
from sstar_code.agent.run.outcomes import ProblemOutcome, RoundOutcome, StageCount, read_record
from sstar_code.agent.telemetry.events import current_work
from sstar_code.problems import UserError
from sstar_code.sandbox import Execution

T = TypeVar("T")
_TEXT_OR_NONE = (str, type(None))
_EXECUTION = "SELECT execution FROM executions WHERE key = ?"
_PAGE_BYTES = 4096
_MOST = 100_000
"""Samples of a problem, and rounds of a sample: more than any run has."""


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
            if path is not None:
                refuse_traps(path)
            if path is not None and not read_only:
                undo.enter_context(lock(path.with_suffix(".lock")))
            try:
                if path is not None and read_only:
                    self._db = schema.open_snapshot(path, undo)
                else:
                    self._db = schema.open_to_write(path, undo)
            except sqlite3.OperationalError as error:
                raise StoreError(
                    f"{path}: cannot {'read' if read_only else 'write'} the run store ({error})"
                ) from error
            except sqlite3.DatabaseError as error:
                raise UserError(f"{path}: not a run store of this version ({error})") from error
            self._bound = Bound(self._db, path)
            self._has_failures = not read_only
            self._open = undo.pop_all()
        weakref.finalize(self, self._open.close)  # also where nobody closed it: Python 3.13 warns of that

    def close(self) -> None:
        """Write what is left of the log into the file and close it."""
        self._open.close()

    @contextlib.contextmanager
    def _reaching(self, what: str = "write") -> Iterator[sqlite3.Connection]:
        try:
            yield self._db
        except sqlite3.DatabaseError as error:
            if what == "read" and not is_of_the_machine(error):
                raise damaged(self.path, error) from error
            if not isinstance(error, sqlite3.OperationalError):
                raise
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

    def _read(self, kinds: Sequence[Kind], query: str, *values: str, one: bool = False) -> Iterator[Any]:
        """The rows, whose columns are of `kinds`, one after another; `one` row at most where that is known.

        Raises:
            UserError: a value is of another type, or there is more than the file can hold.
        """
        with self._reaching("read") as db:
            left = (self._bound.begin_one() if one else self._bound.begin()) + _PAGE_BYTES
            for row in db.execute(query, values):
                try:
                    left -= self._bound.check(row, kinds)
                except (TypeError, ValueError) as error:
                    raise damaged(self.path, error) from error
                if left < 0 and self.path is not None:
                    raise damaged(self.path, ValueError("it gives more than it holds"))
                yield row

    def _decode(self, kind: type[T], text: str) -> T:
        """The record that was kept as JSON.

        Raises:
            UserError: it is another one.
        """
        with self.blaming():
            return read_record(kind, json.loads(text))

    # model calls

    def get_answer(self, request: Request, key: str | None = None) -> Answer | None:
        """The answer that was paid for once, or None; `key` is the request's, where the caller has it."""
        query, key = "SELECT answer FROM calls WHERE key = ?", key or request_key(request)
        for (text,) in self._read((str,), query, key, one=True):
            return self._decode(Answer, text)
        return None

    def put_answer(self, request: Request, answer: Answer, key: str | None = None) -> None:
        """Keep `answer`; one that is there already stays. An earlier failure of the call is forgotten."""
        place = schema.place_call(request, key)
        texts = json.dumps(as_plain(request)), json.dumps(as_plain(answer))
        with self._transaction() if self._has_failures else self._reaching() as db:
            db.execute(
                "INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*place, *texts, schema.write_now()),
            )
            if self._has_failures:
                db.execute("DELETE FROM failed_calls WHERE key = ?", place[:1])
                self._has_failures = bool(db.execute("SELECT 1 FROM failed_calls LIMIT 1").fetchone())

    def put_failure(self, request: Request, error: str) -> None:
        """Note that the model refused `request` for good; `error` is one line."""
        self._has_failures = True
        with self._reaching() as db:
            db.execute(
                "INSERT OR REPLACE INTO failed_calls VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*schema.place_call(request), schema.storable(error), schema.write_now()),
            )

    def failures(self) -> list[tuple[str, str, str]]:
        """(problem_id, stage, error) of every call that failed for good and was not answered since."""
        query = "SELECT problem_id, stage, error FROM failed_calls ORDER BY rowid"
        return list(self._read((str, str, str), query))

    def answers(self) -> Iterator[tuple[str, str, Answer]]:
        """(problem_id, stage, answer) of every call, in the order of writing."""
        query = "SELECT problem_id, stage, answer FROM calls ORDER BY rowid"
        for problem_id, stage, text in self._read((str, str, str), query):
            yield problem_id, stage, self._decode(Answer, text)

    def count_calls(self) -> int:
        """How many calls were answered."""
        ((count,),) = self._read((int,), "SELECT COUNT(*) FROM calls")
        return int(count)

    def calls(self, problem_id: str) -> list[tuple[Request, Answer]]:
        """Every answered call for a problem, in the order of writing."""
        query = "SELECT request, answer FROM calls WHERE problem_id = ? ORDER BY rowid"
        return [
            (self._decode(Request, request), self._decode(Answer, answer))
            for request, answer in self._read((str, str), query, problem_id)
        ]

    def answered_between(self) -> tuple[str, str] | None:
        """When the first and the last answer were stored (UTC, ISO 8601); None without answers."""
        query = "SELECT MIN(created_at), MAX(created_at) FROM calls"
        ((first, last),) = self._read((_TEXT_OR_NONE, _TEXT_OR_NONE), query)
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
        """(problem_id, step, seen), those of a problem in order; the last two are JSON."""
        query = "SELECT problem_id, step, seen FROM steps ORDER BY problem_id, ordinal"
        return list(self._read((str, str, str), query))

    # how samples come to be

    def put_ways(self, ways: Mapping[str, str]) -> None:
        """Keep `ways`, by name; what is there already stays."""
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO ways VALUES (?, ?)", list(ways.items()))

    def ways(self) -> dict[str, str]:
        """The strategy and the style of the run, by these names; empty where it does not say."""
        return dict(self._read((str, str), "SELECT name, value FROM ways"))

    # what problems have taught

    def put_notes(self, problem_id: str, kind: str, lines: Sequence[str]) -> None:
        """Keep notes of one line each: those "shown" to a problem or "learnt" from it; kept ones stay."""
        with self._transaction() as db:
            row = (problem_id, kind, schema.storable("\n".join(lines)))
            db.execute("INSERT OR IGNORE INTO notes VALUES (?, ?, ?)", row)

    def notes(self, kind: str) -> dict[str, list[str]]:
        """The notes of this kind by problem, in the order of writing."""
        query = "SELECT problem_id, lines FROM notes WHERE kind = ? ORDER BY rowid"
        return {problem_id: lines.splitlines() for problem_id, lines in self._read((str, str), query, kind)}

    # executions: `sandbox.memo.ExecutionMemory`

    def get_execution(self, key: str) -> Execution | None:
        """The result kept under `key`, or None."""
        for (packed,) in self._read((bytes,), _EXECUTION, key, one=True):
            try:
                text = unpack(packed)
            except (ValueError, zlib.error) as error:
                raise damaged(self.path, error) from error
            return self._decode(Execution, text)
        return None

    def put_executions(self, executions: Mapping[str, Execution]) -> None:
        """Keep each of `executions` under its key, all in one transaction."""
        work = current_work()
        rows = [
            (
                key,
                run.status.value,
                run.cpu_s,
                zlib.compress(json.dumps(as_plain(run)).encode(), level=1),
                *work,
            )
            for key, run in executions.items()
        ]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO executions VALUES (?, ?, ?, ?, ?, ?)", rows)

    def count_executions(self) -> list[tuple[str, str, int, float]]:
        """(problem_id, stage, executions, CPU seconds), by what they were first run for."""
        query = "SELECT problem_id, stage, COUNT(*), SUM(cpu_s) FROM executions GROUP BY problem_id, stage"
        return list(self._read((str, str, int, float), query))

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
                [(problem_id, *row[:2], schema.storable(row[2]), *row[3:]) for row in candidates],
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

    def reopen(self, problem_ids: Iterable[str], *, steps: bool = False) -> None:
        """Let these count as unfinished, without failures and with `steps` undecided; what was paid stays."""
        rows = [(problem_id,) for problem_id in problem_ids]
        with self._transaction() as db:
            for table in ("problems", "failed_calls", *["steps"] * steps):
                db.executemany(f"DELETE FROM {table} WHERE problem_id = ?", rows)  # noqa: S608 - our names

    def absorb(self, path: Path) -> None:
        """Take over everything of the store at `path`, which has this version's schema.

        A problem that is finished there replaces what is here of it; of calls and executions the first stay.
        """
        refuse_traps(path)
        with self._reaching() as db:
            db.execute("ATTACH DATABASE ? AS other", (str(path),))
            bound = Bound(db, path, self.path)
            try:
                schema.check_schema(db, len(schema.MIGRATIONS), "other")
                self._has_failures = True
                bound.begin()
                with self._transaction():
                    self._absorb_tables(db)
            except sqlite3.DatabaseError as error:
                if is_of_the_machine(error):
                    raise
                raise damaged(path, error) from error
            finally:
                db.execute("DETACH DATABASE other")
                self._bound = Bound(db, self.path)

    def _absorb_tables(self, db: sqlite3.Connection) -> None:
        for table in ("candidates", "selections", "problems"):
            db.execute(
                f"DELETE FROM main.{table} WHERE problem_id IN (SELECT problem_id FROM other.problems)"  # noqa: S608 - ours
            )
        tables = "SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY rowid"
        for (table,) in db.execute(tables).fetchall():
            db.execute(
                f"INSERT OR IGNORE INTO main.{table} SELECT * FROM other.{table} ORDER BY rowid"  # noqa: S608 - ours
            )

    def outcomes(self) -> dict[str, str]:
        """Outcome (JSON) of every finished problem by id."""
        return dict(self._read((str, str), "SELECT problem_id, outcome FROM problems"))

    def read_outcomes(self) -> dict[str, ProblemOutcome]:
        """Outcome of every finished problem by id.

        Raises:
            UserError: one is not as it was written.
        """
        outcomes = {}
        for problem_id, text in self.outcomes().items():
            with self.blaming():
                outcomes[problem_id] = ProblemOutcome.from_json(text)
                if outcomes[problem_id].problem_id != problem_id:
                    raise ValueError(f"the outcome of {problem_id} is another problem's")
        return outcomes

    @contextlib.contextmanager
    def blaming(self) -> Iterator[None]:
        """What goes wrong inside is the fault of what is stored.

        Raises:
            UserError: it went wrong.
        """
        try:
            yield
        except DAMAGE as error:
            raise damaged(self.path, error) from error

    def rounds(self) -> dict[str, list[RoundOutcome]]:
        """Every round of every sample by finished problem, in order of samples and rounds."""
        rounds: dict[str, list[RoundOutcome]] = {}
        query = (
            "SELECT problem_id, sample, round, code, public_passed, public_total, is_best, hidden_verdict "
            "FROM candidates ORDER BY problem_id, sample, round"
        )
        kinds = (str, int, int, _TEXT_OR_NONE, int, int, int, _TEXT_OR_NONE)
        for problem_id, sample, number, code, passed, total, is_best, hidden in self._read(kinds, query):
            if not (0 <= sample <= _MOST and 0 <= number <= _MOST and 0 <= passed <= total):
                raise damaged(self.path, ValueError(f"{problem_id} has no such round"))
            rounds.setdefault(problem_id, []).append(
                RoundOutcome(sample, number, code, passed, total, bool(is_best), hidden)
            )
        return rounds

    def candidates(self, problem_id: str) -> list[str | None]:
        """The program that stands for each sample, in order of samples."""
        query = "SELECT code FROM candidates WHERE problem_id = ? AND is_best = 1 ORDER BY sample"
        return [code for (code,) in self._read((_TEXT_OR_NONE,), query, problem_id)]

    def selections(self, problem_id: str) -> dict[str, str]:
        """Selection (JSON) by method."""
        query = "SELECT method, selection FROM selections WHERE problem_id = ? ORDER BY rowid"
        return dict(self._read((str, str), query, problem_id))
