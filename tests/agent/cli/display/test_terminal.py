"""What a terminal gets: colours, whole words, tables as wide as it is. Everything else gets plain text."""

from __future__ import annotations

import io
import re
import sys

import pytest

from sstar_code.agent.cli.display.lines import fold, show_diff, show_finding, wrap
from sstar_code.agent.cli.display.markdown import put_markdown
from sstar_code.agent.cli.display.table import put_table
from sstar_code.agent.cli.display.terminal import has_colours, paint

COLUMNS = ("set", "size", "from", "revision")
ROWS = [["lcb", "12", "hub: somewhere", "0fe84c39"], ["mine", "-", "a [file]\x1b", "-"]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch, capsys):
    """Called in a test, makes stdout a terminal of `COLUMNS` columns; gives a reader of what it shows."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")

    def start():
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        return lambda: capsys.readouterr().out

    return start


@pytest.mark.parametrize(
    ("variables", "is_terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_who_gets_colours(monkeypatch, variables, is_terminal, expected):
    """The three variables have the meaning that they have everywhere."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if is_terminal else io.StringIO()
    assert has_colours(stream) is expected
    assert paint("a\n\nb", "31", stream) == ("\x1b[31ma\x1b[0m\n\n\x1b[31mb\x1b[0m" if expected else "a\n\nb")


def test_no_word_is_torn():
    """Flags, paths and commands between backquotes stay whole; what does not fit at all stays as it is."""
    text = "see `sstar fix --help` or --no-model-check of /a/very/long/path/that/has/no/blank"
    lines = wrap(text, 24, indent="  ")
    assert " ".join(line.strip() for line in lines) == text
    assert lines[:2] == ["see `sstar fix --help`", "  or --no-model-check of"]


def test_lines_are_folded_for_a_terminal_alone(terminal):
    """A log or a pipe gets each message in one line, and aligned text is left as it is."""
    terminal()
    line = "sstar: a message that is longer than forty columns are"
    assert fold(line, io.StringIO()) == line
    assert fold(line, sys.stdout) == "sstar: a message that is longer than\n  forty columns are"
    aligned = "a  b  c" * 10
    assert fold(aligned, sys.stdout) == aligned


def test_table_in_a_pipe_is_aligned_text(capsys):
    """Every column is there, without colours, and controls are shown, not sent."""
    put_table(COLUMNS, ROWS, right=("size",), spare="revision")
    assert capsys.readouterr().out == (
        "set   size  from            revision\n"
        "lcb   12    hub: somewhere  0fe84c39\n"
        "mine  -     a [file]\\x1b    -\n"
    )


def test_table_fits_the_terminal(terminal, monkeypatch):
    """First whole, then without the spare column, then as blocks: no line is broken by the terminal."""
    look = terminal()
    put_table(COLUMNS, ROWS, right=("size",), spare="revision")
    whole = look()
    assert "0fe84c39" in whole
    assert "  12  " in whole
    monkeypatch.setenv("COLUMNS", "30")
    put_table(COLUMNS, ROWS, right=("size",), spare="revision")
    narrow = look()
    assert "hub: somewhere" in narrow
    assert "0fe84c39" not in narrow
    monkeypatch.setenv("COLUMNS", "24")
    put_table(COLUMNS, ROWS, right=("size",), spare="revision")
    assert look() == (
        "\x1b[1mlcb\x1b[0m\n  size 12,\n    from hub: somewhere,\n    revision 0fe84c39\n"
        "\x1b[1mmine\x1b[0m\n  from a [file]\\x1b\n"
    )


def test_finding_has_its_place_in_colour(terminal):
    """Place, name and what is wrong are told apart; text that is no finding is left alone."""
    terminal()
    line = "a.py:4: f: left open (...)"
    assert show_finding(line) == "\x1b[36ma.py:4\x1b[0m: \x1b[1mf\x1b[0m: \x1b[33mleft open \x1b[0m(...)"
    assert show_finding("nothing here") == "nothing here"


def test_diff_in_colour(terminal):
    """Lines that come and go are told apart, and without the colours it is the same diff."""
    terminal()
    diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n same\n"
    shown = show_diff(diff)
    assert "\x1b[31m-old\x1b[0m\n\x1b[32m+new\x1b[0m\n same\n" in shown
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[36m"):
        shown = shown.replace(code, "")
    assert shown == diff


REPORT = """# a \\_title\\_

- one &lt;line&gt;

| rate | set | problems |
|---|---:|---:|
| one sample | 33.3% (18.0 to 53.3) | 24 |
| **best** | - | 1,024 |
"""
WHOLE = """\
rate                         set  problems
one sample  33.3% (18.0 to 53.3)        24
best                           -     1,024
"""
TURNED = """\
rate                one sample   best
set       33.3% (18.0 to 53.3)      -
problems                    24  1,024
"""


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (50, WHOLE),
        (41, TURNED),
        (30, "one sample\n  set 33.3% (18.0 to 53.3),\n  problems 24\nbest\n  problems 1,024\n"),
    ],
)
def test_no_cell_of_a_report_is_torn(terminal, monkeypatch, columns, expected):
    """A table that is too wide is turned, and then has a block a row; names are shown as they are."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    look = terminal()
    put_markdown(REPORT)
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in look().splitlines()]
    assert lines[:4] == ["a _title_", "", " • one <line>", ""]
    assert "\n".join(lines[4:]) + "\n" == expected


def test_a_block_is_broken_between_its_cells(terminal, monkeypatch):
    """A date or a name of two words stays in one line where it fits into one."""
    monkeypatch.setenv("COLUMNS", "30")
    look = terminal()
    put_table(
        ("run", "command", "changed"), [["a" * 20, "eval of sets", "2026-11-30 12:39"], ["b", "x  y", "-"]]
    )
    assert look().splitlines()[1:3] == ["  command eval of sets,", "    changed 2026-11-30 12:39"]
