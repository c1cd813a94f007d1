"""TACO, open-r1/codeforces, CodeContests+, USACO and xCodeEval."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sstar_code.problems.bounds import read_text, row_bytes
from sstar_code.problems.errors import shorten
from sstar_code.problems.files import why_outside
from sstar_code.problems.formats.contests import read_apps
from sstar_code.problems.formats.fields import check_count, check_memory, check_time, read_checker, read_json
from sstar_code.problems.formats.judges import is_cpp, name_language
from sstar_code.problems.formats.published.programs import ANY_OF, FILE_INPUT, RUN_CHECKER
from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.python_source import parse_expression
from sstar_code.problems.statements.literals import encode_test, read_literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.problems.formats.rows import Row

_LEAST_MEMORY_MB = 256
"""A program under Python needs more than limits written for C++ leave."""
_MOST_MS = 1e15
"""Milliseconds that can be divided; no limit is as long."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NO_DIGIT_LIMIT = 0


def read_taco(row: Row) -> Problem:
    """The problem of a row of TACO, or of the function form of it that has `requirement` and `inputs`.

    Upstream's rows are read like APPS's, with their own limits. In the function form public are
    `input_output_examples`, hidden are `inputs` and `outputs`.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    if "requirement" in row.data:
        return _read_taco_function(row)
    number = row.data.get("problem_id", row.data.get("id", row.line - 1))
    data = {**row.data, "problem_id": number, "starter_code": row.get("starter_code", str, "")}
    problem = read_apps(replace(row, data=data))
    tags = row.get("tags", (str, list), [])
    return replace(
        problem,
        time_limit_s=_read_limit(row, "time_limit", problem.time_limit_s),
        memory_limit_mb=_read_memory(row, "memory_limit", problem.memory_limit_mb),
        metadata={
            **problem.metadata,
            "source": "taco",
            "platform": row.get("source", str, ""),
            "title": row.get("name", str, "") or "",
            "tags": re.findall(r"'([^']+)'", tags) if isinstance(tags, str) else tags,
        },
    )


def _read_taco_function(row: Row) -> Problem:
    entry_point = row.text("entry_point")
    shown = row.get("input_output_examples", str, "")
    try:
        public = _pair(row, "input_output_examples", *_two_lists(shown)) if shown.strip() else ()
    except ValueError as error:
        raise row.fail(f"key 'input_output_examples' must be text of two lists: {error}") from error
    return Problem(
        id=row.text("task_id"),
        statement=row.text("requirement"),
        kind=Kind.FUNCTION,
        entry_point=entry_point,
        starter_code=row.get("starter_code", str, ""),
        public_tests=public,
        hidden_tests=_pair(row, "outputs", row.need("inputs", list), row.need("outputs", list)),
        time_limit_s=6.0,
        int_digits=_NO_DIGIT_LIMIT,
        checker=read_checker(row, Kind.FUNCTION, "floats:1e-6"),
        metadata={"source": "taco", "reference": row.get("canonical_solution", str, "")},
    )


def _two_lists(text: str) -> tuple[list[Any], list[Any]]:
    tree = parse_expression(text.strip())
    value = None if tree is None else read_literal(tree)
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(item, list) for item in value)):
        raise ValueError("a list of inputs and one of outputs are expected")
    return value[0], value[1]


def _pair(row: Row, key: str, inputs: list[Any], outputs: list[Any]) -> tuple[Test, ...]:
    if len(inputs) != len(outputs):
        raise row.fail(f"key {key!r}: there are {len(inputs)} inputs and {len(outputs)} outputs")
    check_count(row, key, len(inputs))
    tests = []
    for place, (given, wanted) in enumerate(zip(inputs, outputs, strict=True)):
        if not isinstance(given, list) or not isinstance(wanted, list) or len(wanted) != 1:
            raise row.fail(f"{key}[{place}]: a list of arguments and a list of one output are expected")
        tests.append(encode_test(given, wanted[0]))
    return tuple(tests)


def read_codeforces(row: Row) -> Problem:
    """The problem of a row of open-r1/codeforces: public are `examples`, hidden are `official_tests`.

    `generated_checker` is run, and `input_mode` "file" is. Interactive problems are refused.

    Raises:
        ProblemFileError: a key is missing or of another type, or the problem cannot be judged here.
    """
    if row.get("interaction_format", str, ""):
        raise row.fail("key 'interaction_format': interactive problems are not run; leave the row out")
    mode = row.get("input_mode", str, "stdio") or "stdio"
    if mode not in ("stdio", "file"):
        raise row.fail(f"key 'input_mode' must be stdio or file, got {mode!r}")
    public, hidden = _tests(row, "examples"), _tests(row, "official_tests")
    checker = row.get("generated_checker", str, "")
    statement = _join_parts(
        row.text("description"),
        ("Input", row.get("input_format", str, "")),
        ("Output", row.get("output_format", str, "")),
        ("Note", row.get("note", str, "")),
    )
    return Problem(
        id=row.text("id"),
        statement=statement,
        kind=Kind.STDIN,
        public_tests=public,
        hidden_tests=hidden,
        time_limit_s=_read_limit(row, "time_limit", 2.0),
        memory_limit_mb=_read_memory(row, "memory_limit", 256),
        int_digits=_NO_DIGIT_LIMIT,
        checker=_judge(checker) if checker.strip() else "codecontests",
        preamble=FILE_INPUT.format(given="input.txt", written="output.txt") if mode == "file" else "",
        metadata={
            "source": "codeforces",
            "title": row.get("title", str, ""),
            "rating": row.get("rating", (int, float), None),
            "tags": row.get("tags", list, []),
            "date": _year(row),
            "complete_tests": row.get("official_tests_complete", bool, None),
        },
    )


def _year(row: Row) -> str | None:
    year = row.get("contest_start_year", int, None)
    return str(year) if year else None


def read_codecontests_plus(row: Row) -> Problem:
    """The problem of a row of CodeContests+: hidden are `test_cases`.

    Its `checker`, `validator` and `generator` are C++ against testlib, and are run, the last with the
    arguments of `generator_cmd`; without a `checker` outputs are compared.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    given = (row.get(key, str, "") or "" for key in ("checker", "validator", "generator", "generator_cmd"))
    checker, validator, generator, commands = given
    right = row.get("correct_submissions", list, [])
    programs = [one for one in right if isinstance(one, dict) and str(one.get("language")) in _PYTHON]
    references = [str(one.get("code", one.get("solution", ""))) for one in programs[:3]]
    milliseconds = row.get("time_limit", (int, float), 0)
    return Problem(
        id=str(row.need("id", (str, int))),
        statement=row.text("description"),
        kind=Kind.STDIN,
        hidden_tests=_tests(row, "test_cases"),
        time_limit_s=check_time(row, "time_limit", max(-_MOST_MS, min(milliseconds, _MOST_MS)) / 1000)
        if milliseconds
        else 5.0,
        memory_limit_mb=_read_memory(row, "memory_limit", 1024),
        int_digits=_NO_DIGIT_LIMIT,
        checker=_judge(checker) if checker.strip() else "codecontests",
        validator=name_language(validator) if validator.strip() else None,
        generator={**name_language(generator), "commands": commands} if generator.strip() else None,
        metadata={
            "source": "codecontests+",
            "title": row.get("title", str, ""),
            "platform": row.get("source", str, ""),
            **({"references": references} if references else {}),
        },
    )


