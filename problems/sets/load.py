"""Problem sets by name: `NAME[@RELEASE][:PATH]`, bundled, a pinned release, or another package's; filters."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.problems.bounds import MAX_ROWS, MIB, hash_file, read_text
from sstar_code.problems.checkers import find_package
from sstar_code.problems.errors import ProblemFileError, UserError, shorten, show, suggest
from sstar_code.problems.files import why_outside
from sstar_code.problems.formats.jsonl import read_problem, to_json
from sstar_code.problems.formats.livecodebench import read_date
from sstar_code.problems.formats.rows import Row, build_problems, read_rows
from sstar_code.problems.plugins import Plugin, list_plugins
from sstar_code.problems.problem import READING_NOTES, Problem
from sstar_code.problems.sets.readers import ALIASES, READERS, find_reader
from sstar_code.problems.sets.releases import fetch_release, find_release

if TYPE_CHECKING:
    from sstar_code.problems.sets.faults import Fault

_MOST_VALUES, _VALUE_CHARS = 12, 40
_TERM = re.compile(r"(?P<key>[A-Za-z_]\w*)(?P<sign>!?=)(?P<values>.*)", re.DOTALL)


def filter_problems(problems: Iterable[Problem], terms: Sequence[str]) -> list[Problem]:
    """The problems that meet every term, in order.

    A term is `KEY=VALUE[,VALUE...]` or `KEY!=VALUE[,VALUE...]` over `kind` and the metadata, letter case
    aside; a list meets a value that it holds, a date any beginning of it (`date=2024-08`). Any other term is
    a regular expression that is looked for in the id.

    Raises:
        UserError: a term is no regular expression, or no problem has its key or any of its values.
    """
    whole = chosen = list(problems)
    for term in terms:
        match = _TERM.fullmatch(term)
        if match is None:
            try:
                wanted = re.compile(term)
            except re.error as error:
                raise UserError(f"--filter {term!r} is not a regular expression: {error}") from error
            chosen = [problem for problem in chosen if wanted.search(problem.id)]
            continue
        key, keep = match["key"], match["sign"] == "="
        values = [value.strip().casefold() for value in match["values"].split(",")]
        if chosen and not any(key in _facts(problem) for problem in chosen):
            raise UserError(
                f"--filter {term!r}: no problem says its {key!r}; they say {_known(chosen)}; "
                "a regular expression for ids must not begin like NAME="
            )
        before = chosen
        chosen = [problem for problem in chosen if _meets(_facts(problem).get(key), values, key) is keep]
        if before and not chosen and keep:
            which = "no problem" if before == whole else "of those left none"
            raise UserError(f"--filter {term!r}: {which} has this {key}{_values(before, key, values)}")
    return chosen


def _values(problems: Sequence[Problem], key: str, wanted: Sequence[str]) -> str:
    """The values that problems have for `key`, and which of them may be meant."""
    facts = [_facts(problem).get(key) for problem in problems]
    each = [item for fact in facts for item in (fact if isinstance(fact, list | tuple) else [fact])]
    known = sorted(
        {
            shorten(value if isinstance(value, str) else show(value, _VALUE_CHARS), _VALUE_CHARS)
            for value in each
            if value not in (None, "")
        }
    )
    if key == "date" and known:
        return f"; dates go from {known[0]} to {known[-1]}"
    hint = next((found for value in wanted if (found := suggest(value, known))), "")
    more = f" and {len(known) - _MOST_VALUES} more" if len(known) > _MOST_VALUES else ""
    return f"{hint}; there are {', '.join(known[:_MOST_VALUES])}{more}"


def _facts(problem: Problem) -> Mapping[str, Any]:
    return {"kind": problem.kind.value, **problem.metadata}


def _known(problems: list[Problem]) -> str:
    keys = {
        key
        for problem in problems
        for key, value in _facts(problem).items()
        if value not in (None, "") and not isinstance(value, Mapping) and len(str(value)) < 80
    }
    return ", ".join(sorted(keys))


def _meets(fact: Any, values: list[str], key: str) -> bool:
    if isinstance(fact, list | tuple):
        return any(_meets(item, values, key) for item in fact)
    text = "" if fact is None else str(fact).casefold()
    return text in values or (key == "date" and any(value and text.startswith(value) for value in values))


BUNDLED = ("examples", "lists")
"""The sets that come with the package; they take no path."""
SET_NAMES = (*READERS, *BUNDLED)
"""The sets known here; installed packages may bring more (`list_set_plugins`)."""


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """Problems that are solved or graded together."""

    name: str
    """With its release where it has one, like `lcb@release_v6`."""
    path: Path
    """The file or folder they were read from; of another package's set without a path the package's name."""
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


def is_set(spec: str) -> bool:
    """Whether `spec` begins with the name of a set that there is."""
    name = name_set(spec).partition(":")[0].partition("@")[0]
    return name in SET_NAMES or name in list_set_plugins()


def name_set(spec: str) -> str:
    """`spec` with the name that the set has here, where another tool's name for it was given."""
    name = re.split("[:@]", spec, maxsplit=1)[0]
    known = ALIASES.get(name.lower())
    return spec if known is None else known + spec[len(name) :]


