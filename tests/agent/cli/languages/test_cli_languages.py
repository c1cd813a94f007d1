"""`--language`: programs in C++ are asked for, compiled, repaired, chosen and graded as Python's are."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.testing.server import chat
from tests.support import ROOT

RIGHT = "#include <iostream>\nint main() {\n  long long x;\n  std::cin >> x;\n  std::cout << 2 * x;\n}\n"
BROKEN = RIGHT.replace("long long x;", "long long x")
SQUARE = RIGHT.replace("2 * x", "x * x")
PYTHON = "print(int(input()) * 2)"


@pytest.fixture
def cpp(cpp_tools, monkeypatch):
    """The tools that other tests have prepared, where the commands look for them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(ROOT / "build"))
    assert cpp_tools.folder.is_relative_to(ROOT / "build")


@pytest.fixture
def isolated():
    return ("--sandbox", "local", "--workers", "1")


def _fence(code):
    return f"So:\n```cpp\n{code}```\n"


@pytest.mark.usefixtures("cpp")
def test_eval_asks_for_cpp_and_repairs_it(sstar, serve, write_set, isolated, folder):
    """Prompts name C++17 and the compiler's flags, a repair its first error; files name the language."""

    def answer(body):
        text = "\n".join(message["content"] for message in body["messages"])
        return chat(_fence(RIGHT if "expected initializer" in text else BROKEN))

    server = serve(answer)
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "1", "--out", "run"]
    ended = sstar(*words, *isolated, "--language", "cpp", "--json")
    assert ended.code == 0, ended.err
    first, second = [
        "\n".join(message["content"] for message in request.body["messages"])
        for request in server.received
        if request.body is not None
    ][:2]
    assert "expert C++ programmer" in first
    assert "C++17, compiled by `g++ -std=c++17 -O2 -DONLINE_JUDGE`" in first
    assert "single ```cpp block" in first
    assert "Python" not in first
    assert "The program does not compile:\n```\nline 4: expected initializer before 'std'\n" in second
    assert "```cpp\n#include <iostream>" in second
    assert "// language" not in second
    assert "Python" not in second
    rows = [json.loads(line) for line in (folder / "run" / "samples.jsonl").read_text().splitlines()]
    assert rows == [{"task_id": "double", "solution": RIGHT, "language": "cpp17"}]
    assert ended.json["selected@1"] == 1.0
    refused = sstar(*words, *isolated)
    assert refused.code == 2
    assert "language" in refused.err


def test_solve_prints_the_program_alone(sstar, serve, isolated, folder, cpp):
    """On stdout is what a compiler takes, without our mark."""
    (folder / "task.md").write_text("Print twice the integer.\n\nInput\n2\n\nOutput\n4\n")
    server = serve(lambda _: chat(_fence(RIGHT)))
    words = ["solve", "task.md", "-m", "tiny", "--base-url", server.base_url, "--n", "1", "--out", "run"]
    ended = sstar(*words, *isolated, "--language", "cpp20")
    assert (ended.code, ended.out) == (0, RIGHT), ended.err


def test_grade_and_select_mix_languages(sstar, write_set, isolated, folder, cpp):
    """A row may name its language; programs of several languages answer one problem and vote together."""
    rows = [
        {"task_id": "double", "solution": RIGHT, "language": "cpp"},
        {"task_id": "double", "solution": PYTHON},
        {"task_id": "double", "solution": SQUARE, "language": "cpp20"},
        {"task_id": "double", "solution": BROKEN, "language": "C++"},
    ]
    (folder / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems = write_set()
    ended = sstar("grade", problems, "mixed.jsonl", "--out", "graded", *isolated)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("4 samples of 1 problems: AC 2  WA 1  CE 1\n")
    words = ["select", problems, "mixed.jsonl", "--no-model", "--select", "majority", "--out", "chosen"]
    assert sstar(*words, *isolated).code == 0
    (choice,) = map(json.loads, (folder / "chosen" / "selections.jsonl").read_text().splitlines())
    assert [0, 1] in choice["clusters"]
    assert choice["chosen"] == 0
    (program,) = map(json.loads, (folder / "chosen" / "samples.jsonl").read_text().splitlines())
    assert (program["solution"], program["language"]) == (RIGHT, "cpp17")


def test_folder_and_extraction(sstar, write_set, isolated, folder, cpp):
    """Files end in .cpp, and answers are taken apart by the language that is given for all."""
    (folder / "programs").mkdir()
    (folder / "programs" / "double.cpp").write_text(RIGHT)
    assert "AC 1" in sstar("grade", write_set(), "programs", "--out", "one", *isolated).out
    answer = {"task_id": "double", "solution": f"First a draft.\n```cpp\nint f();\n```\n{_fence(RIGHT)}Done."}
    (folder / "answers.jsonl").write_text(json.dumps(answer) + "\n")
    words = ["grade", write_set(), "answers.jsonl", "--extract", "--language", "cpp", "--out", "two"]
    assert "AC 1" in sstar(*words, *isolated).out


def test_what_cannot_be_is_one_line(sstar, serve, folder, write_set, isolated):
    """An unknown language, a function, a preset, a strategy for Python: refused before anything is asked."""
    server = serve()
    model = ["-m", "tiny", "--base-url", server.base_url]
    for words, said in (
        (["eval", write_set(), "--language", "rust"], "unknown language 'rust'"),
        (["eval", "examples", "--language", "cpp"], "asks for a Python function"),
        (["eval", write_set(), "--language", "cpp", "--preset", "lcb"], "leaderboards ask for Python"),
        (
            ["eval", write_set(), "--language", "cpp", "--strategy", "beam"],
            "--strategy beam works with Python",
        ),
    ):
        ended = sstar(*words, *model, *isolated)
        assert ended.code == 2, ended.err
        assert said in ended.err
    (folder / "s.jsonl").write_text(
        json.dumps({"task_id": "double", "solution": "x", "language": "go"}) + "\n"
    )
    ended = sstar("grade", write_set(), "s.jsonl", *isolated)
    assert (ended.code, "s.jsonl: double: unknown language 'go'" in ended.err) == (2, True)
    assert not server.received


def test_without_a_compiler(sstar, folder, write_set, isolated, monkeypatch):
    """One line says what to install, and a Python sample would still be graded."""
    monkeypatch.setenv("PATH", str(folder))
    (folder / "s.jsonl").write_text(
        json.dumps({"task_id": "double", "solution": RIGHT, "language": "cpp"}) + "\n"
    )
    ended = sstar("grade", write_set(), "s.jsonl", *isolated)
    assert ended.code == 2
    assert "C++ needs a compiler: install g++" in ended.err
    (folder / "p.jsonl").write_text(json.dumps({"task_id": "double", "solution": PYTHON}) + "\n")
    assert sstar("grade", write_set(), "p.jsonl", "--out", "python", *isolated).code == 0


def test_no_answer_chooses_its_language(sstar, serve, write_set, isolated, folder):
    """A Python answer that begins like a program in C++ is a Python program with a fault, and ends no run."""
    server = serve(lambda _: chat(f"```python\n// language: cpp17\n{RIGHT}```\n"))
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "1", "--out", "run"]
    ended = sstar(*words, "--rounds", "0", *isolated, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["selected@1"] == 0.0
    row = {"task_id": "double", "solution": f"// language: cpp17\n{RIGHT}", "language": "python"}
    (folder / "s.jsonl").write_text(json.dumps(row))
    ended = sstar("grade", write_set(), "s.jsonl", *isolated, "--json")
    assert (ended.code, ended.json["verdicts"]) == (0, {"CE": 1}), ended.err