def _judge(source: str) -> dict[str, str]:
    """A checker as sets give it: in C++, or in Python with paths as arguments."""
    judge = name_language(source)
    return judge if is_cpp(judge) else {"program": RUN_CHECKER.format(source=source)}


_PYTHON = ("python", "python3", "Python", "Python3", "py3", "3")


def read_usaco(row: Row) -> Problem:
    """The problem of a row of the USACO benchmark: public are `samples`, hidden are `tests` or test files.

    Upstream keeps the tests as files beside its dictionary, in `tests/PROBLEM_ID`: `1.in` and `1.out`, or
    `I.1` and `O.1`.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    problem_id = row.text("problem_id")
    public = _tests(row, "samples")
    hidden = _tests(row, "tests")
    if "tests" not in row.data:
        hidden = _read_test_files(row, problem_id, row.get("num_tests", int, 0))
    reference = row.get("solution_python3", str, "") or ""
    return Problem(
        id=problem_id,
        statement=row.text("description"),
        kind=Kind.STDIN,
        public_tests=public,
        hidden_tests=hidden,
        time_limit_s=_read_limit(row, "runtime_limit", 4.0),
        memory_limit_mb=_read_memory(row, "memory_limit", 256),
        int_digits=_NO_DIGIT_LIMIT,
        checker=read_checker(row, Kind.STDIN, "exact"),
        metadata={
            "source": "usaco",
            "title": row.get("name", str, ""),
            "difficulty": row.get("problem_level", str, ""),
            **({"reference": reference} if reference.strip() else {}),
        },
    )


def _read_test_files(row: Row, problem_id: str, count: int) -> tuple[Test, ...]:
    check_count(row, "num_tests", count)
    root = row.path.parent / "tests"
    folder = root / problem_id
    left = row_bytes()
    tests = []
    for number in range(1, count + 1):
        names = (f"{number}.in", f"{number}.out"), (f"I.{number}", f"O.{number}")
        pair = next((pair for pair in names if os.path.isfile(folder / pair[0])), None)  # noqa: PTH113 - a name may be too long
        if pair is None:
            missing = shorten(str(folder / names[0][0]), 200)
            raise row.fail(f"key 'num_tests': test {number} of {count} is missing, {missing}")
        for name in pair:
            if (why := why_outside(root, folder / name)) is not None:
                raise row.fail(f"{folder / name}: {why}")
        given, wanted = (read_text(folder / name, left) for name in pair)
        left -= len(given) + len(wanted)
        tests.append(Test(given, wanted))
    return tuple(tests)


def read_xcodeeval(row: Row) -> Problem:
    """The problem of a row of xCodeEval's program synthesis: public are the samples.

    Hidden are `hidden_unit_tests`, a list or its JSON text, as upstream's loader joins them from
    unittest_db.json; without that key there are none.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    prefix = "prob_desc_" if "prob_desc_description" in row.data else ""
    given, written = (row.get(f"{prefix}{key}", str, "") or "" for key in ("input_from", "output_to"))
    inputs, outputs = (_list(row, f"{prefix}{key}") for key in ("sample_inputs", "sample_outputs"))
    if len(inputs) != len(outputs):
        raise row.fail(f"key '{prefix}sample_outputs': {len(outputs)} outputs for {len(inputs)} inputs")
    hidden, several = _unit_tests(row)
    preamble = ""
    if "standard" not in given and given.endswith(".txt"):
        preamble = FILE_INPUT.format(given=given, written=written)
    return Problem(
        id=row.text("src_uid"),
        statement=_join_parts(
            row.text(f"{prefix}description"),
            ("Input", row.get(f"{prefix}input_spec", str, "")),
            ("Output", row.get(f"{prefix}output_spec", str, "")),
            ("Note", row.get(f"{prefix}notes", str, "")),
        ),
        kind=Kind.STDIN,
        public_tests=tuple(map(Test, map(str, inputs), map(str, outputs))),
        hidden_tests=hidden,
        time_limit_s=_read_limit(row, f"{prefix}time_limit", 5.0),
        memory_limit_mb=_read_memory(row, f"{prefix}memory_limit", 256),
        int_digits=_NO_DIGIT_LIMIT,
        checker={"program": ANY_OF} if several else read_checker(row, Kind.STDIN, "codecontests"),
        preamble=preamble,
        metadata={
            "source": "xcodeeval",
            "rating": row.get("difficulty", (int, float), None),
            "tags": row.get("tags", list, []),
        },
    )


