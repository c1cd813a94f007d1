"""HumanEval and HumanEval+: functions to complete, with examples in the docstring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.problems.formats.reference_tests import NUMPY_STAND_IN, Rule, compare_with_reference
from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.statements.asserts import isolate
from sstar_code.problems.statements.examples import find_examples

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

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
    return _problem(row, (_check(row),), "humaneval", time_limit_s=6.0, memory_limit_mb=1024)


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
        absolute = float(row.get("atol", (int, float), 0.0))
        program = compare_with_reference(entry_point, reference, inputs, absolute=absolute, rule=rule)
        hidden.append(Test(program=program))
    return _problem(row, tuple(hidden), "humaneval+", time_limit_s=30.0, memory_limit_mb=4096)


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


def _problem(
    row: Row, hidden: tuple[Test, ...], source: str, *, time_limit_s: float, memory_limit_mb: int
) -> Problem:
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
