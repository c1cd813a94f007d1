"""Every mistake of a user is one line on stderr that says where and what to do, and exit code 2."""

from __future__ import annotations

import json

import pytest

ASK = ("-m", "tiny")


def assert_one_line(ended, code, *parts):
    """Nothing on stdout, one line for the error, no traceback."""
    assert ended.out == ""
    *said, line = ended.err.splitlines()
    assert line.startswith("sstar: "), ended.err
    for part in parts:
        assert part in line, ended.err
    assert not any("error" in before.lower() for before in said), ended.err
    assert "Traceback" not in ended.err
    assert ended.code == code, ended.err


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["eval", "jsonl:none.jsonl", *ASK], ["none.jsonl", "No such file"]),
        (["eval", "nosuch:x.jsonl", *ASK], ["unknown problem set 'nosuch'", "humaneval"]),
        (["eval", "humanevel:x.jsonl", *ASK], ["did you mean 'humaneval'"]),
        (["eval", "examples", *ASK, "--select", "majorty"], ["'majorty'", "did you mean 'majority'"]),
        (["eval", "examples", *ASK, "--audit", "--select", "mbr"], ["--audit", "`adaptive`", "--select mbr"]),
        (["eval", "examples", *ASK, "--select", "zzz"], ["'zzz'", "sstar", "oracle"]),
        (["eval", "examples", "-m", "replay:none.jsonl"], ["none.jsonl", "no such recording"]),
        (["eval", "examples", "-m", "replay:"], ["replay:FILE"]),
        (["eval", "examples", "-m", ""], ["-m is empty"]),
        (["eval", "examples", "-m", "vllm:tiny", "--vllm-command", "/no/vllm"], ["no such program"]),
        (["eval", "examples"], ["no model", "-m"]),
        (["eval", "examples", *ASK, "--filter", "("], ["--filter", "regular expression"]),
        (["eval", "examples", *ASK, "--filter", "zzz"], ["no problem is left"]),
        (["eval", "examples", *ASK, "--start-date", "2024"], ["--start-date", "'2024'"]),
        (["eval", "examples", *ASK, "--end-date", "2024-13-01"], ["--end-date", "'2024-13-01'"]),
        (["eval", "examples", *ASK, "--n", "0"], ["--n"]),
        (["eval", "examples", *ASK, "--n", "many"], ["--n"]),
        (["eval", "examples", *ASK, "--n", "9" * 4400], ["--n"]),
        (["eval", "examples", *ASK, "--nosuch"], ["--nosuch"]),
        (["eval", "examples", *ASK, "--context", "some"], ["--context", "`all` or `last`"]),
        (["eval", "examples", *ASK, "--system-role", "boss"], ["--system-role", "developer"]),
        (["eval", "examples", *ASK, "--base-url", "nowhere"], ["--base-url", "nowhere"]),
        (["eval", "examples", *ASK, "--prompts", "none"], ["none"]),
        (["eval", "examples", "-m", "replay:examples", "--sandbox", "nosuch"], ["'nosuch'", "docker, local"]),
        (["eval"], ["SET"]),
        (["evil", "examples"], ["evil"]),
        (["solve", "none.md", *ASK], ["none.md", "No such file"]),
        (["solve", ".", *ASK], [".", "directory"]),
        (["solve", "examples#none", *ASK], ["no problem 'none'", "is-even"]),
        (["solve", "nosuch:x#1", *ASK], ["nosuch"]),
        (["solve", "jsonl:none.jsonl#1", *ASK], ["none.jsonl", "No such file"]),
        (["grade", "examples", "none.jsonl"], ["none.jsonl", "No such file"]),
        (["select", "examples", "none.jsonl"], ["none.jsonl", "No such file"]),
    ],
)
def test_wrong_words(sstar, words, parts, folder):
    """What is wrong, where, and what would be right; no result is written."""
    assert_one_line(sstar(*words), 2, *parts)
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left <= {"manifest.json", "run.db", "run.lock"}