def load_set(
    spec: str,
    *,
    start_date: date | None = None,
    end_date: date | None = None,
    on_fault: Callable[[Fault], None] | None = None,
) -> ProblemSet:
    """The problems of `NAME:PATH`, of a bundled set, of a pinned release `NAME` or `NAME@RELEASE`.

    `PATH` is a file, or a folder whose files are read as one set; `NAME@RELEASE:FOLDER` reads those files of
    the folder that make the release. With dates only problems from `start_date` to `end_date`, both included,
    are kept; problems without a date are not. With `on_fault` a row of a file that cannot be used is told of
    and left out.

    Raises:
        UserError: the name or the release is unknown, a path is needed, or the set has no dates to choose by.
        ProblemFileError: the file cannot be used.
        InfrastructureError: a release cannot be fetched, or is not the published one.
    """
    front, colon, place = name_set(spec).partition(":")
    name, at, tag = front.partition("@")
    if colon and not place:
        raise UserError(f"{spec!r} names no file; give {name}:PATH")
    path = Path(place).expanduser() if colon else None
    if name in READERS:
        loaded = _load(name, tag if at else None, path, (start_date, end_date), on_fault)
    elif at:
        raise UserError(f"set {name!r} has no releases; give {name}" + (f":{place}" if colon else ""))
    elif name in BUNDLED:
        if path:
            raise UserError(f"{name!r} is bundled and takes no path; for your own file use jsonl:{place}")
        loaded = _load_bundled(name)
    else:
        loaded = _load_plugin(name, path)
    return _mark_checkers(_choose_dates(loaded, start_date, end_date))


def _load(
    name: str,
    tag: str | None,
    path: Path | None,
    dates: tuple[date | None, date | None],
    on_fault: Callable[[Fault], None] | None,
) -> ProblemSet:
    if path is None:
        if name == "jsonl":
            raise UserError("set 'jsonl' needs a file: give jsonl:PATH")
        release = find_release(name, tag)
        fetched = fetch_release(name, release)
        files, hashes = [file.path for file in fetched], [file.sha256[:16] for file in fetched]
        path, label = files[0].parent if len(files) > 1 else files[0], f"{name}@{release.tag}"
    else:
        files, hashes = _files(path) if tag is None else _files_of_release(name, tag, path), []
        label = f"{name}@{tag}" if tag else name
    rows: Iterable[Row] = (row for file in files for row in _rows(name, path, file))
    if name == "lcb" and any(dates):  # before the tests of rows nobody wants are read
        rows = (row for row in rows if _within(read_date(row), *dates))
    problems = build_problems(iter(rows), find_reader(name), on_fault)
    hashes = hashes or [hash_file(file) for file in files]  # last, since a file may be no data at all
    joined = hashlib.sha256("".join(hashes).encode()).hexdigest()[: len(hashes[0])]
    return ProblemSet(label, path, tuple(problems), hashes[0] if len(files) == 1 else joined)


def _rows(name: str, path: Path, file: Path) -> Iterator[Row]:
    """The rows of one file; in a folder of one's own they are named like the file where they have no id."""
    in_folder = name == "jsonl" and path.is_dir()
    if in_folder and file.suffix == ".md":
        yield _read_statement(file)
        return
    for row in read_rows(file):
        if name == "usaco" and row.data and all(isinstance(one, dict) for one in row.data.values()):
            for place, one in enumerate(row.data.values(), 1):  # its file is one object of problems
                yield Row(file, place, one)
            continue
        if in_folder and file.suffix == ".json":
            row.data.setdefault("id", file.stem)
        yield row


