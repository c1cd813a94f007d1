"""Examples in docstrings: what doctest would run, and which of it are plain calls with plain results."""

from __future__ import annotations

import ast
import doctest
from collections.abc import Sequence
from doctest import Example
from typing import Any

from sstar_code.agent.repository.find.doctest_settings import (
    NUMBER,
    register_flags,
    same_number_text,
    strip_prefixes,
)
from sstar_code.problems import Test
from sstar_code.problems.python_source import parse_expression
from sstar_code.problems.statements.literals import read_literal, read_value
from sstar_code.problems.values import encode, encode_lines

_PARSER = doctest.DocTestParser()
_BEYOND_TEXT = ("ELLIPSIS", "NORMALIZE_WHITESPACE", "IGNORE_EXCEPTION_DETAIL", "DONT_ACCEPT_TRUE_FOR_1")
"""Flags that change nothing where a value is compared that has no blanks in it."""
_CHECKER = doctest.OutputChecker()


def find_examples(docstring: str, flags: Sequence[str] = ()) -> list[Example]:
    """The examples of `docstring` in order, without those to be skipped; none where it is malformed.

    `flags` are names of options that hold where an example does not say otherwise.
    """
    if ">>>" not in docstring or explain_malformed(docstring):
        return []
    examples = _PARSER.get_examples(docstring)
    for item in examples:
        for name in flags:
            item.options.setdefault(doctest.OPTIONFLAGS_BY_NAME[name], True)
    return [item for item in examples if not item.options.get(doctest.SKIP)]


def explain_malformed(docstring: str) -> str:
    """Why doctest cannot read the examples of `docstring`, with the line; empty where it can."""
    register_flags()
    try:
        _PARSER.get_examples(docstring)
    except ValueError as error:
        return " ".join(str(error).split())
    return ""


def judge_examples(examples: Sequence[Example], outcomes: Any) -> str | None:
    """The first of `examples` that does not hold, and why; empty where all hold, None where not all were run.

    `outcomes`: for each example the text that it printed, and the last line of its traceback or nothing.
    """
    if not isinstance(outcomes, list) or len(outcomes) != len(examples):
        return None
    for example, (got, raised) in zip(examples, outcomes, strict=True):
        fault = judge_example(example, str(got), str(raised))
        if fault:
            return f">>> {example.source.strip()} : {fault}"
    return ""


def judge_example(example: Example, got: str, raised: str) -> str:
    """Why what came of `example` is not right, in doctest's words; empty where it is."""
    flags = sum(flag for flag, wanted in example.options.items() if wanted)
    must_raise = (example.exc_msg or "").strip()
    if raised:
        if not must_raise:
            return f"raised {raised}"
        if flags & doctest.IGNORE_EXCEPTION_DETAIL:
            same = _exception_name(raised) == _exception_name(must_raise)
        else:
            same = _CHECKER.check_output(f"{must_raise}\n", f"{raised.strip()}\n", flags)
        return "" if same else f"raised {raised}, expected {must_raise}"
    if must_raise:
        return f"expected {must_raise}, nothing was raised"
    if _CHECKER.check_output(example.want, got, flags) or _same_text(example, got, flags):
        return ""
    return f"expected {example.want.strip()}, got {got.strip() or 'nothing'}"


def _same_text(example: Example, got: str, flags: int) -> bool:
    """Whether `got` is right by the flags that pytest has beside doctest's own."""
    names = [name for name in doctest.OPTIONFLAGS_BY_NAME if flags & doctest.OPTIONFLAGS_BY_NAME[name]]
    want, got = strip_prefixes(example.want, names), strip_prefixes(got, names)
    if NUMBER in names:
        got = same_number_text(want, got)
    return _CHECKER.check_output(want, got, flags)


def _exception_name(line: str) -> str:
    return line.partition(":")[0].rpartition(".")[2]


def read_test(example: Example, name: str) -> Test | None:
    """The test that `example` is, where it is one call of `name` with literal arguments and result."""
    wanted = example.want.strip()
    if example.exc_msg or "doctest:" in example.source or not wanted or not _is_by_value(example, wanted):
        return None
    try:
        value = read_value(wanted)
        if repr(value) != wanted:
            return None  # doctest compares text: another spelling of the value would fail there
        return Test(encode_lines(_read_call(example.source, name)), encode(value))
    except (ValueError, RecursionError, TypeError):
        return None


def _is_by_value(example: Example, wanted: str) -> bool:
    """Whether the example's flags leave it to the value alone whether it holds."""
    known = {doctest.OPTIONFLAGS_BY_NAME[name] for name in _BEYOND_TEXT}
    others = [flag for flag, holds in example.options.items() if holds and flag not in known]
    is_loose = any(example.options.values()) and ("..." in wanted or "'" in wanted or '"' in wanted)
    return not others and not is_loose


def _read_call(source: str, name: str) -> list[Any]:
    """The literal arguments of the plain call of `name` that `source` is.

    Raises:
        ValueError: it is something else.
    """
    call = parse_expression(source.strip())
    if not isinstance(call, ast.Call) or call.keywords or ast.unparse(call.func) != name:
        raise ValueError("not a plain call")
    return [read_literal(item) for item in call.args]