@pytest.mark.parametrize(
    ("text", "place", "parts"),
    [
        ('{"id": "a"', ":1", ["JSON"]),
        ('\n{"id": "a", "statement": "s", "kind": "stdin", "nosuch": 1}', ":2", ["nosuch"]),
        ('{"id": "a", "statement": "s"}', ":1", ["kind"]),
        ("", "", ["no problem"]),
        ("[1, 2]", "", []),
    ],
)
def test_malformed_set_names_path_and_line(sstar, folder, text, place, parts):
    """A malformed set names its file and line."""
    (folder / "bad.jsonl").write_text(text)
    assert_one_line(sstar("eval", "jsonl:bad.jsonl", *ASK), 2, f"bad.jsonl{place}", *parts)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b'{"task_id": "nosuch", "solution": "x"}', "'nosuch'"),
        (b'{"task_id": "is-even"}', ":1"),
        (b'{"task_id": "is-even", "solution": "x"}\n{"task_id": 3, "solution": 4}', ":2"),
        (b"\x1f\x8bxx", "bad.jsonl"),
        (b"\xff\xfe", "bad.jsonl"),
        (b"", "bad.jsonl"),
    ],
)
@pytest.mark.parametrize("command", ["grade", "select"])
def test_bad_samples_name_path(sstar, folder, command, content, part):
    """A samples file that cannot be used names its path and, where there is one, the line or id."""
    (folder / "bad.jsonl").write_bytes(content)
    assert_one_line(sstar(command, "examples", "bad.jsonl"), 2, "bad.jsonl", part)


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"", "empty"), (b" \n", "empty"), (b"\xff\xfe\x00", "not UTF-8 text"), (b'{"id": 1}', "bad.md")],
)
def test_bad_statement_names_path(sstar, folder, content, part):
    """A statement that cannot be used names its path."""
    (folder / "bad.md").write_bytes(content)
    assert_one_line(sstar("solve", "bad.md", *ASK), 2, "bad.md", part)


def test_one_problem_of_several_says_how(sstar, write_set, folder):
    """A set given as a problem is told how to name one of its problems."""
    write_set({"id": "a", "statement": "s", "kind": "stdin"}, {"id": "b", "statement": "s", "kind": "stdin"})
    assert_one_line(sstar("solve", "problems.jsonl", *ASK), 2, "jsonl:FILE#ID")


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("sstar.toml", "temprature = 1.0\n", ["sstar.toml", "'temprature'", "did you mean 'temperature'"]),
        ("sstar.toml", "= 1\n", ["sstar.toml", "TOML"]),
        ("sstar.toml", 'n = "many"\n', ["sstar.toml", "n = 'many'", "a number like 16"]),
        ("sstar.toml", "rounds = -1\n", ["sstar.toml", "rounds = -1"]),
        ("sstar.toml", "filter_ = 1\n", ["'filter_'", "did you mean 'filter'"]),
        ("pyproject.toml", "[tool.sstar]\nnosuch = 1\n", ["pyproject.toml", "'nosuch'"]),
        ("pyproject.toml", "[tool]\nsstar = 1\n", ["pyproject.toml", "[tool.sstar]"]),
    ],
)
def test_bad_settings_file(sstar, folder, name, text, parts):
    """A settings file that cannot be used names itself and the key."""
    (folder / name).write_text(text)
    assert_one_line(sstar("eval", "examples", *ASK), 2, *parts)


def test_debug_shows_where(sstar):
    """`--debug` adds the traceback, before or behind the command's name; the last line stays the message."""
    for words in (["--debug", "eval", "jsonl:none.jsonl"], ["eval", "jsonl:none.jsonl", "--debug"]):
        ended = sstar(*words, *ASK)
        assert ended.code == 2
        assert "Traceback" in ended.err
        assert ended.err.splitlines()[-1].startswith("sstar: ")


def test_a_folder_that_was_deleted_is_said(sstar, tmp_path, monkeypatch):
    """A shell that stands where nothing is any more is told so; help is shown all the same."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert_one_line(sstar("eval", "examples", *ASK), 2, "the current folder was deleted")
    assert sstar("eval", "--help").code == 0


def test_unexpected_error_is_one_line(sstar, monkeypatch, write_set):
    """Even a fault of our own is a line that asks for a report; `--debug` shows where it was."""

    def break_down(*_, **__):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("sstar_code.agent.jobs.evaluate.evaluate", break_down)
    words = ["eval", write_set(), "-m", "replay:examples", "--sandbox", "local"]
    assert_one_line(sstar(*words), 3, "unexpected ZeroDivisionError", "--debug")
    assert "break_down" in sstar(*words, "--debug").err


def test_other_settings_are_refused_by_name(sstar, write_set, isolated, serve):
    """A run folder goes on under its own settings only; what differs is named."""
    words = ["eval", write_set(), "-m", "tiny", "--base-url", serve().base_url, "--out", "run", *isolated]
    assert sstar(*words, "--n", "1").code == 0
    assert_one_line(sstar(*words, "--n", "2"), 2, "n was 1, is 2", "--fresh")
    assert_one_line(sstar(*words, "--n", "1", "--temperature", "0.5"), 2, "temperature was 0.7, is 0.5")


def test_fresh_keeps_the_old_folder(sstar, write_set, isolated, serve, folder):
    """`--fresh` asks anew and moves what was paid for aside."""
    server = serve()
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--out", "run", *isolated]
    assert sstar(*words, "--n", "1").code == 0
    asked = len(server.received)
    assert sstar(*words, "--n", "1", "--fresh").code == 0
    assert len(server.received) == 2 * asked
    old = json.loads((folder / "run.old-1" / "summary.json").read_text())
    assert old["selected@1"] == 1.0
