"""APPS and CodeContests: contest problems published with their tests as inputs and outputs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sstar_code.problems.calls import CallForm
from sstar_code.problems.errors import show
from sstar_code.problems.formats.fields import check_count, check_memory, check_time, read_checker, read_json
from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.statements import leetcode
from sstar_code.problems.values import encode, encode_lines, show_integer

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

_MOST_REFERENCES = 3
"""Some problems have hundreds."""

PREAMBLE = """\
import collections, fractions, functools, heapq, itertools, math, random, sys, time
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from functools import lru_cache
from heapq import *
from itertools import accumulate, combinations, permutations, product
from math import ceil, cos, exp, fabs, floor, gcd, log, log2, sin, sqrt, tan
from typing import List, Tuple
class _Numpy:
    def __getattr__(self, name):
        return getattr(__import__("numpy"), name)
np = _Numpy()
"""
"""The names that APPS's own grader offers every program; numpy, which few use, is imported at its first use.

Source: `run_test` in the APPS repository's eval/testing_util.py.
"""

_NO_DIGIT_LIMIT = 0
"""Both sets were published, and their programs judged, before Python had a limit."""
_FUNCTION = re.compile(r"def\s+(\w+)\s*\(")


def read_apps(row: Row) -> Problem:
    """The problem of a row of either form, told apart by its keys.

    Upstream (`question`, `input_output`): no test is published as public, and hidden are all of them. With
    `sample_io`: public are the samples, hidden are the tests of `test_list` that are no sample.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    return _from_samples(row) if "test_list" in row.data else _from_upstream(row)


def split_samples(row: Row) -> tuple[tuple[Test, ...], tuple[Test, ...]]:
    """Public and hidden tests of a row with `sample_io` and `test_list`.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    public = _listed(row, "sample_io")
    hidden = [test for test in _listed(row, "test_list") if test not in public]
    return tuple(public), tuple(dict.fromkeys(hidden))


def _listed(row: Row, key: str) -> list[Test]:
    items = row.get(key, list, [])
    check_count(row, key, len(items))
    tests = []
    for place, item in enumerate(items):
        if not (isinstance(item, dict) and isinstance(item.get("input"), str) and "output" in item):
            raise row.fail(f"{key}[{place}]: an object with 'input' and 'output' is expected")
        if item["output"] is None:
            raise row.fail(f"{key}[{place}]: key 'output' is null; the expected text is needed")
        outputs = item["output"] if isinstance(item["output"], list) else [item["output"]]
        tests.append(Test(item["input"], "\n".join(map(_printed, outputs))))
    return tests


def _printed(value: Any) -> str:
    """The text that `print` writes for a value that JSON carried."""
    try:
        return value if isinstance(value, str) else str(value)
    except ValueError:  # an integer of more digits than `str` writes
        pass
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(key)}: {_written(item)}" for key, item in value.items()) + "}"
    return show_integer(value)


def _written(value: Any) -> str:
    return repr(value) if isinstance(value, str) else _printed(value)


def _from_samples(row: Row) -> Problem:
    """Programs read standard input, also where the starter code shows a function."""
    public, hidden = split_samples(row)
    statement, function = row.text("description"), _FUNCTION.search(row.get("starter_code", str, ""))
    if function:
        statement += (
            f"\n\nWrite a program that reads the arguments of `{function[1]}` from standard input, "
            "one a line, and prints the returned value, all as Python's `print` writes them."
        )
    return Problem(
        id=str(row.need("id", (str, int))),
        statement=statement,
        kind=Kind.STDIN,
        public_tests=public,
        hidden_tests=hidden,
        time_limit_s=5.0,
        memory_limit_mb=1024,
        int_digits=_NO_DIGIT_LIMIT,
        checker=read_checker(row, Kind.STDIN, "floats:1e-6"),
        metadata={"source": "apps", "difficulty": row.get("difficulty", str, "")},
    )


def _from_upstream(row: Row) -> Problem:
    cases = read_json(row, "input_output", {})
    if not isinstance(cases, dict):
        raise row.fail("key 'input_output' must be JSON text of an object with 'inputs' and 'outputs'")
    name = cases.get("fn_name")
    starter = row.get("starter_code", str, "")
    inputs, outputs = cases.get("inputs", []), cases.get("outputs", [])
    if not (isinstance(inputs, list) and isinstance(outputs, list) and len(inputs) == len(outputs)):
        raise row.fail("key 'input_output': 'inputs' and 'outputs' must be lists of one length")
    check_count(row, "input_output", len(inputs))
    solutions = read_json(row, "solutions", [])
    if not isinstance(solutions, list):
        raise row.fail(f"key 'solutions' must be a list, not {type(solutions).__name__}")
    entry_point = (f"Solution.{name}" if "class Solution" in starter else str(name)) if name else None
    if not name and None in outputs:
        raise row.fail(f"key 'input_output': 'outputs'[{outputs.index(None)}] is null; a text is needed")
    tests = (_calls if name else _runs)(inputs, outputs)
    kind = Kind.FUNCTION if name else Kind.STDIN
    driven = leetcode.find_driven_class(starter, tests[0].input) if tests else None
    problem = Problem(
        id=str(row.data.get("problem_id", row.data.get("id", row.line))),
        statement=row.text("question"),
        kind=kind,
        entry_point=(driven or entry_point) if name else None,
        starter_code=starter,
        hidden_tests=tests,
        time_limit_s=4.0,
        memory_limit_mb=1024,
        int_digits=_NO_DIGIT_LIMIT,
        checker=read_checker(row, kind, "apps"),
        preamble=PREAMBLE,
        metadata={
            "source": "apps",
            "difficulty": row.get("difficulty", str, ""),
            "url": row.get("url", str, ""),
            "references": solutions[:_MOST_REFERENCES],
        },
        call=CallForm(either=bool(name)),
    )
    return leetcode.complete(problem)


def _runs(inputs: list[Any], outputs: list[Any]) -> tuple[Test, ...]:
    return tuple(Test(_text(given), _text(wanted)) for given, wanted in zip(inputs, outputs, strict=True))


def _text(value: Any) -> str:
    return "\n".join(map(_printed, value)) if isinstance(value, list) else _printed(value)


def _calls(inputs: list[Any], outputs: list[Any]) -> tuple[Test, ...]:
    """Upstream mostly, not always, wraps a returned value in a list of one: the checker allows for both.

    JSON made texts of the whole numbers that were keys: as APPS's grader does, they become numbers again.
    """
    wrapped = all(isinstance(output, list) and len(output) == 1 for output in outputs)
    return tuple(
        Test(
            encode_lines(map(_restore_keys, given if isinstance(given, list) else [given])),
            encode(_restore_keys(wanted[0] if wrapped else wanted)),
        )
        for given, wanted in zip(inputs, outputs, strict=True)
    )


def _restore_keys(value: Any) -> Any:
    try:
        return {int(key): item for key, item in value.items()} if isinstance(value, dict) else value
    except ValueError:
        return value


_DEFAULT_LIMIT_S = 5.0
_LEAST_MEMORY_MB = 256
_DEFAULT_MEMORY_MB = 1024
_PLATFORMS = ("", "codechef", "codeforces", "hackerearth", "codejam", "atcoder", "aizu")
"""Upstream's numbers for `source`."""
_PYTHON3 = 3
"""Upstream's number for the language of a solution."""


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
        int_digits=_NO_DIGIT_LIMIT,
        checker=_checker(row),
        metadata={
            "source": "codecontests",
            "title": row.get("name", str, ""),
            "tags": _tags(row),
            **_facts(row),
        },
    )


