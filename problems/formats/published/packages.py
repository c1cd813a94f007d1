"""LiveCodeBench Pro: a row is a statement, and a package beside the file has tests, checker and interactor.

A package is `ID.zip`, or that unpacked as the folder `ID`: `config.yaml`, the sources that it names, and
`testdata`. Of its configuration the few keys are read that its judge, LightCPVerifier, reads.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sstar_code.problems.bounds import read_text, row_bytes
from sstar_code.problems.errors import ProblemFileError
from sstar_code.problems.files import why_outside
from sstar_code.problems.formats.fields import check_count, check_memory, check_time
from sstar_code.problems.formats.judges import name_language
from sstar_code.problems.formats.rows import StoredTests
from sstar_code.problems.problem import Kind, Problem, Test

if TYPE_CHECKING:
    from pathlib import Path

    from sstar_code.problems.formats.rows import Row

_IDENTIFIER = re.compile(r"\w[\w.-]{0,99}")
_FILE = re.compile(r"[\w][\w.-]{0,199}")
_LINE = re.compile(r"\s*(?P<item>- +)?(?P<key>\w+)\s*:\s*(?P<value>.*?)\s*(?:#.*)?")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|k|m|g)?b?", re.IGNORECASE)
_SECONDS = {"ms": 1e-3, "s": 1.0}
_MEGABYTES = {"k": 1 / 1024, "m": 1.0, "g": 1024.0}
_CHECKERS = ("chk.cc", "checker.cpp", "checker.cc", "chk.cpp")
_INTERACTORS = ("interactor.cc", "interactor.cpp")
_TEXT_BYTES = 1 << 20


def read_livecodebench_pro(row: Row) -> Problem:
    """The problem of a row of LiveCodeBench Pro and of its package; all tests are hidden.

    Raises:
        ProblemFileError: a key is missing, there is no package, or it cannot be read.
    """
    identifier = row.text("problem_id")
    if not _IDENTIFIER.fullmatch(identifier):
        raise row.fail(f"key 'problem_id': {identifier[:60]!r} cannot be the name of a package")
    package = _find_package(row, identifier)
    config = _read_config(row, package.read("config.yaml", _TEXT_BYTES))
    kind = config.get("type", "default")
    if kind not in ("default", "interactive"):
        raise row.fail(
            f"{package.path}: config.yaml: type {kind!r} is not known; default and interactive are"
        )
    is_interactive = kind == "interactive"
    checker = _read_source(package, config.get("checker"), () if is_interactive else _CHECKERS)
    interactor = _read_source(package, config.get("interactor"), _INTERACTORS) if is_interactive else None
    pairs = _list_pairs(row, package, config)
    return Problem(
        id=identifier,
        statement=row.text("problem_statement"),
        kind=Kind.STDIN,
        hidden_tests=StoredTests(partial(_read_tests, package, pairs), len(pairs)),
        time_limit_s=check_time(row, "time_limit", _read_amount(row, config, ("time_limit", "time"), "1s")),
        memory_limit_mb=check_memory(
            row, "memory_limit", int(_read_amount(row, config, ("memory_limit", "memory"), "256m"))
        ),
        int_digits=0,
        checker=name_language(checker) if checker and not is_interactive else "codecontests",
        interactor=None if interactor is None else name_language(interactor),
        metadata={
            "source": "livecodebench-pro",
            "title": row.get("problem_title", str, ""),
            "difficulty": row.get("difficulty", str, ""),
            "platform": row.get("platform", str, ""),
        },
    )


@dataclass(frozen=True)
class _Package:
    """A folder, or a zip file, that is opened anew for each reading."""

    path: Path

    def names(self) -> set[str]:
        if self.path.is_dir():
            return {file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if file.is_file()}
        try:
            with zipfile.ZipFile(self.path) as archive:
                return set(archive.namelist())
        except (OSError, zipfile.BadZipFile) as error:
            raise ProblemFileError(self.path, None, f"is no zip file that can be read: {error}") from error

    def read(self, name: str, limit: int) -> str:
        """The text of one file, with LF at line ends.

        Raises:
            ProblemFileError: there is none, or it is longer than `limit` bytes or no text.
        """
        if self.path.is_dir():
            if (why := why_outside(self.path, self.path / name)) is not None:
                raise ProblemFileError(self.path / name, None, why)
            return read_text(self.path / name, limit)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as stream:
                data = stream.read(limit + 1)
        except KeyError as error:
            raise ProblemFileError(self.path, None, f"has no {name}") from error
        except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise ProblemFileError(self.path, None, f"{name} cannot be read: {error}") from error
        if len(data) > limit:
            raise ProblemFileError(self.path, None, f"{name} is longer than {limit} bytes")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProblemFileError(self.path, None, f"{name} is not UTF-8: {error}") from error


def _find_package(row: Row, identifier: str) -> _Package:
    folder = row.path.parent
    for place in (folder, folder / "testcases"):
        for path in (place / identifier, place / f"{identifier}.zip"):
            if path.is_symlink():
                raise row.fail(f"{path}: is a link; put the package itself there")
            if path.is_dir() or path.is_file():
                return _Package(path)
    raise row.fail(
        f"key 'problem_id': {identifier} has no package: put {identifier}.zip of "
        "QAQAQAQAQ/LiveCodeBench-Pro-Testcase beside the file"
    )


def _read_config(row: Row, text: str) -> dict[str, Any]:
    """The plain keys, and under `cases` and `counts` what the subtasks list."""
    found: dict[str, Any] = {"cases": [], "counts": []}
    case: dict[str, str] = {}
    for line in text.replace("\r\n", "\n").split("\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            if line.strip() and not line.lstrip().startswith(("#", "---")):
                raise row.fail(f"config.yaml: {line.strip()[:60]!r} cannot be read")
            continue
        key, value = match["key"], match["value"].strip("'\"")
        if key == "n_cases":
            found["counts"].append(value)
        elif key in ("input", "output") and line[0].isspace():
            case = {} if match["item"] else case
            case[key] = value
            if len(case) == 2:
                found["cases"].append((case["input"], case["output"]))
        elif not line[0].isspace() and value:
            found[key] = value
    return found


def _read_source(package: _Package, named: str | None, usual: tuple[str, ...]) -> str | None:
    names = package.names()
    wanted = [named] if named else [name for name in usual if name in names]
    if not wanted or not _FILE.fullmatch(wanted[0]):
        return None
    return package.read(wanted[0], _TEXT_BYTES)


def _list_pairs(row: Row, package: _Package, config: dict[str, Any]) -> list[tuple[str, str]]:
    """The names of input and answer of every test, which are there."""
    pairs: list[tuple[str, str]] = list(config["cases"])
    try:
        count = sum(map(int, config["counts"]))
    except ValueError as error:
        raise row.fail(f"{package.path}: config.yaml: n_cases must be a number") from error
    check_count(row, "n_cases", max(count, 0))
    parts = [config.get(f"{name}_prefix", "") for name in ("input", "output")]
    ends = config.get("input_suffix", ".in"), config.get("output_suffix", ".ans")
    pairs += [
        (f"{parts[0]}{number}{ends[0]}", f"{parts[1]}{number}{ends[1]}") for number in range(1, count + 1)
    ]
    names, found = package.names(), []
    for given, answer in pairs:
        other = re.sub(r"\.(?:ans|out)\Z", lambda end: ".out" if end[0] == ".ans" else ".ans", answer)
        there = [name for name in (answer, other) if f"testdata/{name}" in names]
        if f"testdata/{given}" not in names or not there:
            raise row.fail(f"{package.path}: testdata/{given} or its answer {answer} is missing")
        found.append((f"testdata/{given}", f"testdata/{there[0]}"))
    if not found:
        raise row.fail(f"{package.path}: config.yaml lists no test")
    return found


def _read_tests(package: _Package, pairs: list[tuple[str, str]]) -> tuple[Test, ...]:
    left = row_bytes()
    tests = []
    for pair in pairs:
        given, answer = (package.read(name, left).replace("\r\n", "\n") for name in pair)
        left -= len(given) + len(answer)
        tests.append(Test(given, answer))
    return tuple(tests)


def _read_amount(row: Row, config: dict[str, Any], keys: tuple[str, ...], default: str) -> float:
    """Seconds of a text like `500ms`, megabytes of one like `256m`."""
    text = next((config[key] for key in keys if key in config), default)
    match = _AMOUNT.fullmatch(text)
    is_time = default.endswith("s")
    units = _SECONDS if is_time else _MEGABYTES
    unit = (match[2] or ("s" if is_time else "")).lower() if match else ""
    if match is None or (unit and unit not in units):
        raise row.fail(f"config.yaml: {keys[0]} must be like {default}, got {text[:40]!r}")
    return float(match[1]) * (units[unit] if unit else 1 / (1 << 20))
