"""Help fits the terminal, shows the options of every day in groups, and all of them where it is asked to."""

from __future__ import annotations

import os
import re

import pytest
import typer

from sstar_code.agent.cli.display.help import FURTHER, GROUPS
from sstar_code.agent.cli.main import app

COMMANDS = dict(typer.main.get_command(app).commands)
OPTIONS = [
    (name, option)
    for name, command in COMMANDS.items()
    for option in command.params
    if option.param_type_name == "option"
]


@pytest.fixture
def columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", ["", *COMMANDS])
@pytest.mark.parametrize("more", [[], ["--all"]], ids=["everyday", "all"])
def test_help_fits_80_columns(sstar, columns, name, more):
    """No line is longer than 80 columns, but one that shows an example to be copied, and nothing is cut."""
    ended = sstar(*([name] if name else []), "--help", *(more if name else []))
    assert ended.code == 0
    assert ended.err == ""
    long = [line for line in ended.out.splitlines() if len(line) > 80 and not line.startswith("Example:")]
    assert long == []
    assert "\u2026" not in ended.out


def test_every_command_says_in_one_line_what_it_does(sstar, columns):
    """The list of commands has one line for each, below the heading of its group."""
    lines = sstar("--help").out.splitlines()
    for name in COMMANDS:
        assert len([line for line in lines if re.match(rf"  {name}  +\S", line)]) == 1
    assert "First steps:" in lines


@pytest.mark.parametrize(("words"), [["eval", "--help", "--all"], ["help", "eval", "--all"]])
def test_all_shows_every_option_with_range_and_variable(sstar, columns, words):
    """What help names at its end is described by --all, with what it may be and what sets it."""
    short, whole = sstar("eval", "--help").out, sstar(*words).out
    assert "Further options (sstar eval --help --all):" in short
    assert "SSTAR_" not in short
    assert not re.search(r"^  --min-p P", short, re.MULTILINE)
    described = " ".join(whole.split())
    assert re.search(r"--min-p P .*?from 0 to 1; SSTAR_MIN_P\)", described)
    assert "SSTAR_BASE_URL, OPENAI_BASE_URL" in described
    for _, option in (pair for pair in OPTIONS if pair[0] == "eval"):
        assert option.opts[-1] in short
        assert re.search(rf"^  .*{option.opts[-1]}\b", whole, re.MULTILINE)


def test_defaults_are_shown(sstar, columns):
    """A number as it would be typed, without the zeros that Python adds."""
    words = " ".join(sstar("eval", "--help", "--all").out.split())
    assert "Rounds of repair a sample at most. (default: 2)" in words or "(default: 2; from 0" in words
    assert "default: 600;" in words


def test_tables_of_options_are_up_to_date():
    """Further options and groups are those of the commands; what takes a value says what kind."""
    flags = {flag for _, option in OPTIONS for flag in option.opts}
    assert flags >= FURTHER
    assert {option.rich_help_panel for _, option in OPTIONS} - {None} <= set(GROUPS)
    assert [(name, one.opts) for name, one in OPTIONS if not one.is_flag and not one.metavar] == []


@pytest.mark.parametrize("words", [["--version"], ["-V"]])
def test_version(sstar, words):
    """Both spellings print it."""
    assert re.fullmatch(r"sstar \d+\.\d+\.\d+\n", sstar(*words).out)


def test_no_word_at_all_is_help_and_a_usage_error(sstar):
    """The list of commands and nothing else; a script that forgot its words sees that it did."""
    ended = sstar()
    assert (ended.code, ended.err) == (2, "")
    assert ended.out == sstar("--help").out


def test_help_of_a_name_that_is_none(sstar):
    """The near one is named."""
    ended = sstar("help", "evl")
    assert (ended.code, "did you mean 'eval'" in ended.err) == (2, True)
    assert sstar("help", "eval").out == sstar("eval", "--help").out
    assert sstar("help").out == sstar("--help").out


@pytest.mark.parametrize("words", ["--help", "-V", "help ls", "ls --help", "completion bash"])
def test_help_beside_a_broken_settings_file(sstar, folder, words):
    """Whoever looks for help gets it; a command that would use the file names the fault."""
    (folder / "sstar.toml").write_text("[tool.sstar\n")
    assert sstar(*words.split()).code == 0
    assert sstar("ls").code == 2


def test_help_has_colours_only_where_they_are_wanted(sstar, monkeypatch):
    """A file gets none; FORCE_COLOR wins over that, NO_COLOR over all."""
    assert "\x1b" not in sstar("eval", "--help").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[36m-m, --model NAME\x1b[0m" in sstar("eval", "--help").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in sstar("eval", "--help").out


def test_short_terminal_does_not_break_it(sstar, monkeypatch):
    """Help of 40 columns has every word, if not every line within them."""
    monkeypatch.setenv("COLUMNS", "40")
    assert os.environ["COLUMNS"] == "40"
    assert "--base-url URL" in sstar("solve", "--help").out
