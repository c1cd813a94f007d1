"""`sstar select` on samples from anywhere."""

from __future__ import annotations

import json
import runpy
import sys
from contextlib import nullcontext

import pytest

from tests.support.plugins import install_example

RIGHT = "print(int(input()) * 2)"
WRONG = "print(int(input()) ** 2)"
BROKEN = "print("


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(folder, files):
    for name, code in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(code)


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({"double/0.py": BROKEN, "double/1.py": RIGHT, "double/2.py": RIGHT + " "}, "double/1.py"),
        ({"gpt/double/0.py": BROKEN, "gpt/double/1.py": RIGHT}, "gpt/double/1.py"),
        ({"double.py": RIGHT}, "double.py"),
        ({"double_0.py": BROKEN, "double_1.py": RIGHT}, "double_1.py"),
        ({"mine.py": BROKEN, "yours.py": RIGHT}, "yours.py"),
    ],
)
def test_folders_of_programs(sstar, write_set, isolated, folder, *, files, chosen):
    """A folder a problem, files named like it, or any files for one problem; the file chosen is named."""
    write(folder / "programs", files)
    ended = sstar(
        "select", write_set(), "programs", "--no-model", "--method", "mbr", "--out", "run", *isolated
    )
    assert ended.code == 0, ended.err
    (row,) = read_lines(folder / "run" / "selections.jsonl")
    assert row["file"] == chosen


def test_unknown_folder_names_say_what_to_do(sstar, write_set, folder):
    """A folder that is named like no problem of several is an error of one line."""
    one = {"statement": "s", "kind": "stdin"}
    write(folder / "programs", {"c/0.py": RIGHT})
    ended = sstar("select", write_set({"id": "a", **one}, {"id": "b", **one}), "programs", "--no-model")
    assert ended.code == 2
    assert "c/0.py: no problem 'c'" in ended.err
    assert len(ended.err.strip().splitlines()) <= 2


def test_several_files_say_who_wrote(sstar, write_set, isolated, folder):
    """Samples of several files count in the order given; the writer that passes more tests is trusted."""
    test = {"public_tests": [{"input": "2\n", "output": "4"}], "statement": "Double it.", "kind": "stdin"}
    names = [*(f"p{number}" for number in range(6)), "last"]
    spec = write_set(*({"id": name, **test} for name in names))
    for name, code in (("poor", BROKEN), ("good", RIGHT)):
        lines = [{"task_id": f"p{number}", "solution": code} for number in range(6)]
        lines.append({"task_id": "last", "solution": WRONG if name == "poor" else RIGHT})
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    words = ["select", spec, "poor.jsonl", "good.jsonl", "--no-model", "--method", "adaptive", *isolated]
    ended = sstar(*words)
    assert ended.code == 0, ended.err
    assert [line.split("\t")[1] for line in ended.out.splitlines()] == ["1"] * 7


def test_explain_prints_the_evidence(sstar, write_set, isolated, folder):
    """`--explain` prints clusters and what split them instead of the list; files are written all the same."""
    write(folder / "programs", {"double/0.py": RIGHT, "double/1.py": WRONG, "double/2.py": RIGHT + " "})
    words = [
        "select",
        write_set(),
        "programs",
        "--no-model",
        "--method",
        "majority",
        "--out",
        "run",
        *isolated,
    ]
    ended = sstar(*words, "--explain", "double")
    assert ended.code == 0, ended.err
    assert "Inputs that split them" in ended.out
    assert (folder / "run" / "derived.jsonl").exists()
    wrong = sstar(*words, "--explain", "doubel")
    assert (wrong.code, "did you mean 'double'?" in wrong.err) == (2, True)