def _checker(row: Row) -> str | dict[str, str]:
    """The row's own checker where it can be run; source of a language that cannot be run here is noted."""
    return "codecontests" if _is_foreign(row) else read_checker(row, Kind.STDIN, "codecontests")


def _is_foreign(row: Row) -> bool:
    checker = row.data.get("checker")
    return isinstance(checker, str) and any(sign in checker for sign in ("#include", "\n", "{"))


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
    if _is_foreign(row):
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
    check_count(row, key, len(inputs))
    if not all(isinstance(text, str) for text in (*inputs, *outputs)):
        raise row.fail(f"key {key!r}: inputs and outputs must be strings")
    return tuple(map(Test, inputs, outputs))


def _time_limit(row: Row) -> float:
    limit = row.get("time_limit", dict, {})
    try:
        seconds = float(limit.get("seconds") or 0) + float(limit.get("nanos") or 0) / 1e9
    except (TypeError, ValueError, OverflowError) as error:
        raise row.fail(f"key 'time_limit' must hold numbers, got {show(limit, 60)}") from error
    return check_time(row, "time_limit", seconds) if seconds else _DEFAULT_LIMIT_S


def _memory_limit(row: Row) -> int:
    """A program under Python needs more than the limits written for C++ leave, so small ones are raised."""
    limit: int = row.get("memory_limit_bytes", int, 0)
    if not limit:
        return _DEFAULT_MEMORY_MB
    return check_memory(row, "memory_limit_bytes", max(limit // (1 << 20), _LEAST_MEMORY_MB))


def _tags(row: Row) -> list[str]:
    return list(row.get("tags", list, row.get("cf_tags", list, [])))
