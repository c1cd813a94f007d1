"""LiveCodeBench Pro's rows, with packages as its judge reads them."""

from __future__ import annotations

import json
import zipfile

import pytest

from sstar_code.problems import ProblemFileError, Test, load_set
from sstar_code.problems.sets.faults import find_faults

ROW = {
    "problem_id": "1983A",
    "problem_title": "Twice",
    "difficulty": "easy",
    "platform": "Codeforces",
    "problem_statement": "Twice n.",
}
SOURCE = '#include "testlib.h"\nint main() {}\n'
FILES = {
    "config.yaml": "type: default  # or interactive\ntime: 1500ms\nmemory: 512m\nchecker: chk.cc\n"
    "subtasks:\n  - score: 100\n    n_cases: 2\n",
    "chk.cc": SOURCE,
    "testdata/1.in": "2\r\n",
    "testdata/1.ans": "4\n",
    "testdata/2.in": "3\n",
    "testdata/2.out": "6\n",
}
INTERACTIVE = {
    "config.yaml": "type: interactive\ntime_limit: 2\nmemory_limit: 1g\ninteractor: interactor.cc\n"
    "subtasks:\n  - score: 100\n    cases:\n      - input: one.in\n        output: one.ans\n",
    "interactor.cc": SOURCE,
    "testdata/one.in": "37\n",
    "testdata/one.ans": "",
}


def write(folder, files, *, packed=True):
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    if packed:
        with zipfile.ZipFile(folder / "1983A.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    else:
        for name, text in files.items():
            (folder / "1983A" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "1983A" / name).write_text(text, newline="")
    return f"lcb-pro:{path}"


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
def test_a_package_has_tests_limits_and_a_checker(tmp_path, packed):
    """As a zip file or unpacked; answers are `.ans` or `.out`."""
    (problem,) = load_set(write(tmp_path, FILES, packed=packed)).problems
    assert (problem.id, problem.statement) == ("1983A", "Twice n.")
    assert tuple(problem.hidden_tests) == (Test("2\n", "4\n"), Test("3\n", "6\n"))
    assert (problem.time_limit_s, problem.memory_limit_mb) == (1.5, 512)
    assert problem.checker == {"program": SOURCE, "language": "cpp"}
    assert problem.interactor is None
    assert list(find_faults([problem])) == []


def test_an_interactive_package_has_an_interactor(tmp_path):
    """It alone judges; tests are listed by name."""
    (problem,) = load_set(write(tmp_path, INTERACTIVE)).problems
    assert problem.interactor == {"program": SOURCE, "language": "cpp"}
    assert tuple(problem.hidden_tests) == (Test("37\n", ""),)
    assert (problem.time_limit_s, problem.memory_limit_mb) == (2.0, 1024)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config.yaml": None}, "has no config.yaml"),
        ({"config.yaml": "type: leetcode\n"}, "type 'leetcode' is not known"),
        ({"config.yaml": "what is this\n"}, "config.yaml: 'what is this' cannot be read"),
        (
            {"config.yaml": "time: soon\nsubtasks:\n  - n_cases: 1\n"},
            "time_limit must be like 1s, got 'soon'",
        ),
        ({"config.yaml": "subtasks:\n  - n_cases: many\n"}, "n_cases must be a number"),
        ({"config.yaml": "type: default\n"}, "config.yaml lists no test"),
        ({"testdata/2.out": None}, "testdata/2.in or its answer 2.ans is missing"),
        ({"chk.cc": None}, "has no chk.cc"),
    ],
)
def test_a_package_that_cannot_be_read_is_one_line(tmp_path, change, message):
    """With the package and what is wrong in it."""
    files = {name: text for name, text in (FILES | change).items() if text is not None}
    with pytest.raises(ProblemFileError) as raised:
        load_set(write(tmp_path, files))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_row_without_its_package_says_where_it_belongs(tmp_path):
    """And a file that is no zip file is named; so is an id that would lead elsewhere."""
    spec = write(tmp_path, FILES)
    (tmp_path / "1983A.zip").write_text("no zip")
    with pytest.raises(ProblemFileError, match=r"1983A\.zip: .*not a zip file"):
        load_set(spec)
    (tmp_path / "1983A.zip").unlink()
    (tmp_path / "1983A.zip").symlink_to("/etc/passwd")
    with pytest.raises(ProblemFileError, match="is a link"):
        load_set(spec)
    (tmp_path / "1983A.zip").unlink()
    with pytest.raises(ProblemFileError, match=r"put 1983A\.zip of .* beside the file"):
        load_set(spec)
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW | {"problem_id": "../../etc"}) + "\n")
    with pytest.raises(ProblemFileError, match="cannot be the name of a package"):
        load_set(spec)
