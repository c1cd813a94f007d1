"""Doctests of a repository mean what its pytest settings make of them."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.repository.find.doctest_settings import read_flags, same_number_text
from sstar_code.agent.repository.find.doctests import (
    explain_malformed,
    find_examples,
    judge_example,
    read_test,
)

INI = "[pytest]\ndoctest_optionflags = ELLIPSIS NUMBER\n"
TOML = '[tool.pytest.ini_options]\ndoctest_optionflags = ["ELLIPSIS", "NUMBER"]\n'
SETTINGS = [
    ({"pytest.ini": INI}, True),
    ({".pytest.ini": INI}, True),
    ({"tox.ini": INI}, True),
    ({"setup.cfg": INI.replace("pytest]", "tool:pytest]")}, True),
    ({"pyproject.toml": TOML}, True),
    ({"pyproject.toml": TOML.replace('["ELLIPSIS", "NUMBER"]', '"ELLIPSIS NUMBER UNKNOWN"')}, True),
    ({"setup.cfg": INI}, False),
    ({"pytest.ini": "", "tox.ini": INI}, False),
    ({"pyproject.toml": "[project]\nname = 'x'\n", "tox.ini": INI}, True),
    ({"pyproject.toml": "[tool", "tox.ini": "no section"}, False),
]


@pytest.mark.parametrize(("files", "found"), SETTINGS, ids=[" ".join(files) for files, _ in SETTINGS])
def test_flags_come_from_the_file_that_pytest_takes(tmp_path, files, found):
    """The first file that has settings counts; unknown names and files that do not parse are left out."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert read_flags(tmp_path / "a.py", tmp_path) == (("ELLIPSIS", "NUMBER") if found else ())


ERROR = ">>> f()\nTraceback (most recent call last):\n...\nValueError: x"


@pytest.mark.parametrize(
    ("text", "flags", "got", "passes"),
    [
        (">>> f()\n'a...b'", ["ELLIPSIS"], "'a-----b'\n", True),
        (">>> f()  # doctest: -ELLIPSIS\n'a...b'", ["ELLIPSIS"], "'a-b'\n", False),
        (">>> f()\n[1,\n 2]", ["NORMALIZE_WHITESPACE"], "[1, 2]\n", True),
        (">>> f()\n0.33", ["NUMBER"], "0.3333333\n", True),
        (">>> f()\n0.33", ["NUMBER"], "0.36\n", False),
        (">>> f()\n[0.3, 2]", ["NUMBER"], "[0.30000000000000004, 2]\n", True),
        (">>> f()\n[0.3, 2]", ["NUMBER"], "[0.3, 3]\n", False),
        (">>> f()\n1.5e3", ["NUMBER"], "1512.0\n", True),
        (">>> f()\n3", ["NUMBER"], "3.0\n", False),
        (">>> f()\n'a 0.50'", ["NUMBER", "ELLIPSIS"], "'a 0.503'\n", True),
        (">>> f()  # doctest: +NUMBER\n0.33", [], "0.3333333\n", True),
        (">>> f()\nu'a'", ["ALLOW_UNICODE"], "'a'\n", True),
        (">>> f()\nb'a'", ["ALLOW_BYTES"], "'a'\n", True),
        (ERROR, ["IGNORE_EXCEPTION_DETAIL"], "", True),
        (ERROR, [], "", False),
    ],
)
def test_flags_hold_for_all_examples(text, flags, got, passes):
    """Each flag means what it means to doctest or pytest; an example may say otherwise."""
    assert explain_malformed(text) == ""
    (example,) = find_examples(text, flags)
    assert (judge_example(example, got, "ValueError: y" if example.exc_msg else "") == "") is passes


@given(st.text("0123456789.eE+- [a'", max_size=20), st.text("0123456789.eE+- [a'", max_size=20))
def test_numbers_of_any_text_are_compared(want, got):
    """No text makes the comparison raise, and equal texts stay equal."""
    assert isinstance(same_number_text(want, got), str)
    assert same_number_text(got, got) == got


def test_plain_values_stay_inputs_and_outputs_where_flags_change_nothing():
    """A number is compared by value; what a flag compares in another way is left to doctest's rules."""
    flags = ["ELLIPSIS", "NORMALIZE_WHITESPACE"]
    whole, text = find_examples(">>> f(1)\n[2, 3]\n>>> f(2)\n'a b'\n", flags)
    assert read_test(whole, "f") is not None
    assert read_test(text, "f") is None
    (rounded,) = find_examples(">>> f(1)\n0.5\n", ["NUMBER"])
    assert read_test(rounded, "f") is None


MODULE = '''def f(x):
    """
    >>> f(origin)
    'hello-...-again'
    >>> other
    7
    """
    return f"hello-{x}-again"
'''
CONFTEST = """import pytest


@pytest.fixture(autouse=True)
def names(doctest_namespace):
    doctest_namespace["origin"] = 5


@pytest.fixture(autouse=True)
def more(doctest_namespace):
    doctest_namespace["other"] = doctest_namespace["origin"] + 2
    yield


@pytest.fixture
def unused(doctest_namespace):
    doctest_namespace["other"] = 0
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "a.py"


@pytest.mark.usefixtures("sandbox_local")
def test_check_and_fix_take_flags_and_names_from_the_settings(module, fix):
    """What pytest accepts is no finding, and the right body is written."""
    (module.parent / "pytest.ini").write_text("[pytest]\ndoctest_optionflags = ELLIPSIS\n")
    (module.parent / "conftest.py").write_text(CONFTEST)
    module.write_text(MODULE)
    words = ("--sandbox", "local", "--python", sys.executable, "a.py")
    ended = fix({}, "--examples", *words, command="check")
    assert (ended.code, ended.out) == (0, "")
    module.write_text(MODULE.replace("7", "8"))
    ended = fix({}, "--examples", *words, command="check")
    assert ended.out == "a.py:1: f: >>> other : expected 8, got 7\n"
    body = 'return f"hello-{x}-again"'
    module.write_text(MODULE.replace(body, "raise NotImplementedError"))
    wrong = "def f(x):\n    return 'good-bye'\n"
    answers = {"f": [wrong, f"def f(x):\n    {body}\n"]}
    ended = fix(answers, "--write", "--n", "2", "--rounds", "0", *words)
    assert body in module.read_text(), ended.err
