"""Progress tells what is done and how long the rest takes, in lines that can be read without a terminal."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from sstar_code.agent.telemetry import progress
from sstar_code.agent.telemetry.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on only when it is told to: `clock.now_s`."""

    class Clock:
        now_s = 1000.0

        def monotonic(self):
            return self.now_s

    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_a_line_at_the_start_and_one_at_the_end(clock, capsys):
    """Counts by outcome, details, time gone and time left; what an earlier start finished took no time."""
    with Progress("eval", 10, details=lambda: "5 calls") as shown:
        assert capsys.readouterr().err == "eval 0/10\n"
        for _ in range(2):
            shown.keep("solved")
        shown.advance("unsolved")
        shown.advance("solved")
        shown.advance("solved")
        clock.now_s += 60
        shown.say("a word")
        assert capsys.readouterr().err == "a word\n"
        assert shown.done == 5
    assert capsys.readouterr().err == "eval 5/10 | solved 4 unsolved 1 | 5 calls | 1:00 | 1:40 left\n"


def test_lines_come_while_nothing_is_finished(clock, capsys, monkeypatch):
    """Whoever reads a log sees that it goes on, also while the first item takes long."""
    told = threading.Event()
    lines = []

    def details():
        lines.append("asked")
        if len(lines) >= 3:
            told.set()
        return "5 calls"

    monkeypatch.setattr(progress, "_PLAIN_EVERY_S", 0.001)
    with Progress("eval", 2, details=details):
        assert told.wait(180)
    seen = capsys.readouterr().err.splitlines()
    assert seen[0] == "eval 0/2"
    assert set(seen[1:]) == {"eval 0/2 | 5 calls | 0:00"}
    assert len(seen) == len(lines) + 1


def test_at_the_end_nothing_is_left(clock, capsys):
    """The last line has no time left; hours are told apart, and no details leave no gap."""
    with Progress("grade", 1) as shown:
        clock.now_s += 3661
        shown.advance("AC")
    assert capsys.readouterr().err.splitlines() == ["grade 0/1", "grade 1/1 | AC 1 | 1:01:01"]


def test_quiet_says_nothing(clock, capsys):
    """No line where none is wanted."""
    with Progress("eval", 3, quiet=True) as shown:
        clock.now_s += 100
        shown.advance("solved")
    assert capsys.readouterr().err == ""


def test_kept_items_alone_give_no_estimate(clock, capsys):
    """Before the first item of this start there is nothing to judge by."""
    with Progress("eval", 3) as shown:
        shown.keep("solved")
        clock.now_s += 5
    assert capsys.readouterr().err == "eval 0/3\neval 1/3 | solved 1 | 0:05\n"


def test_a_terminal_gets_a_bar(clock, capsys, monkeypatch):
    """With a terminal the counts stand beside a bar, and words are printed above it."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with Progress("eval", 2) as shown:
        shown.advance("solved")
        table = shown._render()
        assert [str(column._cells[0]) for column in table.columns][0::2] == ["eval", "1/2"]
        bar = table.columns[1]._cells[0]
        assert (bar.total, bar.completed, bar.width) == (2, 1, 30)
        shown.say("[a word]")
    assert "[a word]" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_the_bar_fits_the_terminal(clock, columns):
    """No line is longer than the terminal is wide, and nothing that is told is left out."""
    shown = Progress("eval", 100, details=lambda: "5,123 calls, 1,234,567 tokens")
    shown.advance("solved")
    with Console(width=columns, record=True, file=io.StringIO()) as console:
        console.print(shown._render(columns))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= columns
    told = " ".join(" ".join(lines).split())
    for words in ("eval", "1/100", "solved 1 | 5,123 calls, 1,234,567 tokens | 0:00"):
        assert words in told
