"""`--preset`: what is sent is what the leaderboard sends, what the user sets wins, and the summary says so.

After an intended change of a preset's template write the messages anew and read the diff:

    SSTAR_WRITE_EXPECTED=1 python -m pytest tests/agent/cli/presets/test_presets.py
"""

from __future__ import annotations

import html
import json
import os
import re
from pathlib import Path

import pytest

from sstar_code.agent.solving.presets import PRESETS

EXPECTED = Path(__file__).with_name("messages.json")
WRITES = bool(os.environ.get("SSTAR_WRITE_EXPECTED"))  # read here: a fixture takes such variables away
STDIN = {
    "question_title": "Twice",
    "question_content": "Print twice $n$ &lt; 10.\n\nInput: 3\nOutput: 6",
    "platform": "atcoder",
    "question_id": "abc1_a",
    "contest_id": "abc1",
    "contest_date": "2024-09-07T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": '[{"input": "3\\n", "output": "6\\n", "testtype": "stdin"}]',
    "private_test_cases": '[{"input": "4\\n", "output": "8\\n", "testtype": "stdin"}]',
    "metadata": "{}",
}
CALL = {
    **STDIN,
    "question_content": "Return twice `n`.",
    "platform": "leetcode",
    "question_id": "77",
    "contest_date": "2024-10-05T00:00:00",
    "starter_code": "class Solution:\n    def twice(self, n: int) -> int:\n        ",
    "public_test_cases": '[{"input": "3", "output": "6", "testtype": "functional"}]',
    "private_test_cases": '[{"input": "4", "output": "8", "testtype": "functional"}]',
    "metadata": '{"func_name": "twice"}',
}
HEAD = 'import math\n\n\ndef twice(n: int) -> int:\n    """ Twice n.\n    >>> twice(3)\n    6\n    """\n'
HUMANEVAL = {
    "task_id": "HumanEval/900",
    "prompt": HEAD,
    "entry_point": "twice",
    "canonical_solution": "    return 2 * n\n",
    "test": "def check(candidate):\n    assert candidate(4) == 8\n",
}
MBPP = {
    "task_id": 901,
    "prompt": "Write a function to give twice a number.",
    "code": "def twice(n):\n    return 2 * n\n",
    "test_imports": [],
    "test_list": ["assert twice(3) == 6", "assert twice(4) == 8"],
    "test": "assert twice(5) == 10\n",
}
PROGRAM = "```python\nprint(2 * int(input()))\n```"
FUNCTION = "```python\ndef twice(n):\n    return 2 * n\n```"
METHOD = "```python\nclass Solution:\n    def twice(self, n):\n        return 2 * n\n```"
BODY = "    return 2 * n\n"


@pytest.fixture
def ask(sstar, serve, folder, isolated):
    """Evaluate a row of a set; how it ended, and the bodies that the server received."""

    def run(name, row, answer, *words):
        (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
        server = serve(answer)
        given = ["eval", f"{name}:rows.jsonl", "-m", "tiny", "--base-url", server.base_url, "--out", "run"]
        ended = sstar(*given, *isolated, *words)
        assert ended.code == 0, ended.err
        return ended, [received.body for received in server.received]

    return run


CASES = {
    "lcb, program": ("lcb", "lcb", STDIN, PROGRAM),
    "lcb, starter code": ("lcb", "lcb", CALL, METHOD),
    "humaneval": ("humaneval", "humaneval", HUMANEVAL, BODY),
    "evalplus, HumanEval": ("evalplus", "humaneval", HUMANEVAL, FUNCTION),
    "evalplus, MBPP": ("evalplus", "mbpp+", MBPP, FUNCTION),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_sent_is_the_preset(ask, folder, case):
    """Messages and sampling of every call, as many as the leaderboard asks for; nothing departs."""
    preset, name, row, answer = CASES[case]
    few = ["--n", "3"] if preset == "humaneval" else []
    ended, bodies = ask(name, row, answer, "--preset", preset, "--json", *few)
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    if WRITES:
        known[case] = bodies[0]["messages"]
        EXPECTED.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    assert all(body["messages"] == known[case] for body in bodies)
    wanted = PRESETS[preset]
    sent = [(body["temperature"], body["top_p"], body["max_tokens"]) for body in bodies]
    assert set(sent) == {(wanted.temperature, wanted.top_p, wanted.max_tokens or 4096)}
    assert len({body["seed"] for body in bodies}) == len(bodies) == (3 if few else wanted.n)
    assert not any("stop" in body for body in bodies)  # they would cut a chat answer before its program
    assert ended.json["pass@1"] == 1.0
    told = {"name": preset, "source": wanted.source, "departures": ["n 3, not 200"] if few else []}
    assert ended.json["preset"] == told
    assert json.loads((folder / "run" / "summary.json").read_text())["preset"] == told


def test_a_published_text_stays_as_it_is(ask):
    """A leaderboard sends markup and all; our own prompt cleans it."""
    _, bodies = ask("lcb", STDIN, PROGRAM, "--preset", "lcb", "--n", "1")
    assert "Print twice $n$ &lt; 10." in bodies[0]["messages"][1]["content"]


DEPARTED = [
    (["--n", "4"], "n 4, not 10"),
    (["--n", "2..3"], "n 2..3, not 10"),
    (["--temperature", "0.7"], "temperature 0.7, not 0.2"),
    (["--top-p", "1"], "top_p 1, not 0.95"),
    (["--max-tokens", "300"], "max_tokens 300, not 2000"),
    (["--rounds", "1"], "rounds 1, not 0 (selected@1 alone)"),
    (["--select", "majority"], "select majority, not first (selected@1 alone)"),
    (["--top-k", "20"], "top_k 20, not given"),
    (["--extra-body", '{"stop": ["###"]}'], "stop ['###'], not given"),
    (["--system-role", "user"], "system_role user, not system"),
    (["--prompts", "mine"], "prompts of another folder"),
]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        pytest.param(*case, id=case[1], marks=pytest.mark.slow if place % 3 else ())
        for place, case in enumerate(DEPARTED)
    ],
)
def test_a_flag_wins_and_is_told(ask, folder, sstar, words, line):
    """In the table, the JSON, the report and the page; the rest of the preset stays."""
    (folder / "mine").mkdir()
    (folder / "mine" / "generate.j2").write_text("Twice, please.")
    few = [] if "--n" in words else ["--n", "1"]
    ended, bodies = ask("lcb", STDIN, PROGRAM, "--preset", "lcb", *few, *words)
    departures = {line, *(["n 1, not 10"] if few else [])}
    shown = next(text for text in ended.out.splitlines() if text.startswith("preset: "))
    assert set(shown.partition("departs in ")[2].split("; ")) == departures
    if words[0] == "--prompts":
        assert bodies[0]["messages"] == [{"role": "user", "content": "Twice, please."}]
    if words[0] in ("--temperature", "--top-p", "--max-tokens", "--top-k"):
        assert bodies[0][words[0].strip("-").replace("-", "_")] == float(words[1])
    told = sstar("report", "run", "--format", "json").json["preset"]
    assert set(told["departures"]) == departures
    for text in (sstar("report", "run").out, html.unescape((folder / "run" / "report.html").read_text())):
        assert shown.replace("_", "") in re.sub(r"[\\_]", "", text)  # Markdown escapes


