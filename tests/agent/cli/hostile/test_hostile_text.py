"""Ids, names, outputs and messages of others in everything that is printed."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sstar_code.agent.cli.build import put, put_exact, put_json, say
from sstar_code.agent.report.explain import explain_selection
from sstar_code.agent.report.markup import Case, escape_markdown, write_junit
from sstar_code.agent.repository.findings import FORMATS, RULES, Finding, write_sarif
from sstar_code.agent.telemetry.progress import Progress
from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection.protocols import Distinguishing, Selection
from tests.problems.test_plain_text import HOSTILE, commands
from tests.support import ROOT

EVIL = "\x1b]0;t\x07\x9b31m\u202e\n::warning::x\n##[error]y"
FINDINGS = st.lists(
    st.builds(
        Finding,
        st.sampled_from(sorted(RULES)),
        st.sampled_from(["failure", "error", "skipped", "passed"]),
        st.just("a.py") | HOSTILE,
        st.integers(1, 9),
        HOSTILE,
        HOSTILE,
    ),
    max_size=3,
)


@given(FINDINGS)
def test_findings(findings):
    """Each form of `check` and `fix`: only `github` has commands, one a finding, and they are its own."""
    for form, write in FORMATS.items():
        shown = write(findings)
        if form == "github":
            assert len(shown.splitlines()) == len(findings)
            shown = "".join(line.removeprefix("::") for line in shown.split("\n"))
        assert commands(shown) == []
    told = "".join(ET.fromstring(write_sarif_text(findings)).itertext())
    assert commands(told, kept="") == []
    for element in ET.fromstring(FORMATS["junit"](findings)).iter():
        assert all(commands(value) == [] for value in (*element.attrib.values(), element.text or ""))


def write_sarif_text(findings):
    """What a viewer of SARIF shows."""
    (run,) = json.loads(write_sarif(findings))["runs"]
    element = ET.Element("x")
    for result in run["results"]:
        assert "](" not in result["message"]["text"]
        ET.SubElement(element, "x").text = result["message"]["text"]
    return ET.tostring(element, encoding="unicode").replace("\ufffe", "").replace("\uffff", "")


LIVE = re.compile(r"(?<!\\)(?:\\\\)*[\[\]*<]|(?<!\w)@\w|#\d|https?://|www\.|(?<![\w\\])_\w|&", re.IGNORECASE)


@given(st.text("[]()!@#*_<>&`~\\|$:/. \n\x1bab1") | HOSTILE)
def test_markdown_of_others_is_text(text):
    """No link, image, mention, reference, tag or code in it."""
    shown = escape_markdown(text)
    assert "\n" not in shown
    assert "`" not in shown
    assert LIVE.findall(shown.replace("&#8203;", "\0").replace("&lt;", "\0").replace("&amp;", "\0")) == [], (
        shown
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a](https://x.y)", r"\[a\](https:/&#8203;/x.y)"),
        ("![a](b)", r"!\[a\](b)"),
        ("thanks @octocat, me@x.org", "thanks @&#8203;octocat, me@&#8203;x.org"),
        ("fixes #12 and GH-3", "fixes #&#8203;12 and GH&#8203;-3"),
        ("www.x.y <b>", "www&#8203;.x.y &lt;b>"),
        ("pass@1 of two_sums -> 3", "pass@1 of two_sums -> 3"),
    ],
)
def test_what_markdown_shows(text, shown):
    """Ordinary text is as it was."""
    assert escape_markdown(text) == shown


@given(HOSTILE)
def test_junit_of_a_report(text):
    """Names and messages of any kind."""
    shown = write_junit(text, [Case(text, "failure", text, text, text, text, where={"file": text})])
    assert commands(shown) == []
    ET.fromstring(shown)


@given(HOSTILE, HOSTILE)
def test_explained_choice(output, identifier):
    """Outputs of candidates, inputs, notes and ids, also where lines are broken."""
    problem = Problem(identifier, "s", Kind.STDIN, public_tests=(Test("1", "2"),))
    chosen = Selection(
        "m", 0, 0.5, clusters=((0,), (1,)), notes=(output,),
        distinguishing=(Distinguishing(output, {"0": output, "1": "2"}),),
    )  # fmt: skip
    console = Console(width=40, no_color=True, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(explain_selection(problem, [], chosen))
    assert commands(captured.get()) == []


def test_lines_and_progress(capsys):
    """What is said, printed and counted."""
    say(EVIL)
    put(EVIL)
    put_json({EVIL: EVIL})
    progress = Progress(EVIL, 2, details=lambda: EVIL)
    progress.say(EVIL)
    with progress:
        progress.advance(EVIL)
    out, err = capsys.readouterr()
    assert commands(out) == commands(err) == []
    assert len(err.splitlines()) == 4  # said twice; the count at the start and at the end


@pytest.mark.parametrize("variable", ["", "CI", "GITHUB_ACTIONS"])
def test_programs_are_exact_where_no_log_reads_them(capsys, monkeypatch, variable):
    """A pipe gets every byte; a log of CI does not."""
    for name in ("CI", "GITHUB_ACTIONS", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "true")
    put_exact(EVIL)
    assert (capsys.readouterr().out == EVIL) is not variable


def test_set_with_hostile_ids(sstar, write_set):
    """`ls`, `validate` and errors."""
    row = {"statement": "s", "kind": "stdin", "metadata": {"difficulty": EVIL, "date": EVIL}}
    spec = write_set({"id": EVIL, **row}, {"id": "a\u2066b", **row})
    for words in (
        ["ls", spec],
        ["ls", spec, "--json"],
        ["validate", spec, "--no-run"],
        ["ls", f"jsonl:{EVIL}"],
    ):
        ended = sstar(*words)
        assert ended.out or ended.err
        assert commands(ended.out) == commands(ended.err) == [], words


def test_file_with_a_hostile_name(sstar, folder):
    """A file name is data too: one line a finding, whatever it holds."""
    text = 'def f(a: int) -> int:\n    """One more.\n\n    >>> f(1)\n    2\n    """\n    ...\n'
    (folder / "x\n::warning::y\x1b[31m.py").write_text(text)
    for form in FORMATS:
        ended = sstar("check", ".", "--format", form)
        assert ended.code == 1
        shown = ended.out.removeprefix("::") if form == "github" else ended.out
        assert commands(shown) == commands(ended.err) == [], form


PRINTERS = {
    "agent/cli/build.py", "agent/cli/main.py", "agent/cli/commands/check.py", "agent/cli/commands/fix.py",
    "agent/telemetry/progress.py", "sandbox/image/build.py", "agent/cli/display/table.py",
    "agent/cli/commands/first_steps/completion.py",  # a script that click makes for the name `sstar`
    "agent/strategies/backtracking/tracer.py",  # in a traced program, which runs isolated
    "agent/security_check.py",  # in programs, which run isolated
    "problems/formats/parquet.py",  # to the process that started it
}  # fmt: skip
"""Where a stream is written to. Look at each line before you add one: does it go through `plain_text`?"""


def test_one_way_to_print():
    """Nothing else writes to stdout or stderr."""
    found = set()
    for package in ("problems", "selection", "agent", "sandbox"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            if re.search(r"typer\.echo|\bsecho\(|^ +print\(|sys\.std(?:out|err)\.write", text, re.MULTILINE):
                found.add(file.relative_to(ROOT).as_posix())
    inside = {name for name in found if Path(name).parts[:2] in (("sandbox", "inside"), ("sandbox", "image"))}
    others = {"agent/testing/simulator/__main__.py", "problems/formats/published/programs.py"}
    """A command for tests, and programs as texts."""
    assert found - inside - others <= PRINTERS, found - PRINTERS
