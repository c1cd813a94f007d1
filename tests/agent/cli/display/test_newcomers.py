"""Mistakes of a newcomer: one line that is true, the right exit code, found before anything is paid for."""

from __future__ import annotations

import json

import pytest

from tests.agent.conftest import DOUBLE

EMPTY = {"nothing": "", "blank lines": "\n\n \n", "an empty array": "[]"}
OPEN = "def f():\n    ...\n\n\ndef g():\n    ...\n"


def tell(ended, code=2):
    """The last line on stderr; there is no other output and no traceback."""
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert "Traceback" not in ended.err
    return ended.err.splitlines()[-1]


@pytest.fixture
def ask(folder):
    """Words for a run whose endpoint nobody reaches: whoever asks it fails in another way."""
    return ("-m", "tiny", "--base-url", "http://127.0.0.1:9/v1", "--sandbox", "local")


@pytest.mark.parametrize("text", EMPTY.values(), ids=EMPTY)
def test_an_empty_set_is_said_to_be_empty(sstar, folder, ask, text):
    """Not that a filter left nothing, where none was given."""
    (folder / "set.json").write_text(text)
    for words in (("ls",), ("eval", *ask)):
        line = tell(sstar(words[0], "jsonl:set.json", *words[1:]))
        assert ("holds no problem" in line, "--filter" in line) == (True, False), line


@pytest.mark.parametrize("command", ["grade", "select"])
def test_empty_samples_are_said_to_be_empty(sstar, write_set, folder, command):
    """A file or folder without a sample, and how a sample looks; not that ids are other ones."""
    spec = write_set()
    (folder / "s.jsonl").write_text("")
    (folder / "many").mkdir()
    for name in ("s.jsonl", "many"):
        line = tell(sstar(command, spec, name))
        assert f'{name}: holds no sample; a line is like {{"task_id"' in line
    (folder / "s.jsonl").write_text(json.dumps({"task_id": "double", "solution": "print(1)"}))
    spec = write_set(DOUBLE, {**DOUBLE, "id": "other"})
    assert "no sample for any of the chosen" in tell(sstar(command, spec, "s.jsonl", "--filter", "other"))


@pytest.mark.parametrize(
    ("encoding", "command"), [("utf-16", "ls"), ("latin-1", "ls"), ("utf-16", "solve"), ("latin-1", "solve")]
)
def test_text_in_another_encoding(sstar, folder, ask, encoding, command):
    """What an editor saved is named, with what to do."""
    text = json.dumps({**DOUBLE, "statement": "Lies eine Zahl, gib sie \xe4hnlich aus."}, ensure_ascii=False)
    (folder / "set.jsonl").write_bytes(text.encode(encoding))
    words = ("ls", "jsonl:set.jsonl") if command == "ls" else ("solve", "set.jsonl", *ask)
    assert "is not UTF-8 text; save it as UTF-8" in tell(sstar(*words))


@pytest.mark.parametrize("command", ["eval", "ls", "grade", "select"])
def test_an_empty_word_is_no_set(sstar, folder, command):
    """As where a variable of the shell is empty; the current folder is not taken for a set."""
    (folder / "s.jsonl").write_text("{}")
    words = {"eval": ["-m", "t"], "grade": ["s.jsonl"], "select": ["s.jsonl"]}.get(command, [])
    assert "no set is named; there are lcb, " in tell(sstar(command, "", *words))


def test_an_empty_word_is_no_statement(sstar, ask):
    """Nor is the current folder a problem's text."""
    line = tell(sstar("solve", "", *ask))
    assert "no problem is named; give a file, - for stdin, or SET#ID" in line


@pytest.mark.parametrize("command", ["check", "fix"])
@pytest.mark.parametrize("word", ["::f", "src::f", "src/::f", ".::f"])
def test_a_function_needs_its_file(sstar, folder, ask, command, word):
    """A folder with a function's name does not stand for all functions in it: `--write` would change all."""
    (folder / "src").mkdir()
    (folder / "src" / "a.py").write_text(OPEN)
    words = ask if command == "fix" else ()
    line = tell(sstar(command, word, *words))
    assert f"'{word}': no file before `::`; give FILE::FUNCTION" in line