@pytest.mark.parametrize("place", ["variable", "file"])
def test_a_variable_and_a_settings_file_win_too(ask, folder, monkeypatch, place):
    """What a user set anywhere is not overruled in silence; the preset may stand in the file as well."""
    if place == "variable":
        monkeypatch.setenv("SSTAR_TEMPERATURE", "0.5")
        monkeypatch.setenv("SSTAR_PRESET", "lcb")
    else:
        (folder / "sstar.toml").write_text('temperature = 0.5\npreset = "lcb"\n')
    ended, bodies = ask("lcb", STDIN, PROGRAM, "--n", "1")
    assert {(body["temperature"], body["top_p"]) for body in bodies} == {(0.5, 0.95)}
    assert "departs in n 1, not 10; temperature 0.5, not 0.2" in ended.out


def test_greedy_wins_over_a_preset(ask):
    """One sample at temperature 0, both told."""
    ended, bodies = ask("lcb", STDIN, PROGRAM, "--preset", "lcb", "--greedy")
    assert [body["temperature"] for body in bodies] == [0.0]
    assert "departs in n 1, not 10; temperature 0, not 0.2" in ended.out


def test_another_set_is_told(ask):
    """The prompt of a leaderboard may be used on any problem, and then it is no leaderboard's number."""
    ended, _ = ask("humaneval", HUMANEVAL, FUNCTION, "--preset", "lcb", "--n", "1")
    assert "departs in set humaneval, not lcb; n 1, not 10" in ended.out


def test_an_unknown_preset_is_one_line(sstar, write_set):
    """With what there is, and the one that was meant; before anything is asked."""
    ended = sstar("eval", write_set(), "-m", "tiny", "--preset", "evalplsu")
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == (
        "sstar: --preset 'evalplsu': there is no such preset (did you mean 'evalplus'?); "
        "give lcb, humaneval, evalplus"
    )


def test_solve_follows_a_preset(sstar, serve, folder, isolated):
    """One problem as the leaderboard asks for it, and what departs."""
    (folder / "rows.jsonl").write_text(json.dumps(HUMANEVAL) + "\n")
    server = serve(FUNCTION)
    words = ["-m", "tiny", "--base-url", server.base_url, "--preset", "evalplus", "--max-tokens", "500"]
    ended = sstar("solve", "humaneval:rows.jsonl#HumanEval/900", *words, *isolated)
    assert ended.code == 0, ended.err
    assert "departs in max_tokens 500, not 768" in ended.err
    (received,) = server.received
    assert received.body["messages"][0]["content"].endswith("\n```python\n" + HEAD.strip() + "\n```")


def test_a_run_with_a_preset_is_another_run(ask, sstar, serve, isolated):
    """The same folder without it is refused with the reason; with it nothing is asked again."""
    ask("lcb", STDIN, PROGRAM, "--preset", "lcb", "--n", "1")
    words = [
        "eval",
        "lcb:rows.jsonl",
        "-m",
        "tiny",
        "--base-url",
        serve().base_url,
        "--out",
        "run",
        *isolated,
    ]
    assert "preset was 'lcb', is None" in sstar(*words, "--n", "1").err
    again = sstar(*words, "--n", "1", "--preset", "lcb")
    assert (again.code, "departs in n 1, not 10" in again.out) == (0, True)
