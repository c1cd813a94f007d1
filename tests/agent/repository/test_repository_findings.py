"""The forms that CI reads."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import junitparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.repository.find.doctests import (
    explain_malformed,
    find_examples,
    judge_example,
    judge_examples,
    read_test,
)
from sstar_code.agent.repository.findings import (
    FORMATS,
    RULES,
    Finding,
    write_github,
    write_junit,
    write_markdown,
    write_sarif,
)
from sstar_code.agent.repository.write.changes import replace_file
from sstar_code.problems import InfrastructureError

FINDINGS = [
    Finding("open-function", "failure", "src/a b.py", 3, "A.f", "left open, 50%: \n::error::x | `y` <b>"),
    Finding("infrastructure", "error", "a.py", 1, "g", "no answer \x00\x1b"),
    Finding("budget-spent", "skipped", "a.py", 9, "h", "spent"),
    Finding("function-written", "passed", "a.py", 12, "i", "written"),
]


def test_sarif_follows_the_standard():
    """What the standard requires of a log, run, rule and result is there; the written functions are not."""
    log = json.loads(write_sarif(FINDINGS))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "sstar"
    assert [rule["id"] for rule in driver["rules"]] == ["budget-spent", "infrastructure", "open-function"]
    assert len(run["results"]) == 3
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert not place["artifactLocation"]["uri"].startswith("/")
        assert " " not in place["artifactLocation"]["uri"]
        assert place["region"]["startLine"] >= 1
        assert result["partialFingerprints"]


def test_junit_is_read_back():
    """A parser of JUnit's XML finds each case with its outcome."""
    parsed = junitparser.JUnitXml.fromstring(write_junit(FINDINGS).encode())
    (suite,) = parsed
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (4, 1, 1, 1)
    kinds = [[type(item).__name__ for item in case.result] for case in suite]
    assert kinds == [["Failure"], ["Error"], ["Skipped"], []]


def test_annotations_stay_one_line_each():
    """Nothing of a message can begin another command."""
    lines = write_github(FINDINGS).splitlines()
    assert len(lines) == len(FINDINGS)
    assert lines[0].startswith(
        "::error file=src/a b.py,line=3,title=sstar%3A A.f::left open, 50%25: %0A::error"
    )
    assert lines[2].startswith("::warning ")


def test_a_summary_stays_a_table():
    """Bars, ticks and markup of a message do not break it, and it stays within GitHub's limit."""
    text = write_markdown(FINDINGS)
    assert "\\| 'y' &lt;b>" in text
    assert len(write_markdown(FINDINGS * 10_000).encode()) < 1 << 20


@given(
    st.lists(
        st.builds(
            Finding,
            st.sampled_from(sorted(RULES)),
            st.sampled_from(["failure", "error", "skipped", "passed"]),
            st.text(),
            st.integers(1, 9),
            st.text(),
            st.text(),
        )
    )
)
def test_every_form_takes_every_text(findings):
    """No text of a file breaks a form."""
    for write in FORMATS.values():
        write(findings)
    ET.fromstring(write_junit(findings))
    json.loads(FORMATS["json"](findings))


def test_fingerprints_outlive_a_move():
    """A function that moves in its file is the same alert."""
    moved = Finding("open-function", "failure", "src/a b.py", 30, "A.f", "other words")
    assert moved.fingerprint == FINDINGS[0].fingerprint
    assert FINDINGS[1].fingerprint != FINDINGS[0].fingerprint


@pytest.mark.parametrize(
    ("text", "got", "raised", "passes"),
    [
        (">>> f()\n1", "1\n", "", True),
        (">>> f()\n1", "2\n", "", False),
        (">>> f()  # doctest: +ELLIPSIS\n[1...]", "[1, 2]\n", "", True),
        (">>> f()\nTraceback (most recent call last):\n...\nValueError: x", "", "ValueError: x", True),
        (">>> f()\nTraceback (most recent call last):\n...\nValueError: x", "", "ValueError: y", False),
        (">>> f()\nTraceback (most recent call last):\n...\nValueError: x", "1\n", "", False),
        (">>> f()", "", "ValueError: y", False),
        (">>> f()", "", "", True),
    ],
)
def test_examples_are_judged_as_doctest_does(text, got, raised, passes):
    """Output, exceptions and options count as in the standard library."""
    (example,) = find_examples(text)
    assert (judge_example(example, got, raised) == "") is passes


def test_the_first_example_that_does_not_hold_is_told():
    """None where they did not all run, nothing where all hold; details of exceptions may be ignored."""
    examples = find_examples(">>> f()\n1\n>>> g()  # doctest: +SKIP\n2\n>>> h()\n3\n")
    assert [item.source for item in examples] == ["f()\n", "h()\n"]
    assert judge_examples(examples, [["1\n", ""], ["3\n", ""]]) == ""
    assert judge_examples(examples, [["1\n", ""], ["4\n", ""]]) == ">>> h() : expected 3, got 4"
    assert judge_examples(examples, [["1\n", ""]]) is None
    assert judge_examples(examples, None) is None
    head = ">>> f()  # doctest: +IGNORE_EXCEPTION_DETAIL\nTraceback (most recent call last):\n...\n"
    (ignoring,) = find_examples(f"{head}a.b.E: x")
    assert judge_example(ignoring, "", "c.E: y") == ""
    assert judge_example(ignoring, "", "F: x") == "raised F: x, expected a.b.E: x"
    assert find_examples(">>>f()") == []
    assert "line 1" in explain_malformed(">>>f()")


def test_plain_calls_become_inputs_and_outputs():
    """One call with literals and a literal in its own spelling; everything else runs as it is written."""
    examples = find_examples(">>> f(1, [2])\n3\n>>> f(x)\n3\n>>> f(1)\n03.50\n>>> f(1)\n'a'\n>>> g(1)\n2\n")
    tests = [read_test(example, "f") for example in examples]
    assert [test is not None for test in tests] == [True, False, False, True, False]
    assert (tests[0].input, tests[0].output) == ("1\n[2]", "3")
    raising, optional, silent, keyword = find_examples(
        ">>> f(1)\nTraceback (most recent call last):\n...\nE: x\n>>> f(1)  # doctest: +ELLIPSIS\n2\n"
        ">>> f(1)\n>>> f(x=1)\n2\n"
    )
    assert [read_test(item, "f") for item in (raising, optional, silent, keyword)] == [None] * 4


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    """Whatever fails while writing, the old file is there and no other."""
    path = tmp_path / "a.py"
    path.write_text("old")
    for name in ("fsync", "fchmod"):
        with monkeypatch.context() as patch:
            patch.setattr(f"os.{name}", _refuse)
            with pytest.raises(InfrastructureError, match="old file is untouched"):
                replace_file(path, b"new")
        assert path.read_text() == "old"
        assert [item.name for item in tmp_path.iterdir()] == ["a.py"]


def _refuse(*_):
    raise OSError(28, "No space left on device")


def test_mode_and_link_are_kept(tmp_path):
    """A file keeps its mode; a link still leads to it."""
    path = tmp_path / "a.py"
    path.write_text("old")
    path.chmod(0o751)
    replace_file(path, b"new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o751