def test_confirmed_inputs_become_tests(sstar, write_set, isolated, folder):
    """`--emit-tests` writes what all survivors agree on; a file that is there is refused at once."""
    texts = [RIGHT, "n = int(input())\nprint(n + n)", "print(sum([int(input())] * 2))"]
    write(folder / "programs", {f"double/{number}.py": text for number, text in enumerate(texts)})
    words = ["select", write_set(), "programs", "--no-model", "--emit-tests", "test_double.py", *isolated]
    ended = sstar(*words, "--out", "run")
    assert ended.code == 0, ended.err
    assert "3 tests in test_double.py, for the program in solution.py" in ended.err
    for code, passes in ((RIGHT, True), (WRONG, False)):
        (folder / "solution.py").write_text(code)
        found = runpy.run_path("test_double.py")
        with nullcontext() if passes else pytest.raises(AssertionError):
            for name in ("test_double_1", "test_double_2", "test_double_3"):
                found[name]()
    again = sstar(*words, "--out", "other")
    assert (again.code, "test_double.py is there already" in again.err) == (2, True)
    assert not (folder / "other").exists()
    assert sstar(*words, "--out", "run", "--overwrite").code == 0
    assert sstar(*words[:-3], "--emit-tests", "tests.txt").code == 2


def test_tests_of_several_problems_go_to_a_folder(sstar, write_set, isolated, folder):
    """One file a problem, where something was confirmed; a problem without is named."""
    one = {"public_tests": [{"input": "2\n", "output": "4"}], "statement": "Double it.", "kind": "stdin"}
    spec = write_set({"id": "p/1", **one}, {"id": "p/2", **one})
    texts = [RIGHT, "n = int(input())\nprint(n + n)", "print(sum([int(input())] * 2))"]
    lines = [{"task_id": "p/1", "solution": text} for text in texts] + [{"task_id": "p/2", "solution": RIGHT}]
    (folder / "samples.jsonl").write_text("\n".join(map(json.dumps, lines)))
    words = ["select", spec, "samples.jsonl", "--no-model", *isolated]
    ended = sstar(*words, "--emit-tests", "tests")
    assert ended.code == 0, ended.err
    assert [path.name for path in (folder / "tests").iterdir()] == ["test_p_1.py"]
    assert "p/2: no input was confirmed" in ended.err
    assert sstar(*words, "--emit-tests", "tests.py").code == 2


def test_a_method_of_another_package(sstar, write_set, isolated, folder, monkeypatch):
    """`--select NAME` takes a method that an installed package brings; a near miss suggests it."""
    monkeypatch.syspath_prepend(str(install_example("method_example", folder / "site")))
    write(
        folder / "programs", {"double/0.py": RIGHT + "  # long", "double/1.py": RIGHT, "double/2.py": BROKEN}
    )
    words = ("select", write_set(), "programs", "--no-model", "--out", "run", *isolated)
    ended = sstar(*words, "--select", "shortest")
    sys.modules.pop("sstar_method_example", None)
    assert ended.code == 0, ended.err
    (row,) = read_lines(folder / "run" / "selections.jsonl")
    assert (row["method"], row["file"]) == ("shortest", "double/1.py")
    ended = sstar(*words, "--select", "shorest")
    assert ended.code == 2
    assert "did you mean 'shortest'?" in ended.err


def test_a_call_that_no_test_file_can_make_is_not_written(sstar, folder, isolated):
    """Nodes and results in place are the judge's; it is said, and nothing is written."""
    row = {
        "id": "drop",
        "statement": "Drop the last.",
        "kind": "function",
        "entry_point": "drop",
        "starter_code": "def drop(xs: list) -> None:\n",
        "public_tests": [{"input": "[1, 2]", "output": "[1]"}],
    }
    (folder / "p.jsonl").write_text(json.dumps(row))
    codes = [f"def drop(xs):\n    {body}" for body in ("xs.pop()", "del xs[-1]", "xs[:] = xs[:-1]")]
    lines = [json.dumps({"task_id": "drop", "solution": code}) for code in codes]
    (folder / "s.jsonl").write_text("\n".join(lines))
    ended = sstar(
        "select", "jsonl:p.jsonl", "s.jsonl", "--no-model", "--emit-tests", "test_drop.py", *isolated
    )
    assert ended.code == 0
    assert "a test file cannot say how it is called" in ended.err
    assert not (folder / "test_drop.py").exists()
