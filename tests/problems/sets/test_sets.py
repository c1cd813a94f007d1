"""Problem sets by name."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

from sstar_code.problems import UserError, load_set
from sstar_code.problems.bounds import hash_file
from sstar_code.problems.sets.load import SET_NAMES

ROW = {"id": "p", "statement": "s", "kind": "stdin"}


def test_a_set_is_read_from_its_file(tmp_path):
    """Name, path, problems and the file's hash are kept."""
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(ROW).encode()))
    loaded = load_set(f"jsonl:{path}")
    assert (loaded.name, loaded.path, loaded.revision) == ("jsonl", path, hash_file(path))
    assert [problem.id for problem in loaded.problems] == ["p"]
    assert len(loaded.revision) == 16


def test_a_folder_is_read_as_one_set(tmp_path):
    """All .jsonl files of a folder make the set, in order of name; an empty folder is a mistake."""
    with pytest.raises(UserError, match=r"no \.jsonl"):
        load_set(f"jsonl:{tmp_path}")
    for name in ("b.jsonl", "a.jsonl"):
        (tmp_path / name).write_text(json.dumps(ROW | {"id": name}))
    (tmp_path / "README.md").write_text("no")
    loaded = load_set(f"jsonl:{tmp_path}")
    assert [problem.id for problem in loaded.problems] == ["a.jsonl", "b.jsonl"]
    assert len(loaded.revision) == 16


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("humanevl:x", r"unknown problem set 'humanevl' \(did you mean 'humaneval'\?\); there are lcb, "),
        ("zzz", "unknown problem set 'zzz'; there are lcb, "),
        ("lcb:", "give lcb:PATH"),
        ("examples:x", "bundled and takes no path"),
        ("lists:x", "bundled and takes no path"),
        ("jsonl", "give jsonl:PATH"),
        ("jsonl:/no/such", "cannot be read"),
    ],
)
def test_a_wrong_name_says_what_to_do(spec, message):
    """Each mistake is one line that names what there is or what to give."""
    with pytest.raises(UserError, match=message) as caught:
        load_set(spec)
    assert "\n" not in str(caught.value)


def test_a_problem_is_found_by_either_spelling_of_its_id(tmp_path):
    """`Mbpp/6` and `6` are one problem where only one of them exists."""
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(json.dumps(ROW | {"id": name}) for name in ("Mbpp/6", "7")))
    loaded = load_set(f"jsonl:{path}")
    for asked, found in [("6", "Mbpp/6"), ("Mbpp/6", "Mbpp/6"), ("Mbpp/7", "7"), ("7", "7")]:
        assert loaded.find(asked).id == found
    for asked in ("Other/6", "8", ""):
        assert loaded.find(asked) is None


def test_importing_the_package_stays_cheap():
    """No heavy library is loaded before it is needed."""
    code = "import problems, sys; print(sorted({'pydantic', 'huggingface_hub', 'anyio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {"examples", "lists"} <= set(SET_NAMES)
