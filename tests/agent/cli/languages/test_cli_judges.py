"""The commands with judges in C++, with scores, and with validators."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sstar_code.agent.testing.server import chat

HEADER = Path(__file__).parents[3] / "support" / "testlib" / "testlib.h"
ROOT = Path(__file__).parents[4]
CHECK = HEADER.with_name("sum.cpp").read_text()
SUM = {
    "id": "sum",
    "statement": "Two numbers with the sum n.",
    "kind": "stdin",
    "hidden_tests": [{"input": "7\n", "output": "3 4\n"}],
    "checker": {"program": CHECK, "language": "cpp"},
}
SCORED = {
    "id": "long",
    "statement": "Print much.",
    "kind": "stdin",
    "hidden_tests": [{"input": "1", "output": ""}, {"input": "2", "output": ""}],
    "checker": {"program": "import json, sys\nprint(len(json.load(sys.stdin)['output'].split()))\n"},
    "full_score": 2,
}
SOME = ("print('a')", "print('a' if input() == '1' else 'a b')")


@pytest.fixture
def cpp(cpp_tools, monkeypatch):
    """Commands take the headers that the tests made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(ROOT / "build"))
    assert cpp_tools.folder.is_relative_to(ROOT / "build")


def write(folder, name, *rows):
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.usefixtures("cpp")
def test_grade_runs_checkers_in_cpp(sstar, folder, write_set, isolated):
    """Samples in Python, a checker against the header that was named; its words are in the verdicts."""
    write_set(SUM)
    write(
        folder,
        "s.jsonl",
        {"task_id": "sum", "solution": "print(1, 6)"},
        {"task_id": "sum", "solution": "print(1, 1)"},
    )
    words = ("grade", "jsonl:problems.jsonl", "s.jsonl", *isolated, "--out", "run")
    ended = sstar(*words, "--testlib", str(HEADER.parent))
    assert (ended.code, "AC 1  WA 1" in ended.out) == (0, True), ended.err
    rows = [json.loads(line) for line in (folder / "run" / "verdicts.jsonl").read_text().splitlines()]
    assert rows[1]["error"] == "test 1: WA: the checker: wrong answer another sum"
    assert "testlib" not in json.dumps(rows)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "sum: its checker includes testlib.h, which does not come with sstar: name the file"),
        (("--testlib", "nowhere.h"), "--testlib nowhere.h: no such file; name testlib.h"),
        (("--testlib", "s.jsonl"), "--testlib s.jsonl: it does not define registerTestlibCmd"),
    ],
)
def test_a_header_that_is_not_there_is_one_line(sstar, folder, write_set, words, told):
    """Before anything is opened or written."""
    write_set(SUM)
    write(folder, "s.jsonl", {"task_id": "sum", "solution": "print(1, 6)"})
    ended = sstar("grade", "jsonl:problems.jsonl", "s.jsonl", "--out", "run", *words)
    assert ended.code == 2
    assert told in ended.err
    assert not (folder / "run").exists()
    assert sstar("ls", "jsonl:problems.jsonl").code == 0


def test_scores_are_kept_and_their_mean_is_shown(sstar, folder, write_set, isolated):
    """In the verdicts, in the summary and on stdout; all tests of such a problem are run."""
    write_set(SCORED)
    codes = ["print('a b')", "print('a' if input() == '1' else 'a b')", "1 / 0"]
    write(folder, "s.jsonl", *({"task_id": "long", "solution": code} for code in codes))
    words = ("grade", "jsonl:problems.jsonl", "s.jsonl", *isolated, "--out", "run")
    ended = sstar(*words)
    assert "score  0.583, the mean of 1 problems that have scores" in ended.out
    rows = [json.loads(line) for line in (folder / "run" / "verdicts.jsonl").read_text().splitlines()]
    assert [(row["verdict"], row["score"]) for row in rows] == [("AC", 1.0), ("WA", 0.75), ("RE", 0.0)]
    assert [test["score"] for test in rows[1]["tests"]] == [0.5, 1.0]
    ended = sstar(*words, "--json", "--fresh")
    assert (ended.json["score"], ended.json["scored_problems"]) == (1.75 / 3, 1)