def _read_statement(file: Path) -> Row:
    from sstar_code.problems.statements.parse import read_statement

    text = read_text(file, MIB)
    if not text.strip():
        raise ProblemFileError(file, None, "is empty; a problem statement is needed")
    reading = read_statement(text, id=file.stem)
    data = to_json(reading.problem)
    if reading.notes:
        data["metadata"] = {READING_NOTES: reading.notes}
    return Row(file, 1, data)


def _load_bundled(name: str) -> ProblemSet:
    bundled = importlib.resources.files("sstar_code.problems") / "bundled" / name / "problems.jsonl"
    with importlib.resources.as_file(bundled) as path:
        problems = build_problems(read_rows(path), read_problem)
        return ProblemSet(name, path, tuple(problems), hash_file(path))


def list_set_plugins() -> Mapping[str, Plugin]:
    """The sets that installed packages bring.

    Each is a callable that takes a path (None where the user gave none) and returns the problems:

        [project.entry-points."sstar_code.problems"]
        mine = "my_package:read_problems"
    """
    return list_plugins("set", "sstar_code.problems", "sstar.problems")  # the second is the name of old


def _load_plugin(name: str, path: Path | None) -> ProblemSet:
    plugins = list_set_plugins()
    if name not in plugins:
        names = [*SET_NAMES, *plugins]
        if not name:
            raise UserError(f"no set is named; there are {', '.join(names)}")
        if path is None and Path(name).expanduser().exists():
            raise UserError(
                f"{name} is a file or a folder: say what it holds, as jsonl:{name} (our own format), "
                f"lcb:{name} or another of {', '.join(READERS)}"
            )
        whole, _, problem_id = name.partition("#")
        if problem_id and whole in names:
            raise UserError(
                f"{name} is one problem of a set: `sstar solve {name}` solves it; a set of it alone is "
                f"{whole} with --filter {problem_id}"
            )
        raise UserError(f"unknown problem set {name!r}{suggest(name, names)}; there are {', '.join(names)}")
    plugin = plugins[name]
    read = plugin.load()
    digest = hashlib.sha256()
    seen: set[str] = set()
    with plugin.blamed():
        problems = tuple(read(path))
        for problem in problems:
            if not isinstance(problem, Problem):
                raise TypeError(f"gives a {type(problem).__name__} where a Problem is expected")
            if problem.id in seen:
                raise ValueError(f"two problems have the id {problem.id!r}")
            seen.add(problem.id)
            digest.update(json.dumps(to_json(problem), sort_keys=True, default=str).encode() + b"\n")
    place = path or Path(plugin.package.replace(" ", "-"))
    return ProblemSet(name, place, problems, digest.hexdigest()[:16])


def _mark_checkers(loaded: ProblemSet) -> ProblemSet:
    """The set with the packages in its revision that bring checkers for it: they decide verdicts too."""
    packages = {package for problem in loaded.problems if (package := find_package(problem.checker))}
    if not packages:
        return loaded
    marked = hashlib.sha256("\n".join([loaded.revision, *sorted(packages)]).encode())
    return replace(loaded, revision=marked.hexdigest()[:16])


_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.name.endswith((*_SUFFIXES, ".json", ".md")))
    if len(files) > MAX_ROWS:
        raise ProblemFileError(path, None, f"holds more than {MAX_ROWS} files; give fewer, or JSON Lines")
    whole = [file for file in files if file.name.endswith(_SUFFIXES)]
    single = [file for file in files if file not in whole and file.name != "README.md"]
    if not whole and not single:
        raise ProblemFileError(
            path, None, "the folder holds no .jsonl, .jsonl.gz, .parquet, .json or .md file"
        )
    return [_see_inside(path, file) for file in whole or single]


def _see_inside(folder: Path, file: Path) -> Path:
    why = why_outside(folder, file)
    if why is not None:
        raise ProblemFileError(file, None, why)
    return file


def _files_of_release(name: str, tag: str, path: Path) -> list[Path]:
    wanted = [Path(file.name).name for file in find_release(name, tag).files]
    if not path.is_dir():
        raise UserError(
            f"{path}: not a folder; {name}@{tag} is {', '.join(wanted)} of a folder; for one file give "
            f"{name}:PATH"
        )
    files = []
    for file in wanted:
        found = [path / candidate for candidate in (file, f"{file}.gz") if (path / candidate).exists()]
        if not found:
            raise ProblemFileError(path, None, f"{name}@{tag} needs {file}, which is not there")
        files.append(_see_inside(path, found[0]))
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
