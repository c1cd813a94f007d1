"""A problem from a bare statement: kind, entry point, starter code and public tests, from the text alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.statements.examples import Call, find_calls, find_named_examples
from sstar_code.problems.statements.facts import LEAST_MEMORY_MB, LEAST_TIME_S, find_facts
from sstar_code.problems.statements.layout.loose import find_loose_samples
from sstar_code.problems.statements.layout.samples import Found, find_samples
from sstar_code.problems.statements.layout.sections import split_sections
from sstar_code.problems.statements.layout.text import clean_text
from sstar_code.problems.statements.leetcode import adapt_statement, read_design
from sstar_code.problems.statements.literals import encode_test, read_value
from sstar_code.problems.statements.signature import (
    asks_for_function,
    find_mention,
    find_signature,
    write_stub,
)

_STANDARD_INPUT = re.compile(
    r"(?i)\bstandard\s+input\b|\bstdin\b|標準入力|标准输入|표준 ?입력|стандартн\w+\s+(?:ввод|поток)"
    r"|entr[ée]e\s+standard|standardeingabe"
    r"|entrada\s+(?:est[áa]ndar|padr[ãa]o)|\breads?\b[^.\n]{0,60}\b(?:input|keyboard)\b"
)
_PRINTS = re.compile(r"(?i)\b(?:print|display)(?:s|ed|ing)?\b")
_EXAMPLE_LINE = re.compile(r"(?m)^[ \t]{0,40}(?:>>>|\.\.\.)[^\n]*$")
_ENTRY_POINT = "solve"
"""Name given to a function that the statement never names."""


@dataclass(slots=True)
class Reading:
    """A statement as it was understood."""

    problem: Problem
    form: str = ""
    """In which form the examples stood; empty where none was read."""
    notes: list[str] = field(default_factory=list)
    """What was seen and not understood, or cannot be judged, one line each."""


def parse_statement(text: str, *, id: str) -> Problem:  # noqa: A002 - the record's own word
    """The problem of `read_statement`."""
    return read_statement(text, id=id).problem


def mentions_stdin(text: str) -> bool:
    """Whether the statement says in words that the program reads standard input."""
    return _STANDARD_INPUT.search(text) is not None


def read_statement(text: str, *, id: str) -> Reading:  # noqa: A002 - the record's own word
    """The problem that a statement in text or Markdown describes. Never raises.

    Recognised as a function: a signature (`def f(...)`, a class), doctest or asserts, "a function f(a, b)",
    or LeetCode's `Input: a = 1` / `Output: 2` (then named `solve` where nothing names it). All else is a
    program on standard input. Public tests are the statement's own examples; none found is an empty tuple.
    Limits, tolerance and the like are those that the statement tells. Nothing of the text is ever run.
    """
    text = clean_text(text)
    design = None if mentions_stdin(text) else read_design(text, id=id)
    reading = Reading(design, "lists of calls") if design else _read_kind(text, id)
    return _add_facts(reading, text)


def _read_kind(text: str, id: str) -> Reading:  # noqa: A002
    sections = split_sections(text)
    found = find_samples(sections, text)
    bare = {section.role for section in sections if not section.inline}
    named = any(item.named and item.role == "input" and not item.inline for item in sections)
    asks_stdin = mentions_stdin(text) or (named and bool(found.samples or found.faults))
    signature = find_signature(text)
    if signature and not asks_stdin:
        return _function(text, id, *signature, found)
    if not asks_stdin:
        tests, names = find_named_examples(text, None)
        if tests and any(names):
            mentioned = find_mention(text)
            call = Call(mentioned.name if mentioned else _ENTRY_POINT, names)
            return _function(text, id, call, write_stub(call), found)
    if asks_stdin or {"input", "output"} <= bare:
        return _program(text, id, found)
    mention = find_mention(text)
    if mention:
        return _function(text, id, mention, write_stub(mention), found)
    if not found.samples and asks_for_function(text):
        reading = _function(text, id, Call(_ENTRY_POINT), "", found)
        reading.notes.insert(
            0, f"a function without a name is asked for: it is to be called `{_ENTRY_POINT}`"
        )
        return reading
    return _program(text, id, found)


def _program(text: str, id: str, found: Found) -> Reading:  # noqa: A002
    if not found.samples:
        loose = find_loose_samples(text)
        found = Found(loose.samples, loose.form, [*found.faults, *loose.faults])
    tests = tuple(dict.fromkeys(Test(given, expected) for given, expected in found.samples))
    return Reading(Problem(id, text, Kind.STDIN, public_tests=tests), found.form, _once(found.faults))


def _function(text: str, id: str, call: Call, starter: str, found: Found) -> Reading:  # noqa: A002
    prints = call.returns in ("", "None") and _PRINTS.search(_EXAMPLE_LINE.sub("", text)) is not None
    short = Call(call.name.rpartition(".")[2], call.parameters, call.returns, prints=prints)
    read = find_calls(text, short, starter)
    tests, form = read.tests, "calls"
    if not tests:
        tests, form = find_named_examples(text, call)[0], "arguments by name"
    if not tests:
        tests, form = list(_read_values(found, call)), f"values in {found.form}"
    if any(test.program for test in tests):
        form = "doctests and asserts" if any(test.program is None for test in tests) else "assertions"
    problem = Problem(id, text, Kind.FUNCTION, call.name, starter, tuple(dict.fromkeys(tests)))
    problem, faults = adapt_statement(problem)
    return Reading(problem, form if problem.public_tests else "", _once([*read.faults, *faults]))


def _read_values(found: Found, call: Call) -> Iterator[Test]:
    """The samples whose texts are the arguments and the result of `call`, as in a table of values."""
    for given, expected in found.samples:
        with suppress(ValueError):
            arguments = read_value(f"[{given.strip()}]")
            if isinstance(arguments, list) and len(arguments) == max(1, len(call.parameters)):
                yield encode_test(arguments, read_value(expected))


def _once(faults: list[str]) -> list[str]:
    return [f"not understood: {fault}" for fault in dict.fromkeys(faults)]


def _add_facts(reading: Reading, text: str) -> Reading:
    """`reading` with the limits and the checker that the statement tells."""
    problem = reading.problem
    facts = find_facts(text, problem.kind, problem.public_tests)
    time_s, memory_mb = problem.time_limit_s, problem.memory_limit_mb
    if facts.time_s is not None:
        time_s = max(facts.time_s, LEAST_TIME_S)
    if facts.memory_mb is not None:
        memory_mb = max(facts.memory_mb, LEAST_MEMORY_MB)
    if (facts.time_s, facts.memory_mb) != (None, None):
        raised = [f"{facts.time_s:g} s" for _ in "s" if facts.time_s is not None and facts.time_s < time_s]
        raised += [f"{facts.memory_mb} MB" for _ in "m" if facts.memory_mb and facts.memory_mb < memory_mb]
        lower = f"; the statement's {' and '.join(raised)} is too little for Python" if raised else ""
        reading.notes.append(f"limits: {time_s:g} s, {memory_mb} MB{lower}")
    if facts.checker != "exact":
        reading.notes.append(f"outputs are compared by `{facts.checker}`")
    if facts.several_answers:
        reading.notes.append(
            "several answers are right, and no checker is known: another output may be right too"
        )
    if facts.interactive:
        reading.notes.append(
            "an interactive problem: its examples are talks with a judge, and no test is made of them"
        )
        reading.form = ""
    if facts.files and problem.kind is Kind.STDIN:
        reading.notes.append(
            f"the statement names files ({', '.join(facts.files[:3])}): here standard input is read"
        )
    entry = problem.entry_point or ""
    if entry[:1].isupper() and "." not in entry and not problem.public_tests:
        reading.notes.append("not understood: the examples of a class")
    reading.problem = replace(
        problem,
        public_tests=() if facts.interactive else problem.public_tests,
        time_limit_s=time_s,
        memory_limit_mb=memory_mb,
        checker=facts.checker,
        several_answers=facts.several_answers,
    )
    return reading
