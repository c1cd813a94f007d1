"""CodeContests: rows as upstream publishes them, and MapCoder's form with `sample_io` and `test_list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sstar_code.problems.formats.apps import split_samples
from sstar_code.problems.problem import Kind, Problem, Test

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

_DEFAULT_LIMIT_S = 5.0
_LEAST_MEMORY_MB = 256
_DEFAULT_MEMORY_MB = 1024
_PLATFORMS = ("", "codechef", "codeforces", "hackerearth", "codejam", "atcoder", "aizu")
"""Upstream's numbers for `source`."""
_PYTHON3 = 3
"""Upstream's number for the language of a solution."""
_MOST_REFERENCES = 3


def read_codecontests(row: Row) -> Problem:
    """The problem of a row of either form, told apart by its keys; programs read standard input.

    Upstream: public are `public_tests`, hidden are `private_tests` and `generated_tests`. With `sample_io`:
    public are the samples, hidden are the tests of `test_list` that are no sample.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    if "test_list" in row.data:
        public, hidden = split_samples(row)
    else:
        public = _columns(row, "public_tests")
        hidden = _columns(row, "private_tests") + _columns(row, "generated_tests")
    return Problem(
        id=_identifier(row),
        statement=row.text("description"),
        kind=Kind.STDIN,
        public_tests=public,
        hidden_tests=tuple(dict.fromkeys(hidden)),
        time_limit_s=_time_limit(row),
        memory_limit_mb=_memory_limit(row),
        checker=_checker(row),
        metadata={
            "source": "codecontests",
            "title": row.get("name", str, ""),
            "tags": _tags(row),
            **_facts(row),
        },
    )


def _checker(row: Row) -> str | dict[str, str]:
    """The row's own checker program where it has one that can be run."""
    checker = row.get("checker", (str, dict))
    if isinstance(checker, dict) and isinstance(checker.get("program"), str):
        return {"program": checker["program"]}
    return "codecontests"


def _facts(row: Row) -> dict[str, Any]:
    """Upstream's facts about a problem: where it is from, its rating, and programs that are right."""
    facts: dict[str, Any] = {}
    source, rating = row.get("source", int, 0), row.get("cf_rating", int, 0)
    if 0 < source < len(_PLATFORMS):
        facts["platform"] = _PLATFORMS[source]
    if rating:
        facts["rating"] = rating
    solutions = row.get("solutions", dict, {})
    programs = zip(solutions.get("language", ()), solutions.get("solution", ()), strict=False)
    right = [code for language, code in programs if language == _PYTHON3][:_MOST_REFERENCES]
    if right:
        facts["references"] = right
    if isinstance(row.data.get("checker"), str):
        facts["special_judge"] = "C++" if "#include" in row.data["checker"] else "own"
    return facts


def _identifier(row: Row) -> str:
    """Not `id`: that is the contest's."""
    for key in ("problem", "name"):
        value: str | None = row.get(key, str)
        if value:
            return value
    raise row.fail("key 'name' is missing")


def _columns(row: Row, key: str) -> tuple[Test, ...]:
    columns = row.get(key, dict, {})
    inputs, outputs = columns.get("input", []), columns.get("output", [])
    if not (isinstance(inputs, list) and isinstance(outputs, list) and len(inputs) == len(outputs)):
        raise row.fail(f"key {key!r} must hold the lists 'input' and 'output' of one length")
    if not all(isinstance(text, str) for text in (*inputs, *outputs)):
        raise row.fail(f"key {key!r}: inputs and outputs must be strings")
    return tuple(map(Test, inputs, outputs))


def _time_limit(row: Row) -> float:
    limit = row.get("time_limit", dict, {})
    seconds = float(limit.get("seconds") or 0) + float(limit.get("nanos") or 0) / 1e9
    return seconds or _DEFAULT_LIMIT_S


def _memory_limit(row: Row) -> int:
    """A program under Python needs more than the limits written for C++ leave, so small ones are raised."""
    limit: Any = row.get("memory_limit_bytes", int, 0)
    return max(int(limit) // (1 << 20), _LEAST_MEMORY_MB) if limit else _DEFAULT_MEMORY_MB


def _tags(row: Row) -> list[str]:
    return list(row.get("tags", list, row.get("cf_tags", list, [])))
