"""MBPP and MBPP+: short functions, shown to the model with their first assert."""

from __future__ import annotations

import ast
import builtins
import re
from typing import TYPE_CHECKING, Any

from sstar_code.problems.formats.reference_tests import NUMPY_STAND_IN, Rule, compare_with_reference
from sstar_code.problems.formats.restore_types import read_arguments, restore
from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.statements.asserts import called_names, isolate, read_assert

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

_DEFINED = re.compile(r"^(?:def|class)\s+(\w+)", re.MULTILINE)
_NUMPY = "import numpy as np"
_UNCHECKED = re.compile(r"(?<=\n)( +)exact_match = [^\n]*\n(?=\s*\n\n\S|\n*inputs = )")
_SET_COMPARISON = re.compile(r"^assert set\(", re.MULTILINE)
_BARE_CALL = re.compile(r"^assert (?:not )?\w+\((?!.*\)\s*==)", re.MULTILINE)
_ANY_ORDER = ("579", "769")
"""Their asserts compare tuples and lists, but the solution lists a set in the order that it happens to have;
the published test programs compare sets."""
_SLOW_S = {"599": 120.0}
"""CPU seconds where the set's own solution alone takes more than ten on its plus inputs."""


def read_mbpp(row: Row) -> Problem:
    """The problem of a row of mbpp.jsonl: public is the first assert, hidden are all of `test_list`.

    Raises:
        ProblemFileError: a key is missing or of another type, or the asserts call no function.
    """
    setup = row.get("test_setup_code", str, "")
    asserts, code = _asserts(row), row.text("code").replace("\r\n", "\n")
    entry_point = _entry_point(row, asserts, code)
    tests = tuple(read_assert(source, entry_point, setup) for source in asserts)
    text = row.text("text")
    return _problem(
        row, text, asserts=asserts, code=code, hidden=tests, source="mbpp", entry_point=entry_point
    )


def read_mbpp_plus(row: Row) -> Problem:
    """The problem of a row of MbppPlus.jsonl.gz or of MbppPlus-OriginFmt.jsonl.gz, told apart by their keys.

    Public is the first assert; hidden are all asserts and one program with the base and plus inputs.

    Raises:
        ProblemFileError: a key is missing or of another type, or the row is of neither form.
    """
    if "plus_input" in row.data:
        return _from_inputs(row)
    if "test" in row.data:
        return _from_program(row)
    raise row.fail("key 'plus_input' (MbppPlus.jsonl.gz) or 'test' (MbppPlus-OriginFmt.jsonl.gz) is missing")


def _from_program(row: Row) -> Problem:
    asserts, code = _asserts(row), row.text("code")
    entry_point = _entry_point(row, asserts, code)
    setup = "\n".join(row.get("test_imports", list, []))
    tests = [read_assert(source, entry_point, setup) for source in asserts]
    program = _UNCHECKED.sub(r"\g<0>\1assert exact_match" + "\n", row.text("test"))
    program = program.replace(_NUMPY, NUMPY_STAND_IN)
    hidden = (*tests, Test(program=isolate(program, entry_point)))
    text = row.text("prompt")
    return _problem(
        row, text, asserts=asserts, code=code, hidden=hidden, source="mbpp+", entry_point=entry_point
    )


def _from_inputs(row: Row) -> Problem:
    source, entry_point, code = row.text("assertion"), row.text("entry_point"), row.text("canonical_solution")
    statements = ast.parse(source).body
    setup = "\n".join(ast.unparse(node) for node in statements if not isinstance(node, ast.Assert))
    if "math." in source and "import math" not in setup:  # Mbpp/120 forgets it
        setup = f"import math\n{setup}"
    asserts = [
        ast.get_source_segment(source, node) or "" for node in statements if isinstance(node, ast.Assert)
    ]
    tests = [read_assert(text, entry_point, setup) for text in asserts]
    examples = read_arguments(source, entry_point)
    inputs = [_typed(arguments, examples) for arguments in row.get("plus_input", (list, dict), [])]
    absolute = float(row.get("atol", (int, float), 0.0))
    rule = read_rule(row.text("task_id").removeprefix("Mbpp/"), asserts)
    program = compare_with_reference(entry_point, code, inputs, absolute=absolute, rule=rule)
    text = row.text("prompt").strip().strip('"').partition("\nassert ")[0]
    hidden = (*tests, Test(program=program))
    return _problem(
        row, text, asserts=asserts, code=code, hidden=hidden, source="mbpp+", entry_point=entry_point
    )


def _typed(arguments: list[Any], examples: list[list[Any]]) -> list[Any]:
    columns = [[row[place] for row in examples if place < len(row)] for place in range(len(arguments))]
    return [restore(value, seen) for value, seen in zip(arguments, columns, strict=True)]


def read_rule(number: str, asserts: list[str]) -> Rule:
    """How the answers of problem `number` to further inputs are to be compared: as its asserts do."""
    if number in _ANY_ORDER or (asserts and all(map(_SET_COMPARISON.match, asserts))):
        return "set"
    return "truth" if asserts and all(map(_BARE_CALL.match, asserts)) else "equal"


def _asserts(row: Row) -> list[str]:
    asserts = [str(source).strip() for source in row.need("test_list", list)]
    if not asserts:
        raise row.fail("key 'test_list' must not be empty")
    return asserts


def _entry_point(row: Row, asserts: list[str], code: str) -> str:
    """The function of the solution that the asserts call; some solutions define a builtin's name."""
    defined = _DEFINED.findall(code)
    called = [name for source in asserts for name in called_names(source)]
    names = [name for name in called if name in defined] or [n for n in called if not hasattr(builtins, n)]
    if not names:
        raise row.fail("no assert of 'test_list' calls a function that 'code' defines")
    return names[0]


def _problem(
    row: Row,
    text: str,
    *,
    asserts: list[str],
    code: str,
    hidden: tuple[Test, ...],
    source: str,
    entry_point: str,
) -> Problem:
    plus = source == "mbpp+"
    number = str(row.need("task_id", (str, int))).removeprefix("Mbpp/")
    return Problem(
        id=f"Mbpp/{number}" if plus else number,
        statement=f"{text.strip()}\n{asserts[0]}\n",
        kind=Kind.FUNCTION,
        entry_point=entry_point,
        public_tests=hidden[:1],
        hidden_tests=hidden,
        time_limit_s=_SLOW_S.get(number, 30.0) if plus else 6.0,
        memory_limit_mb=4096 if plus else 1024,
        checker="python",
        metadata={"source": source, "reference": code},
    )