def _unit_tests(row: Row) -> tuple[tuple[Test, ...], bool]:
    """The hidden tests, and whether one of them lists several outputs."""
    items = read_json(row, "hidden_unit_tests", [])
    if not isinstance(items, list):
        raise row.fail("key 'hidden_unit_tests' must be a list, or its JSON text")
    check_count(row, "hidden_unit_tests", len(items))
    listed = []
    for place, item in enumerate(items):
        right = item.get("output") if isinstance(item, dict) else None
        if not right or not isinstance(item.get("input"), str) or not isinstance(right, str | list):
            raise row.fail(f"hidden_unit_tests[{place}]: an object with 'input' and 'output' is expected")
        listed.append((item["input"].replace("\r\n", "\n"), [right] if isinstance(right, str) else right))
    several = any(len(right) > 1 for _, right in listed)
    write = json.dumps if several else lambda right: str(right[0])
    return tuple(Test(given, write(right)) for given, right in listed), several


def _tests(row: Row, key: str) -> tuple[Test, ...]:
    items = row.get(key, list, [])
    check_count(row, key, len(items))
    for place, item in enumerate(items):
        if not (
            isinstance(item, dict) and all(isinstance(item.get(name), str) for name in ("input", "output"))
        ):
            raise row.fail(f"{key}[{place}]: an object with the strings 'input' and 'output' is expected")
    return tuple(Test(item["input"], item["output"]) for item in items)


def _list(row: Row, key: str) -> Sequence[Any]:
    value = read_json(row, key, [])
    if not isinstance(value, list):
        raise row.fail(f"key {key!r} must be a list, or its JSON text")
    return value


def _read_limit(row: Row, key: str, default: float) -> float:
    """Seconds of a number, or of a text like `2.0 seconds`."""
    value = _read_number(row, key)
    return check_time(row, key, value) if value else default


def _read_memory(row: Row, key: str, default: int) -> int:
    value = _read_number(row, key)
    return max(check_memory(row, key, value) if value else default, _LEAST_MEMORY_MB)


def _read_number(row: Row, key: str) -> float:
    value: str | float = row.get(key, (str, int, float), 0)
    if not isinstance(value, str):
        return value
    found = _NUMBER.search(value)
    if not found:
        raise row.fail(
            f"key {key!r} must be a number or a text like '2.0 seconds', got {shorten(value, 40)!r}"
        )
    return float(found[0])


def _join_parts(text: str, *parts: tuple[str, str]) -> str:
    named = [f"{name}\n\n{part.strip()}" for name, part in parts if part and part.strip()]
    return "\n\n".join([text.strip(), *named])