@pytest.mark.parametrize("flag", ["--patch", "--emit-tests", "--sarif", "--junit", "--summary"])
def test_a_file_that_cannot_be_written_is_told_first(sstar, folder, ask, flag):
    """A folder in a file's place, and a folder that is not there: before a model is asked."""
    (folder / "src").mkdir()
    (folder / "a.py").write_text(OPEN)
    for name, part in (("src", "src: a folder; name a file"), ("none/x", "there is no folder none; make it")):
        assert part in tell(sstar("fix", "a.py::f", *ask, flag, name))
        if flag not in ("--patch", "--emit-tests"):
            assert part in tell(sstar("check", "a.py::f", flag, name))
    assert not (folder / "runs").exists()


def test_advice_is_given_once(sstar, folder):
    """A device in a file's place."""
    (folder / "a.py").write_text(OPEN)
    line = tell(sstar("check", "a.py::f", "--sarif", "/dev/full"), 3)
    assert line.count("name") == 1, line


@pytest.mark.parametrize("command", ["report", "view"])
def test_a_run_folder_that_is_not_there(sstar, folder, command):
    """A name that was mistyped is told from a folder of something else."""
    (folder / "other").mkdir()
    assert "nosuch: no such folder" in tell(sstar(command, "nosuch"))
    assert "other: no run folder (it has no manifest.json)" in tell(sstar(command, "other"))


def test_runs_of_a_file(sstar, folder):
    """A file that is there is not said to be missing."""
    (folder / "a.jsonl").write_text("")
    assert "a.jsonl: a file; name one that has run folders" in tell(sstar("runs", "a.jsonl"))
    assert "nosuch: no such folder" in tell(sstar("runs", "nosuch"))


@pytest.mark.parametrize("name", ["generate", "debug", "choose"])
def test_an_empty_template_is_told_first(sstar, folder, ask, name):
    """Before a run folder is made or a sandbox started."""
    (folder / "own").mkdir()
    (folder / "own" / f"{name}.j2").write_text(" \n")
    line = tell(sstar("eval", "examples", *ask, "--prompts", "own"))
    assert f"own/{name}.j2: is empty; write the text of a message, or remove the file" in line
    assert not (folder / "runs").exists()
    (folder / "own" / f"{name}.j2").rename(folder / "own" / "lessons.j2")
    assert "is empty" not in sstar("eval", "examples", *ask, "--prompts", "own", "--dry-run").err


@pytest.mark.parametrize("command", ["ls", "eval", "grade", "select"])
def test_one_problem_is_no_set(sstar, folder, command):
    """What `solve` takes is told how to be written elsewhere, not that no set has the name."""
    (folder / "s.jsonl").write_text("{}")
    words = {"eval": ["-m", "t"], "grade": ["s.jsonl"], "select": ["s.jsonl"]}.get(command, [])
    line = tell(sstar(command, "examples#is-even", *words))
    assert (
        "`sstar solve examples#is-even` solves it; a set of it alone is examples with --filter is-even"
        in line
    )


def test_settings_in_another_encoding(sstar, folder):
    """The settings file is named with what to do, not with a byte and a codec."""
    (folder / "sstar.toml").write_bytes("# gr\xfc\xdfe\nn = 3\n".encode("latin-1"))
    line = tell(sstar("ls"))
    assert "sstar.toml: is not UTF-8 text; save it as UTF-8" in line
    assert "codec" not in line


def test_a_log_that_cannot_be_written_leaves_no_run_folder(sstar, folder, ask):
    """Nothing was asked, so nothing stays of the start."""
    line = tell(sstar("eval", "examples", *ask, "--log-file", "none/log"), 3)
    assert "--log-file none/log: cannot write" in line
    assert not (folder / "runs").exists()
