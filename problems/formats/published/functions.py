"""LeetCodeDataset, HumanEval-X and MultiPL-E (Python), BigCodeBench: functions with asserts or unit tests."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sstar_code.problems.formats.evalplus import read_humaneval
from sstar_code.problems.formats.fields import check_count, refuse_checker
from sstar_code.problems.formats.frames import make_frame
from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.statements import leetcode
from sstar_code.problems.statements.examples import Call, find_named_examples
from sstar_code.problems.statements.literals import encode_test, isolate, read_call_arguments, read_literal
from sstar_code.problems.statements.stubs import find_entry, list_parameters, parse_stub

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

_MOST_ASSERTS = 10_000
_NODE_BUILDERS = ("list_node", "tree_node")
"""LeetCodeDataset's functions that make linked nodes of a list; here the list is the test's value."""
_HUMANEVAL_X_IMPORTS = """\
import math, re, sys, copy, datetime, itertools, collections, heapq, statistics, functools, hashlib, string
from typing import *
from collections import *
"""
"""Those of its grader (`IMPORT_HELPER`), without numpy."""
_HUMANEVAL_X_INCLUDES = "".join(
    f"#include <{name}>\n"
    for name in (
        *("stdlib.h", "algorithm", "math.h", "stdio.h", "vector", "string", "climits", "cstring", "iostream"),
    )
)
"""What HumanEval-X's grader puts before a program in C++."""
_NODE_COMPARISONS = ("is_same_list", "is_same_tree")
_DEFINITION = re.compile(r"(?m)^def[ \t]+(\w+)[ \t]*\(")
_CLOSING_CALL = re.compile(r"\n+check\(\w+\)\s*\Z")
_MULTIPL_E_CALL = re.compile(r"\n+def test_check\(\):\s+check\(\w+\)\s+test_check\(\)\s*\Z")


def read_leetcode_dataset(row: Row) -> Problem:
    """The problem of a row of LeetCodeDataset (newfacade): hidden are the asserts of its `check`.

    An assert that compares a call's value with a literal becomes an input and an output; all others of a row
    are one test program. Public are the examples of the statement.

    Raises:
        ProblemFileError: a key is missing or of another type, or `check` holds no assert.
    """
    refuse_checker(row)
    starter, statement = row.text("starter_code"), row.text("problem_description")
    entry_point = row.text("entry_point").replace("()", "")
    tree = parse_stub(starter)
    function = find_entry(tree, entry_point)[1] if tree else None
    if function is None:
        raise row.fail(f"key 'starter_code' does not define the 'entry_point' {entry_point!r}")
    parameters = tuple(item.arg for item in list_parameters(function))
    returns = ast.unparse(function.returns) if function.returns else ""
    preamble = row.get("prompt", str, "")
    if "from math import *" in preamble:
        preamble += "\nfrom builtins import pow\n"  # which `math` hides, and solutions of the set call
    shown = find_named_examples(statement, Call(entry_point, parameters, returns))[0]
    hidden = _read_check(row, parameters, preamble, entry_point)
    outputs = {test.input: test for test in hidden}  # of several right ones `check` accepts one alone
    problem = Problem(
        id=row.text("task_id"),
        statement=statement,
        kind=Kind.FUNCTION,
        entry_point=entry_point,
        starter_code=starter,
        public_tests=tuple(outputs.get(test.input, test) for test in shown),
        hidden_tests=hidden,
        time_limit_s=10.0,
        memory_limit_mb=2048,
        checker="python",
        preamble=preamble,
        metadata={
            "source": "leetcode",
            "difficulty": row.get("difficulty", str, "").lower(),
            "tags": row.get("tags", list, []),
            "date": row.get("estimated_date", str, None),
            "reference": row.get("completion", str, ""),
        },
    )
    return replace(problem, call=leetcode.read_form(problem))


def _read_check(row: Row, parameters: tuple[str, ...], preamble: str, entry_point: str) -> tuple[Test, ...]:
    tree = parse_python(row.text("test"))
    check = tree.body[0] if tree and tree.body else None
    if not isinstance(check, ast.FunctionDef):
        raise row.fail("key 'test' must define the function 'check'")
    check_count(row, "test", len(check.body), _MOST_ASSERTS)
    tests, rest = [], []
    for statement in check.body:
        try:
            tests.append(_plain_test(statement, parameters))
        except ValueError:
            rest.append(statement)
    if any(isinstance(statement, ast.Assert) for statement in rest):
        check.body = rest
        source = f"{preamble}\n{ast.unparse(check)}\n\ncheck(candidate)\n"
        name = entry_point.rpartition(".")[2]
        owner = entry_point.rpartition(".")[0]
        call = f"candidate = {owner}().{name}\n" if owner else ""
        tests.append(Test(program=f"{call}{source}" if owner else isolate(source, entry_point)))
    if not tests:
        raise row.fail("key 'test': 'check' holds no assert")
    return tuple(tests)


def _plain_test(statement: ast.stmt, parameters: tuple[str, ...]) -> Test:
    """The test of `assert candidate(a = 1) == 2`, nodes written as lists.

    Raises:
        ValueError: the statement is something else.
    """
    test = statement.test if isinstance(statement, ast.Assert) else None
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        call, value = test.left, test.comparators[0]
    elif isinstance(test, ast.Call) and _name(test) in _NODE_COMPARISONS and len(test.args) == 2:
        call, value = test.args
    else:
        raise ValueError("not a comparison")
    if not isinstance(call, ast.Call) or _name(call) != "candidate":
        raise ValueError("not a call of the candidate")
    call = _Nodes().visit(call)
    named = {keyword.arg for keyword in call.keywords}
    if not call.args and named != set(parameters):
        raise ValueError("other arguments than the parameters")
    return encode_test(read_call_arguments(call, parameters), read_literal(_Nodes().visit(value)))


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


