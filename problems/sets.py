"""Problem sets by name: `NAME:PATH`, a bundled set, or a pinned release from the hub."""

from __future__ import annotations

import difflib
import hashlib
import importlib.resources
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from problems.apps import read_apps
from problems.codecontests import read_codecontests
from problems.errors import ProblemFileError, UserError
from problems.hub import download_set
from problems.humaneval import read_humaneval, read_humaneval_plus
from problems.jsonl import read_problem
from problems.livecodebench import read_date, read_livecodebench
from problems.mbpp import read_mbpp, read_mbpp_plus
from problems.rows import build_problems, hash_file, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from problems.problem import Problem
    from problems.rows import Row

__all__ = ["EXAMPLES", "SET_NAMES", "ProblemSet", "load_set"]

_READERS: dict[str, Callable[[Row], Problem]] = {
    "lcb": read_livecodebench,
    "humaneval": read_humaneval,
    "humaneval+": read_humaneval_plus,
    "mbpp": read_mbpp,
    "mbpp+": read_mbpp_plus,
    "apps": read_apps,
    "codecontests": read_codecontests,
    "jsonl": read_problem,
}
EXAMPLES = "examples"
"""The bundled set; it needs no path."""
SET_NAMES = (*_READERS, EXAMPLES)


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """Problems that are solved or graded together."""

    name: str
    path: Path
    """The file or folder they were read from."""
    problems: tuple[Problem, ...]
    revision: str
    """The first 16 hex digits of the file's SHA-256 (of a folder: of its files' digests)."""

    def find(self, problem_id: str) -> Problem | None:
        """The problem with this id; `Mbpp/6` and `6` find each other. None where there is none."""
        found = next((problem for problem in self.problems if problem.id == problem_id), None)
        if found is not None or not problem_id:
            return found
        short, qualified = problem_id.rpartition("/")[2], "/" in problem_id
        for problem in self.problems:
            if ("/" in problem.id) is not qualified and problem.id.rpartition("/")[2] == short:
                return problem
        return None


def load_set(spec: str, *, start_date: date | None = None, end_date: date | None = None) -> ProblemSet:
    """The problems of `NAME:PATH`, of `examples`, or of a `NAME` that the hub has.

    `PATH` is a file, or a folder whose `*.jsonl` and `*.jsonl.gz` files are read as one. With dates only
    problems from `start_date` to `end_date`, both included, are kept; problems without a date are not.

    Raises:
        UserError: the name is unknown, needs a path, or the set has no dates to choose by.
        ProblemFileError: the file cannot be used.
    """
    name, colon, place = spec.partition(":")
    if name not in SET_NAMES:
        raise UserError(f"unknown problem set {name!r}{_hint(name)}; there are {', '.join(SET_NAMES)}")
    if name == EXAMPLES and not colon:
        bundled = importlib.resources.files("problems") / "examples" / "problems.jsonl"
        with importlib.resources.as_file(bundled) as path:
            loaded = _load(EXAMPLES, "jsonl", path, None, None)
        return _choose_dates(loaded, start_date, end_date)
    if colon and not place:
        raise UserError(f"{spec!r} names no file; give {name}:PATH")
    if name == EXAMPLES:
        raise UserError(f"{EXAMPLES!r} is bundled and takes no path; for your own file use jsonl:{place}")
    if not colon:
        return _choose_dates(
            _load(name, name, download_set(name), start_date, end_date), start_date, end_date
        )
    loaded = _load(name, name, Path(place).expanduser(), start_date, end_date)
    return _choose_dates(loaded, start_date, end_date)


def _hint(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), SET_NAMES, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _load(name: str, reader: str, path: Path, start: date | None, end: date | None) -> ProblemSet:
    files = _files(path)
    rows: Iterable[Row] = (row for file in files for row in read_rows(file))
    if reader == "lcb" and (start or end):  # before the tests of rows nobody wants are unpacked
        rows = (row for row in rows if _within(read_date(row), start, end))
    problems = build_problems(iter(rows), _READERS[reader])
    hashes = [hash_file(file) for file in files]
    joined = hashlib.sha256("".join(hashes).encode()).hexdigest()[: len(hashes[0])]
    return ProblemSet(name, path, tuple(problems), hashes[0] if len(files) == 1 else joined)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.name.endswith((".jsonl", ".jsonl.gz")))
    if not files:
        raise ProblemFileError(path, None, "the folder holds no .jsonl and no .jsonl.gz file")
    return files


def _within(day: date | None, start: date | None, end: date | None) -> bool:
    return day is not None and (start is None or day >= start) and (end is None or day <= end)


def _choose_dates(loaded: ProblemSet, start: date | None, end: date | None) -> ProblemSet:
    if start is None and end is None:
        return loaded
    kept = tuple(_dated(loaded.problems, start, end))
    if not kept:
        raise UserError(f"no problem of {loaded.name} is dated {start or '...'} to {end or '...'}")
    return replace(loaded, problems=kept)


def _dated(problems: Iterable[Problem], start: date | None, end: date | None) -> Iterator[Problem]:
    for problem in problems:
        text = str(problem.metadata.get("date") or "")[:10]
        earliest, latest = start.isoformat() if start else "", end.isoformat() if end else "9999"
        if text and earliest <= text <= latest:
            yield problem
