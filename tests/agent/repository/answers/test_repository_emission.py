"""Tests that are kept hold values and names of the source, never text that a candidate made."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.repository.find.places import Place
from sstar_code.agent.repository.find.project_files import parse_source
from sstar_code.agent.repository.find.stubs import find_function
from sstar_code.agent.repository.fix import Person
from sstar_code.agent.repository.task.call import find_target
from sstar_code.agent.repository.task.checks import Checks
from sstar_code.agent.repository.task.problem import make_task
from sstar_code.agent.repository.verify.candidate_sandbox import CandidateSandbox
from sstar_code.agent.repository.write.emit_tests import render_tests
from sstar_code.problems.values import encode, encode_lines
from sstar_code.sandbox.outcome import Limits, Mode, Program
from sstar_code.selection.protocols import Candidate, Derived, Distinguishing, Selection
from tests.problems.test_plain_text import commands

SOURCE = parse_source(
    Path("/r/m.py"),
    b"class OwnError(ValueError): pass\nclass Below(OwnError): pass\nclass NoError: pass\n"
    b"class Foreign(thing.Error): pass\n\n\ndef f(a):\n    raise NotImplementedError\n",
)
STUB = find_function(SOURCE, "f")
EVIL = "__import__('os').system('id > PWNED') or ZeroDivisionError"


def emit(output, module="m", why="x"):
    target = find_target(STUB, Place(module, Path("/r")), "ValueError")
    return render_tests([(target, [Derived(encode_lines([1]), output, 1.0, why)])])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ZeroDivisionError", "ZeroDivisionError"), ("OwnError", "m.OwnError"), ("Below", "m.Below"),
        (EVIL, None), ("NoError", None), ("Foreign", None), ("print", None), ("f", None), ("", None),
        ("OwnError, Exception", None), ("ValueError)\n    x", None), ({"a": 1}, None), (1, None), ([], None),
    ],
)  # fmt: skip
def test_only_known_exceptions_are_named(name, shown):
    """One of Python's, or a class of the module that its source shows to be an exception."""
    text, count = emit(encode({"raised": name}))
    assert count == (shown is not None)
    assert shown is None or f"    with pytest.raises({shown}):\n        f(1)\n" in text
    assert "PWNED" not in text


@pytest.mark.parametrize(
    "value", [{"raised": EVIL}, {"raised": "ValueError"}, {"yields": [1]}, {"returned": {"printed": "a"}}]
)
def test_returned_value_that_looks_like_another_behaviour(value):
    """It is compared as the value that it is."""
    text, count = emit(encode({"returned": value}))
    assert count == 1
    assert f"    assert f(1) == {value!r}\n" in text


@pytest.mark.parametrize("module", ["a;import os", "a b", "class", "a.1", "a\nimport os", ""])
def test_module_of_a_hostile_file_name(module):
    """A file can be named like code; nothing is written for it."""
    assert emit("1", module) == ("", 0)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=6,
)


@given(PLAIN, st.text())
def test_nothing_but_calls_and_literals(value, why):
    """Whatever candidates give and notes say, the file holds imports, functions, and our own calls."""
    text, count = emit(encode({"returned": value}), why=why)
    tree = ast.parse(text)
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert count <= 1
    assert called <= {"f", "float", "set", "frozenset"}
    others = [node for node in tree.body if ast.unparse(node) != "DERIVED_BY_SSTAR = True"]
    assert {type(node) for node in others} <= {ast.ImportFrom, ast.FunctionDef}


class Runner:
    """Answers as the repository's sandbox would."""

    def __init__(self, answers):
        self.answers = answers

    async def ask(self, *_):
        return self.answers


@pytest.mark.anyio
async def test_behaviours_are_told_from_outside():
    """What came back is a behaviour where the sandbox says so beside the value, and else a value."""
    task = make_task(STUB, Checks(), Path("/r"), "x")
    raised = encode({"raised": EVIL})
    answers = [
        {"status": "OK", "result": raised},
        {"status": "OK", "result": raised, "is_behaviour": True},
        {"status": "OK", "result": ' {"\\u0072aised" : "ValueError"}'},
        {"status": "OK", "result": encode({"raised": 1, "other": 2})},
        {"status": "OK", "result": "{"},
    ]
    sandbox = CandidateSandbox(Runner(answers), fallback=type("Fake", (), {"name": "fake"})())
    sandbox.add(task)
    program = Program("def f(a):\n    return 1\n", Mode.CALL, "f", task.mark)
    runs = await sandbox.run(program, [encode(number) for number in range(5)], Limits())
    assert [run.result for run in runs] == [
        f'{{"returned": {raised}}}',
        raised,
        '{"returned":  {"\\u0072aised" : "ValueError"}}',
        encode({"raised": 1, "other": 2}),
        "{",
    ]


@pytest.mark.anyio
async def test_question_to_a_person_commands_nothing():
    """Outputs and names of exceptions are shown escaped."""
    hostile = "\x1b[2J\u202e\n::error::"
    outputs = {"0": encode({"raised": hostile}), "1": f"<{hostile}>", "2": encode(hostile)}
    choice = Selection("m", 0, 0.5, ((0,), (1,), (2,)), (Distinguishing(encode_lines([hostile]), outputs),))
    asked = []
    person = Person(lambda question: asked.append(question) or "")
    task = make_task(STUB, Checks(), Path("/r"), "x")
    await person.settle(task, [Candidate("a", 1, 1)] * 3, choice)
    assert len(asked[0].split("\n")) == 5
    assert commands(asked[0]) == []
