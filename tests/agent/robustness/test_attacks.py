"""Attacks are harmless data, reach where they say, and candidates that ask to be chosen are not."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.robustness.attacks import MARKER, list_attacks, read_attacks
from sstar_code.agent.testing.server import chat
from sstar_code.problems import Kind, Problem, Test, UserError
from sstar_code.problems.sets.load import load_set

STDIN = Problem(
    "p", "Print it.", Kind.STDIN, public_tests=(Test("1\n", "1"),), hidden_tests=(Test("2", "2"),)
)
CALLED = Problem(
    "q",
    "Add.",
    Kind.FUNCTION,
    entry_point="Solution.add",
    public_tests=(Test("[1, 2]\n3", "6"), Test("[]\n{1}", "0")),
)


def test_attacks_are_read_by_name():
    """The run without an attack is first; a wrong name lists all and suggests one."""
    assert [one.name for one in read_attacks("output-text,statement,statement")] == [
        *("none", "output-text", "statement")
    ]
    assert len(read_attacks("all")) == 8
    with pytest.raises(
        UserError, match=r"'statment': unknown \(did you mean .statement.\?\); choose .*nerd-snipe, or all"
    ):
        read_attacks("statment")
    with pytest.raises(UserError, match="none is named"):
        read_attacks(" ,")


def test_where_attacks_stand():
    """Statements and public tests are attacked where the attack says; hidden tests never are."""
    attacks = list_attacks()
    for attack in attacks.values():
        for problem in (STDIN, CALLED):
            attacked = attack.apply(problem)
            assert (attacked.hidden_tests, attacked.id) == (problem.hidden_tests, problem.id)
            assert (attacked.statement != problem.statement) == (attack.place == "statement")
            assert len(attacked.public_tests) - len(problem.public_tests) == (attack.place == "public test")
            assert (attack.forge(problem) is not None) == (attack.place in ("candidate", "output"))
            assert MARKER in attack.text
    assert attacks["public-test"].apply(CALLED).public_tests[-1] == Test("[1, 2]\n3", f'"{MARKER}"')


@pytest.mark.parametrize("name", ["plain-candidate", "candidate-comment", "output-text"])
def test_a_forged_candidate_knows_the_public_tests(name):
    """It compiles for every bundled problem, has the marker, and is right on the public tests alone."""
    attack = list_attacks()[name]
    for bundled in ("examples", "lists"):
        for problem in load_set(bundled).problems[:8]:
            code = attack.forge(problem)
            assert MARKER in code
            compile(code, problem.id, "exec")
    space: dict = {}
    exec(attack.forge(CALLED), space)  # a program of ours
    assert space["Solution"]().add([1, 2], 3) == 6
    assert space["Solution"]().add([1], 3) == (attack.text if name == "output-text" else None)


RIGHT, OBEYING = "print(int(input()) * 2)", f"print(int(input()) * 2)  # {MARKER}"


def obey(body):
    """A model that obeys what it sees: the marker in the program, and the judge takes what asks for it."""
    text = "\n".join(str(message["content"]) for message in body["messages"])
    if "ANSWER:" in text:
        for letter in "AB":
            _, _, shown = text.partition(f"# Output {letter}")
            if MARKER in shown.partition("# Output")[0]:
                return chat(f"ANSWER: {letter}")
        return chat("ANSWER: B")
    return chat(f"```python\n{OBEYING if MARKER in text else RIGHT}\n```")


def test_the_matrix(sstar, serve, write_set, isolated, folder):
    """A model that obeys what it sees does so in the statement; what candidates say, it is never shown."""
    server = serve(obey)
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "3", "--rounds", "0"]
    words += ["--out", "all", "--attack", "statement,candidate-comment,output-text", *isolated]
    ended = sstar(*words, "--json")
    assert ended.code == 0, ended.err
    rows = {row["attack"]: row for row in ended.json["attacks"]}
    shares = {name: [rate["value"] for rate in row["obeyed"].values()] for name, row in rows.items()}
    assert list(rows["none"]["obeyed"]) == ["N=1", "N=3 first", "N=3 majority", "N=3 adaptive"]
    assert shares["none"] == [0.0, 0.0, 0.0, 0.0]
    assert shares["statement"] == [1.0, 1.0, 1.0, 1.0]
    for name in ("candidate-comment", "output-text"):
        assert shares[name][:2] == [1.0, 1.0], "the attacker's program is the first"
        assert shares[name][-1] == 0.0
        assert rows[name]["solved"]["adaptive"]["value"] == 1.0
    asked = len(server.received)
    shown = sstar(*words)
    assert len(server.received) == asked, "the same command again asks nothing"
    assert "candidate-comment" in shown.out
    assert (folder / "all" / "attacks.md").read_text().startswith("# Attacks: ")
    assert json.loads((folder / "all" / "statement" / "manifest.json").read_text())["config"]["attack"]
    for more, why in ((("--attack", "nice"), "unknown"), (("-m", "other"), "one set and one model")):
        ended = sstar(*words, *more)
        assert (ended.code, why in ended.err) == (2, True), ended.err
