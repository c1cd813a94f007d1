"""HumanEval and MBPP, plain and with evalplus's tests."""

from __future__ import annotations

import ast
import builtins
import re
from typing import TYPE_CHECKING, Any

from sstar_code.problems.formats.fields import check_count, read_tolerance, refuse_checker
from sstar_code.problems.formats.reference_tests import NUMPY_STAND_IN, Rule, compare_with_reference
from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.statements.literals import called_names, isolate, read_assert, read_literal

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

_CONSTRUCTORS: dict[str, Any] = {
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
    "list": list,
    "complex": complex,
}
_CONTAINERS = (list, tuple, set, frozenset)
_NUMBERS = (int, float, complex)
_INTEGER = re.compile(r"-?\d+")
_DIGIT = re.compile(r"[0-9]")


def read_arguments(source: str, entry_point: str) -> list[list[Any]]:
    """The arguments of every call of `entry_point` in `source` that are literals or `set([...])`."""
    found = []
    tree = parse_python(source)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point:
            try:
                found.append([_read(argument) for argument in node.args])
            except (ValueError, TypeError):
                continue
    return found


def _read(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CONSTRUCTORS:
        return _CONSTRUCTORS[node.func.id](*map(_read, node.args))
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
        return kind(map(_read, node.elts))
    return read_literal(node)


def restore(value: Any, examples: list[Any]) -> Any:
    """`value`, as JSON gave it, with the types that `examples`, typed values of the same place, agree on.

    Where they disagree or do not reach, a list stays a list; but deeper than they reach a list becomes what
    nests in itself in the examples (a tuple of tuples may be nested to any depth).
    """
    nested = _nested_kinds(examples)
    return _restore(value, examples, nested.pop() if len(nested) == 1 else None)


def _nested_kinds(values: Any) -> set[type]:
    kinds: set[type] = set()
    for outer in values:
        if isinstance(outer, _CONTAINERS):
            kinds |= {type(inner) for inner in outer if type(inner) is type(outer)} | _nested_kinds(outer)
    return kinds


def _restore(value: Any, examples: list[Any], fallback: type | None) -> Any:
    if isinstance(value, list):
        alike = [example for example in examples if isinstance(example, _CONTAINERS)]
        kinds = {type(example) for example in alike}
        kind = fallback if not kinds else kinds.pop() if len(kinds) == 1 else list
        items = _items(value, alike)
        restored = [_restore(item, seen, fallback) for item, seen in zip(value, items, strict=True)]
        return kind(restored) if kind in (tuple, set, frozenset) else restored
    if isinstance(value, dict):
        maps = [example for example in examples if isinstance(example, dict)]
        seen = [item for example in maps for item in example.values()]
        keys = [*value, *(key for example in maps for key in example if not isinstance(key, int))]
        number = bool(maps) and all(_INTEGER.fullmatch(key) for key in keys)
        return {int(key) if number else key: _restore(item, seen, fallback) for key, item in value.items()}
    if isinstance(value, str) and examples and all(isinstance(item, _NUMBERS) for item in examples):
        return _number(value)
    return value


def _number(text: str) -> Any:
    """JSON cannot say a complex number, so its writer spelt it; any other text stays what it is."""
    for kind in (float, complex) if _DIGIT.search(text) else ():
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _items(value: list[Any], examples: list[Any]) -> list[list[Any]]:
    """The examples of every item of `value`: by position where all are tuples of that length."""
    if examples and all(isinstance(item, tuple) and len(item) == len(value) for item in examples):
        return [[example[place] for example in examples] for place in range(len(value))]
    return [[item for example in examples for item in example]] * len(value)


_MISPRINTED = {
    "HumanEval/47": ("[[-10, 4, 6, 1000, 10, 20]]",),
    "HumanEval/116": ("[[1, 5, 2, 3, 4]]", "[[-2, -3, -4, -5, -6]]"),
    "HumanEval/130": ("[1]", "[2]", "[4]"),
    "HumanEval/148": ('["Earth", "Mercury"]',),
}
"""Docstring examples that contradict the statement or the row's own tests (130: members of a series written
like calls): they would make right programs fail, so they are no public tests. As JSON lists of arguments."""

_IN_PROSE = {
    "HumanEval/84": ("[1000]", "[150]", "[147]"),
    "HumanEval/99": ('["14.5"]',),
    "HumanEval/115": (
        "[[[0, 0, 1, 0], [0, 1, 0, 0], [1, 1, 1, 1]], 1]",
        "[[[0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 1]], 2]",
        "[[[0, 0, 0], [0, 0, 0]], 5]",
    ),
    "HumanEval/141": ('["1example.dll"]',),
}
"""Right examples in running text. They are no public tests, since all published numbers were measured without
them."""

_ZERO_OF_POLYNOMIAL = "find_zero"
"""HumanEval/32 has many right answers."""


def read_humaneval(row: Row) -> Problem:
    """The problem of a row of HumanEval.jsonl.gz: hidden is its `check`, as one program.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    return _humaneval_problem(row, (_check(row),), "humaneval", time_limit_s=6.0, memory_limit_mb=1024)


def read_humaneval_plus(row: Row) -> Problem:
    """The problem of a row of HumanEvalPlus.jsonl.gz, also of its Mini, NoExtreme and OriginFmt variants.

    Hidden are the row's `check`, where it has one, and its inputs compared with the row's own solution.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    hidden = []
    inputs = [] if row.get("test", str) else list(row.need("base_input", list))
    if row.get("test", str):
        hidden.append(_check(row))
    inputs += row.get("plus_input", list, [])
    if inputs:
        entry_point = row.text("entry_point")
        rule: Rule = "zero of polynomial" if entry_point == _ZERO_OF_POLYNOMIAL else "equal"
        reference = row.text("prompt") + row.text("canonical_solution")
        absolute = read_tolerance(row, "atol")
        program = compare_with_reference(entry_point, reference, inputs, absolute=absolute, rule=rule)
        hidden.append(Test(program=program))
    return _humaneval_problem(row, tuple(hidden), "humaneval+", time_limit_s=30.0, memory_limit_mb=4096)


def _check(row: Row) -> Test:
    """The row's `test` with a call of its `check`; helper functions it uses stand in the prompt."""
    entry_point, test = row.text("entry_point"), row.text("test")
    if "import numpy as np" in test:
        test = test.replace("import numpy as np", NUMPY_STAND_IN)
    source = f"{_head(row)}\n{test}\n\ncheck(candidate)\n"
    return Test(program=isolate(source, entry_point))


def _head(row: Row) -> str:
    """The part of the prompt before the function: imports and helpers a candidate may rely on."""
    prompt, marker = row.text("prompt"), f"def {row.text('entry_point')}("
    return prompt[: prompt.rindex(marker)] if marker in prompt else ""


def _humaneval_problem(
    row: Row, hidden: tuple[Test, ...], source: str, *, time_limit_s: float, memory_limit_mb: int
) -> Problem:
    from sstar_code.problems.statements.examples import find_examples

    refuse_checker(row)
    identifier, prompt, entry_point = row.text("task_id"), row.text("prompt"), row.text("entry_point")
    left_out = _MISPRINTED.get(identifier, ()) + _IN_PROSE.get(identifier, ())
    examples = find_examples(prompt[len(_head(row)) :], entry_point)
    return Problem(
        id=identifier,
        statement=prompt,
        kind=Kind.FUNCTION,
        entry_point=entry_point,
        starter_code=prompt,
        public_tests=tuple(test for test in examples if _arguments(test) not in left_out),
        hidden_tests=hidden,
        time_limit_s=time_limit_s,
        memory_limit_mb=memory_limit_mb,
        checker="python:1e-6",
        preamble=_head(row),
        metadata={"source": source, "reference": prompt + row.text("canonical_solution")},
    )


def _arguments(test: Test) -> str:
    return "[" + test.input.replace("\n", ", ") + "]"


_DEFINED = re.compile(r"^(?:def|class)\s+(\w+)", re.MULTILINE)
_NUMPY = "import numpy as np"
_UNCHECKED = re.compile(r"(?<=\n)( +)exact_match = [^\n]*\n(?=\s*\n\n\S|\n*inputs = )")
_SET_COMPARISON = re.compile(r"^assert set\(", re.MULTILINE)
_BARE_CALL = re.compile(r"^assert (?:not )?\w+\((?!.*\)\s*==)", re.MULTILINE)
_MOST_ASSERTS = 1_000
"""Each is parsed; published rows have three."""
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
    return _mbpp_problem(
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
    setup = "\n".join(map(str, row.get("test_imports", list, [])))
    tests = [read_assert(source, entry_point, setup) for source in asserts]
    program = _UNCHECKED.sub(r"\g<0>\1assert exact_match" + "\n", row.text("test"))
    program = program.replace(_NUMPY, NUMPY_STAND_IN)
    hidden = (*tests, Test(program=isolate(program, entry_point)))
    text = row.text("prompt")
    return _mbpp_problem(
        row, text, asserts=asserts, code=code, hidden=hidden, source="mbpp+", entry_point=entry_point
    )


def _from_inputs(row: Row) -> Problem:
    source, entry_point, code = row.text("assertion"), row.text("entry_point"), row.text("canonical_solution")
    tree = parse_python(source)
    if tree is None:
        raise row.fail("key 'assertion' is not Python that can be read")
    statements = tree.body
    setup = "\n".join(ast.unparse(node) for node in statements if not isinstance(node, ast.Assert))
    if "math." in source and "import math" not in setup:  # Mbpp/120 forgets it
        setup = f"import math\n{setup}"
    asserts = [
        ast.get_source_segment(source, node) or "" for node in statements if isinstance(node, ast.Assert)
    ]
    if not asserts:
        raise row.fail("key 'assertion' holds no assert")
    tests = [read_assert(text, entry_point, setup) for text in asserts]
    examples = read_arguments(source, entry_point)
    further = list(row.get("plus_input", (list, dict), []))
    if not all(isinstance(arguments, list) for arguments in further):
        raise row.fail("key 'plus_input' must be a list of lists of arguments")
    inputs = [_typed(arguments, examples) for arguments in further]
    absolute = read_tolerance(row, "atol")
    rule = read_rule(row.text("task_id").removeprefix("Mbpp/"), asserts)
    if inputs:  # without any, as for Mbpp/793, the test would accept everything
        program = compare_with_reference(entry_point, code, inputs, absolute=absolute, rule=rule)
        tests.append(Test(program=program))
    text = row.text("prompt").strip().strip('"').partition("\nassert ")[0]
    return _mbpp_problem(
        row, text, asserts=asserts, code=code, hidden=tuple(tests), source="mbpp+", entry_point=entry_point
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
    check_count(row, "test_list", len(asserts), _MOST_ASSERTS)
    return asserts


def _entry_point(row: Row, asserts: list[str], code: str) -> str:
    """The function of the solution that the asserts call; some solutions define a builtin's name."""
    defined = _DEFINED.findall(code)
    called = [name for source in asserts for name in called_names(source)]
    names = [name for name in called if name in defined] or [n for n in called if not hasattr(builtins, n)]
    if not names:
        raise row.fail("no assert of 'test_list' calls a function that 'code' defines")
    return names[0]


def _mbpp_problem(
    row: Row,
    text: str,
    *,
    asserts: list[str],
    code: str,
    hidden: tuple[Test, ...],
    source: str,
    entry_point: str,
) -> Problem:
    refuse_checker(row)
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
