"""What other packages bring is used when it is asked for, and their faults are told as theirs."""

from __future__ import annotations

import json
import sys

import pytest

from sstar_code.problems import InfrastructureError, Kind, Problem, UserError, load_set
from sstar_code.problems.checkers import accepts, find_package, validate_checker
from sstar_code.problems.plugins import list_plugins

MODULE = """\
import sys
from sstar_code.problems import UserError

def shorter(expected, got, argument):
    return len(got) < len(expected) + int(argument or 0)

def same_type(expected, got, argument):
    return type(expected) is type(got)

def parse(expected, got, argument):
    return int(got) == int(expected)

def fail(expected, got, argument):
    raise KeyError("no\\nluck")

def say(expected, got, argument):
    raise UserError("install what it needs")

def forget(expected, got, argument):
    pass

number = 3
"""
POINTS = """\
[sstar_code.checkers]
shorter = checkers_of_a_test:shorter
same-type = checkers_of_a_test:same_type
parse = checkers_of_a_test:parse
failing = checkers_of_a_test:fail
saying = checkers_of_a_test:say
forgetful = checkers_of_a_test:forget
number = checkers_of_a_test:number
gone = checkers_of_a_test:gone
exact = checkers_of_a_test:fail
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a distribution of the checkers as pip leaves it, in the version that is given."""

    def put(version):
        folder = tmp_path / version
        info = folder / f"my_checkers-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: my-checkers\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(POINTS)
        (folder / "checkers_of_a_test.py").write_text(MODULE)
        monkeypatch.syspath_prepend(str(folder))

    yield put
    sys.modules.pop("checkers_of_a_test", None)


@pytest.mark.parametrize(
    ("checker", "kind", "texts", "right"),
    [
        ("shorter", Kind.STDIN, ("abc", "ab"), True),
        ("shorter", Kind.STDIN, ("abc", "abd"), False),
        ("shorter:1", Kind.STDIN, ("abc", "abd"), True),
        ("shorter:", Kind.STDIN, ("abc", "abd"), False),
        ("same-type", Kind.FUNCTION, ('{"$tuple": []}', '{"$tuple": [1]}'), True),
        ("same-type", Kind.FUNCTION, ('{"$tuple": []}', "[1]"), False),
        ("same-type", Kind.FUNCTION, ("1", "no value"), False),
        ("parse", Kind.STDIN, ("1", " 01 "), True),
        ("parse", Kind.STDIN, ("1", "one"), False),
        ("failing", Kind.STDIN, ("1", "1"), True),
        ("failing", Kind.STDIN, ("1", "1" * 100_000), False),
    ],
)
def test_an_installed_checker_decides(install, checker, kind, texts, right):
    """It sees texts or values and what stands behind the colon; equal and far too long texts it does not."""
    install("1.2")
    validate_checker(checker, kind)
    assert accepts(checker, kind, *texts) is right


@pytest.mark.parametrize(
    ("checker", "message"),
    [
        (
            "failing",
            "checker 'failing' of my-checkers 1.2: KeyError: 'no\\\\nluck'; that package is at fault",
        ),
        ("forgetful", "checker 'forgetful' of my-checkers 1.2: TypeError: answers None where True or False"),
        ("number", "TypeError: a int where a callable is expected; that package is at fault"),
        ("gone", "AttributeError: module 'checkers_of_a_test' has no attribute 'gone'"),
        ("saying", "^install what it needs$"),
    ],
)
def test_a_broken_checker_is_one_line_and_no_verdict(install, checker, message):
    """The package is named, or speaks for itself; the candidate is not called wrong for it."""
    install("1.2")
    with pytest.raises(UserError, match=message) as caught:
        accepts(checker, Kind.STDIN, "1", "2")
    assert "\n" not in str(caught.value)


def test_nothing_is_imported_before_it_is_asked(install):
    """A name is known from the package's metadata: to check it runs no code of the package."""
    install("1.2")
    validate_checker("failing")
    assert find_package("failing:x") == "my-checkers 1.2"
    assert "checkers_of_a_test" not in sys.modules


def test_our_own_names_stay_ours(install):
    """A package cannot take over `exact`."""
    install("1.2")
    assert find_package("exact") is None
    assert not accepts("exact", Kind.STDIN, "1", "2")
    with pytest.raises(ValueError, match="apps, shorter, same-type, parse"):
        validate_checker("exakt")


def test_the_revision_of_a_set_names_the_package_of_its_checkers(install, tmp_path):
    """A run goes on only with the checkers it began with; sets without such a checker keep their revision."""
    row = {"id": "p", "statement": "s", "kind": "stdin", "hidden_tests": [{"input": "", "output": "1"}]}
    (own := tmp_path / "own.jsonl").write_text(json.dumps(row))
    (theirs := tmp_path / "theirs.jsonl").write_text(json.dumps(row | {"checker": "shorter"}))
    install("1.2")
    before = [load_set(f"jsonl:{path}").revision for path in (own, theirs)]
    assert before == [load_set(f"jsonl:{path}").revision for path in (own, theirs)]
    install("1.3")
    after = [load_set(f"jsonl:{path}").revision for path in (own, theirs)]
    assert (before[0] == after[0], before[1] == after[1], len(after[1])) == (True, False, 16)


def test_the_error_is_of_the_kind_that_is_asked_for(install):
    """A fault while work is under way can be told as one of the infrastructure."""
    install("1.2")
    plugin = list_plugins("checker", "sstar_code.checkers")["shorter"]
    with (
        pytest.raises(InfrastructureError, match="RuntimeError: ; that package"),
        plugin.blamed(InfrastructureError),
    ):
        raise RuntimeError
    assert Problem("p", "s", "stdin", checker="shorter").checker == "shorter"