def test_select_prefers_what_scores_more(sstar, folder, write_set, isolated):
    """Where no program passes a public test the one with the most points is best."""
    write_set(SCORED | {"public_tests": SCORED["hidden_tests"]})
    codes = ["print()", "print('a')", "print(1 / 0)"]
    write(folder, "s.jsonl", *({"task_id": "long", "solution": code} for code in codes))
    words = ("--no-model", "--method", "first", "--out", "run")
    ended = sstar("select", "jsonl:problems.jsonl", "s.jsonl", *isolated, *words)
    assert ended.code == 0, ended.err
    (row,) = [json.loads(line) for line in (folder / "run" / "selections.jsonl").read_text().splitlines()]
    assert row["chosen"] == 1


@pytest.mark.usefixtures("cpp")
def test_validate_asks_the_validator(sstar, write_set, isolated):
    """About the input of every test; the first that it refuses is a fault, in its own words."""
    source = """#include "testlib.h"
int main(int argc, char **argv) {
    registerValidation(argc, argv);
    inf.readInt(1, 9, "n");
    inf.readEoln();
    inf.readEof();
}
"""
    tests = [{"input": text, "output": "0"} for text in ("7\n", "7", "10\n")]
    write_set(
        SUM | {"hidden_tests": tests, "checker": "exact", "validator": {"program": source, "language": "cpp"}}
    )
    ended = sstar("validate", "jsonl:problems.jsonl", *isolated, "--testlib", str(HEADER))
    assert ended.code == 1
    assert "sum: hidden test 1: the validator refuses the input: FAIL another character expected" in ended.out
    python = {"program": "n = input()\nassert 1 <= int(n) <= 9, f'{n} is too large'\n"}
    write_set(SUM | {"hidden_tests": tests, "checker": "exact", "validator": python})
    ended = sstar("validate", "jsonl:problems.jsonl", *isolated)
    assert "hidden test 2: the validator refuses the input: " in ended.out
    assert "10 is too large" in ended.out