class _Nodes(ast.NodeTransformer):
    """Puts the list in the place of the nodes made of it."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return node.args[0] if _name(node) in _NODE_BUILDERS and len(node.args) == 1 else node


def read_humaneval_x(row: Row) -> Problem:
    """The problem of a row of HumanEval-X's Python or C++ file; other languages are refused.

    Raises:
        ProblemFileError: a key is missing or of another type, or the row is of another language.
    """
    identifier = row.text("task_id")
    if identifier.startswith("CPP/"):
        solution = row.text("canonical_solution")
        facts = {"source": "humaneval-x", "language": "cpp", "reference": solution}
        return _as_frame(row, identifier, _HUMANEVAL_X_INCLUDES, "test", facts)
    if not identifier.startswith("Python/"):
        raise row.fail(
            f"key 'task_id': {identifier!r} is not of HumanEval-X's Python or C++ file; programs of other "
            "languages are not run"
        )
    prompt = row.text("prompt")
    test = _CLOSING_CALL.sub("\n", row.text("test"))
    solution = row.text("canonical_solution")
    problem = _as_humaneval(row, identifier, prompt, test, solution=solution, source="humaneval-x")
    return replace(problem, preamble=f"{_HUMANEVAL_X_IMPORTS}{problem.preamble}")


def read_multipl_e(row: Row) -> Problem:
    """The problem of a row of MultiPL-E with `language` "py" or "cpp"; other languages are refused.

    Raises:
        ProblemFileError: a key is missing or of another type, or the row is of another language.
    """
    language = row.text("language")
    if language == "cpp":
        facts = {"source": "multipl-e", "language": "cpp"}
        return _as_frame(row, row.text("name"), "", "tests", facts)
    if language not in ("py", "python"):
        raise row.fail(
            f'key \'language\': programs in {language!r} are not run; give the file for "py" or "cpp"'
        )
    test = _MULTIPL_E_CALL.sub("\n", row.text("tests"))
    return _as_humaneval(row, row.text("name"), row.text("prompt"), test, solution="", source="multipl-e")


def _as_frame(row: Row, identifier: str, imports: str, key: str, metadata: dict[str, Any]) -> Problem:
    """A C++ function with its assertions; `key` is that of the tests."""
    refuse_checker(row)
    prompt = row.text("prompt")
    try:
        (frame, told) = make_frame(imports, prompt, row.text(key))
    except ValueError as error:
        raise row.fail(f"keys 'prompt' and {key!r}: {error}") from error
    return Problem(
        id=identifier,
        statement=prompt,
        kind=Kind.STDIN,
        hidden_tests=(Test("", told),),
        frame=frame,
        metadata=metadata,
    )


def _as_humaneval(
    row: Row, identifier: str, prompt: str, test: str, *, solution: str, source: str
) -> Problem:
    names = _DEFINITION.findall(prompt)
    if not names:
        raise row.fail("key 'prompt' defines no function")
    data: dict[str, Any] = {
        "task_id": identifier,
        "prompt": prompt,
        "canonical_solution": solution,
        "entry_point": names[-1],
        "test": test,
        "checker": row.data.get("checker"),
    }
    problem = read_humaneval(replace(row, data=data))
    metadata = {**problem.metadata, "source": source}
    if not solution:
        del metadata["reference"]
    return replace(problem, metadata=metadata)


def read_bigcodebench(row: Row) -> Problem:
    """The problem of a row of BigCodeBench: a function whose tests are a `unittest.TestCase`, run as one.

    The statement is `instruct_prompt` where there is one, the starter code `code_prompt`. The libraries of
    `libs` have to be in the sandbox (`--packages`).

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    refuse_checker(row)
    prompt = row.text("complete_prompt")
    entry_point, test = row.text("entry_point"), row.text("test")
    if "class TestCases" not in test:
        raise row.fail("key 'test' must define the class 'TestCases'")
    head = row.get("code_prompt", str, prompt)
    libraries = row.get("libs", (str, list), [])
    return Problem(
        id=row.text("task_id"),
        statement=row.get("instruct_prompt", str, "") or prompt,
        kind=Kind.FUNCTION,
        entry_point=entry_point,
        starter_code=head,
        hidden_tests=(Test(program=f"{test}\n{_RUN_UNITTEST}"),),
        time_limit_s=60.0,
        memory_limit_mb=4096,
        metadata={
            "source": "bigcodebench",
            "libraries": libraries if isinstance(libraries, list) else _split_libraries(libraries),
            "reference": head + row.get("canonical_solution", str, ""),
        },
    )


def _split_libraries(text: str) -> list[str]:
    """`libs` is the text of a Python list."""
    return re.findall(r"[\w.]+", text)


_RUN_UNITTEST = """
import io as _io, inspect as _inspect, unittest as _unittest
_result = _unittest.TextTestRunner(stream=_io.StringIO()).run(
    _unittest.TestLoader().loadTestsFromTestCase(TestCases)
)
assert _result.testsRun and _result.wasSuccessful(), (
    (_result.failures + _result.errors)[0][1][-1500:] if _result.testsRun else "no test was run"
)
"""
"""`inspect` names the program as one that needs the candidate's own objects: such tests patch them."""
