"""Text of others, printed."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems.plain_text import dump_json, escape_controls, escape_line, escape_text

HOSTILE = st.text(
    st.one_of(st.characters(), st.sampled_from("\x1b\x07\x9b\x85\r\n\t\u2028\u202e\u2066\ufeff\udc80:#[v"))
)
COMMAND = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)


def commands(text, kept="\n\t"):
    """The characters and lines of `text` that a terminal or a runner of CI obeys."""
    letters = {c for c in text if c not in kept and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return [*letters, *COMMAND.findall(text)]


@given(HOSTILE)
def test_nothing_commands(text):
    """No control character, no character that turns text around, no line that looks like a command."""
    assert commands(escape_text(text)) == []
    assert commands(escape_line(text), kept="") == []
    assert commands(dump_json([text, {text: text}]), kept="") == []
    assert escape_line(escape_line(text)) == escape_line(text)
    assert all(part.isprintable() or not commands(part) for part in escape_controls(text).split())


@given(HOSTILE)
def test_json_says_the_same(text):
    """What is escaped in JSON is read back as it was."""
    assert json.loads(dump_json([text])) == [text]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain: é 漢 🙂 a\u00a0b", "plain: é 漢 🙂 a\u00a0b"),
        ("tests/test_a.py::test_b", "tests/test_a.py::test_b"),
        ("\x1b]52;c;x\x07", r"\x1b]52;c;x\x07"),
        ("a\u202eb", r"a\u202eb"),
        ("  ::set-output::", r"  \x3a:set-output::"),
        ("a\r::error::b", r"a\r::error::b"),
        ("x ##vso[task]", r"x #\x23vso[task]"),
        ("## heading", "## heading"),
    ],
)
def test_what_is_shown(text, shown):
    """Ordinary text stays; the rest is written as Python would."""
    assert escape_text(text) == shown


def test_a_line_is_one():
    """Line ends and tabs are seen."""
    assert escape_line("a\nb\tc") == r"a\nb\tc"