def test_eval_keeps_scores_and_chooses_by_them(sstar, folder, serve, write_set, isolated):
    """The score of what was chosen is in the summary; a sample's best round is the one with most points."""
    write_set(SCORED | {"public_tests": SCORED["hidden_tests"]})

    def answer(body):
        is_repair = len(body["messages"]) > 2
        return chat(f"```python\n{'print()' if is_repair else SOME[body['seed'] % 2]}\n```")

    server = serve(answer)
    words = (
        "-m",
        "tiny",
        "--base-url",
        server.base_url,
        "--n",
        "2",
        "--rounds",
        "1",
        "--out",
        "run",
        "--json",
    )
    ended = sstar("eval", "jsonl:problems.jsonl", *words, *isolated, "--select", "first", "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["score"], ended.json["scored_problems"], ended.json["selected@1"]) == (0.75, 1, 0.0)
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["score"] == 0.75
    again = sstar("eval", "jsonl:problems.jsonl", *words, *isolated, "--select", "first", "--json")
    assert again.json["score"] == 0.75
    assert "score 0.750 of 1 problem" in sstar("report", "run").out


@pytest.mark.usefixtures("cpp")
def test_validate_runs_the_generator(sstar, write_set, isolated):
    """Its failures, what the validator refuses, and the references that fail or contradict the first."""
    source = """#include "testlib.h"
int main(int argc, char **argv) {
    registerGen(argc, argv, 1);
    println(opt<int>(1));
}
"""
    generator = {"program": source, "language": "cpp", "commands": "./gen 5\n./gen\n./gen 12\n./gen 6\n"}
    validator = {"program": "n = int(input())\nassert n < 10, f'{n} is too large'\n"}
    right, other = "print(int(input()) * 2)", "n = int(input())\nprint(2 if n == 1 else n)"
    problem = {
        "id": "twice",
        "statement": "Twice.",
        "kind": "stdin",
        "hidden_tests": [{"input": "1", "output": "2"}],
        "generator": generator,
        "validator": validator,
        "metadata": {"references": [right, other, "assert int(input()) < 6\nprint(2)"]},
    }
    write_set(problem)
    ended = sstar("validate", "jsonl:problems.jsonl", *isolated, "--testlib", str(HEADER))
    assert ended.code == 1, ended.err
    assert ended.out.splitlines() == [
        "twice: the generator fails with arguments '': RE: FAIL no argument 1",
        "twice: the validator refuses the input generated with '12': AssertionError: 12 is too large",
        "twice: reference 1 fails on the input generated with '5': WA",
        "twice: reference 2 fails on the input generated with '5': WA",
        "1 problems, 4 faults, 0 notes; 3 of 3 references passed; 3 inputs generated",
    ]
    python = {"program": "import sys\nprint(sys.argv[1])\n", "commands": "5\n6"}
    write_set(problem | {"generator": python, "metadata": {"reference": right}})
    ended = sstar("validate", "jsonl:problems.jsonl", *isolated, "--json")
    assert (ended.code, ended.json["generated_inputs"], ended.json["passed"]) == (0, 2, 1)


def test_grade_needs_no_header_for_a_generator(sstar, folder, write_set, isolated):
    """It is not run; only who runs it has to name the header."""
    generator = {"program": '#include "testlib.h"\nprint()', "commands": ""}
    row = {"id": "a", "statement": "s", "kind": "stdin", "hidden_tests": [{"input": "", "output": "1"}]}
    write_set(row | {"generator": generator})
    write(folder, "s.jsonl", {"task_id": "a", "solution": "print(1)"})
    ended = sstar("grade", "jsonl:problems.jsonl", "s.jsonl", *isolated, "--out", "run")
    assert (ended.code, "AC 1" in ended.out) == (0, True), ended.err
    write_set(row | {"generator": {**generator, "commands": 5}})
    ended = sstar("ls", "jsonl:problems.jsonl")
    assert ended.code == 2
    assert "key 'generator': its commands must be a text" in ended.err


@pytest.mark.usefixtures("cpp")
def test_functions_in_cpp_are_graded(sstar, folder, isolated):
    """HumanEval-X and MultiPL-E: bodies and functions, wrong ones, and one that ends before its tests."""
    from tests.problems.formats.published.test_frames import SETS, WHOLE

    codes = {
        "    return 2 * n;\n}\n": "AC",
        WHOLE: "AC",
        "    return n + 2;\n}\n": "WA",
        "    std::abort();\n}\n": "RE",
        f"#include <cstdlib>\n{WHOLE}struct Early {{ Early() {{ std::exit(0); }} }} early;\n": "WA",
        "    return x;\n}\n": "CE",
    }
    for name, row in SETS.items():
        write(folder, "set.jsonl", row)
        key = row.get("task_id", row.get("name"))
        write(folder, "s.jsonl", *({"task_id": key, "solution": code} for code in codes))
        words = (f"{name}:set.jsonl", "s.jsonl", *isolated, "--language", "cpp", "--out", name)
        ended = sstar("grade", *words)
        assert ended.code == 0, ended.err
        rows = [json.loads(line) for line in (folder / name / "verdicts.jsonl").read_text().splitlines()]
        assert [row["verdict"] for row in rows] == list(codes.values())
        assert sstar("validate", f"{name}:set.jsonl", *isolated).out.startswith("1 problems, 0 faults")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("eval", "multipl-e:set.jsonl", "-m", "tiny", "--language", "cpp"), "asks for a C++ function"),
        (("solve", "multipl-e:set.jsonl#HumanEval_7_twice", "-m", "tiny"), "asks for a C++ function"),
        (("select", "multipl-e:set.jsonl", "s.jsonl"), "asks for a C++ function"),
        (("harden", "multipl-e:set.jsonl", "--programs", "s.jsonl"), "asks for a C++ function"),
        (("grade", "multipl-e:set.jsonl", "s.jsonl"), "give the samples as"),
    ],
)
def test_what_only_grades_functions_in_cpp_is_one_line(sstar, folder, words, told):
    """Nothing is asked or opened; samples that say they are Python are refused."""
    from tests.problems.formats.published.test_frames import MULTIPL_E

    write(folder, "set.jsonl", MULTIPL_E)
    write(folder, "s.jsonl", {"task_id": "HumanEval_7_twice", "solution": "x", "language": "python"})
    ended = sstar(*words)
    assert (ended.code, told in ended.err) == (2, True), ended.err
