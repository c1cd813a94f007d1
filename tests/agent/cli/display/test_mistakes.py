"""What stands in the wrong place is told with what to write instead, and a failed start leaves nothing."""

from __future__ import annotations

import pytest


def last_line(ended, code):
    assert ended.code == code, ended.err
    assert ended.out == ""
    return ended.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["eval", "mine.jsonl", "-m", "t"], ["mine.jsonl is a file", "jsonl:mine.jsonl", "lcb:mine.jsonl"]),
        (["eval", "examples", "-m", "replay:exmaples"], ["did you mean 'examples'", "replay:lists"]),
        (["eval", "examples", "-m", "t", "--filter", "difficulty=hrad"], ["'hard'", "easy, hard, medium"]),
        (["eval", "examples", "-m", "t", "--filter", "kind=x"], ["there are function, stdin"]),
        (["solve", "examples", "-m", "t"], ["examples#ID", "sstar eval examples"]),
        (["solve", "examples#is-even", "-m", "a", "-m", "b"], ["asks one model", "sstar eval"]),
        (["eval", "examples", "-m", "t", "--limit", "0"], ["--limit", "to 1. See `sstar eval --help`."]),
        (["ls", "humanevalplus:none"], ["none: cannot be read"]),
        (["ls", "LiveCodeBench:none"], ["none: cannot be read"]),
        (["ls", "mbppplus:none"], ["none: cannot be read"]),
    ],
)
def test_wrong_place(sstar, folder, words, parts):
    """One line says what it is and what to write; no folder is made."""
    (folder / "mine.jsonl").write_text("{}")
    line = last_line(sstar(*words), 2)
    for part in parts:
        assert part in line
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[sstar]\nn = 3\n", "leave the table header out"),
        ("[tool.sstar]\nn = 3\n", "leave the table header out"),
        ('api-key = "x"\n', "OPENAI_API_KEY"),
        ("[more]\nn = 3\n", "is a table"),
        ("zzzz = 1\n", "flags of `sstar help COMMAND --all`"),
    ],
)
def test_wrong_line_in_a_settings_file(sstar, folder, text, part):
    """The key is named with what was probably meant, not with sixty others."""
    (folder / "sstar.toml").write_text(text)
    line = last_line(sstar("ls"), 2)
    assert part in line
    assert len(line) < 250


def test_wrong_value_in_a_settings_file_is_named_once(sstar, folder):
    """Key, value and what it has to be."""
    (folder / "sstar.toml").write_text('n = "many"\n')
    assert last_line(sstar("ls"), 2).count("many") == 1


@pytest.mark.parametrize(
    ("model", "part"),
    [
        ("openai/gpt-4o", "--base-url https://api.openai.com/v1 -m gpt-4o"),
        ("ollama:qwen:7b", "--base-url http://localhost:11434/v1 -m qwen:7b"),
        ("Qwen/Qwen2.5", "start one with `vllm serve Qwen/Qwen2.5`"),
    ],
)
def test_prefix_of_a_provider(sstar, folder, monkeypatch, model, part):
    """Where no server answers, a name with a provider's prefix is told the address of that provider."""
    words = ["solve", "examples#is-even", "-m", model, "--base-url", "http://127.0.0.1:1/v1"]
    assert part in last_line(sstar(*words), 3)
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("name", ["file", "file/run"])
def test_out_that_cannot_be_a_folder(sstar, folder, name):
    """A wrong place is the user's mistake (2)."""
    (folder / "file").write_text("kept")
    words = ["eval", "examples", "-m", "replay:examples", "--out", name]
    assert "name another --out" in last_line(sstar(*words), 2)
    assert (folder / "file").read_text() == "kept"


def test_failed_start_leaves_what_was_there(sstar, folder):
    """A folder in which something was paid for is not touched by a later start that fails."""
    words = ["eval", "examples", "--limit", "1", "--n", "1", "--rounds", "0", "--out", "runs/one"]
    words += ["--select", "first", "--sandbox", "unsafe"]
    assert sstar(*words, "-m", "replay:examples").code == 0
    before = sorted(path.name for path in (folder / "runs" / "one").iterdir())
    assert sstar(*words, "-m", "replay:exmaples").code == 2
    assert sorted(path.name for path in (folder / "runs" / "one").iterdir()) == before


def test_set_without_hidden_tests_has_no_table_of_dashes(sstar, folder, write_set, serve):
    """A line says how many pass the public tests, and that there are no hidden ones."""
    row = {"id": "p", "statement": "s", "kind": "stdin", "public_tests": [{"input": "2\n", "output": "4"}]}
    words = ["eval", write_set(row), "-m", "tiny", "--base-url", serve().base_url, "--n", "1"]
    ended = sstar(*words, "--sandbox", "unsafe")
    assert ended.code == 0, ended.err
    assert "hidden tests, same candidates" not in ended.out
    assert "1 with a sample that passes the public tests, 0 errors, 1 without hidden tests" in ended.out
