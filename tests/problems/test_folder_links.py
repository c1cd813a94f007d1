"""Folders of problems, samples and prompts come from anybody: nothing outside them is read."""

from __future__ import annotations

import json
import os

import pytest

from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.repository.find.project_files import list_files, read_targets
from sstar_code.problems import UserError, load_set, read_samples
from sstar_code.problems.files import why_outside

ROW = json.dumps({"id": "a", "statement": "SECRET", "kind": "stdin"})


@pytest.fixture
def inner(tmp_path):
    """A folder beside a file that is nobody's business."""
    (tmp_path / "secret").write_text(ROW)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "m.py").write_text("pass\n")
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner"


LOADERS = {
    "a.md": lambda folder: load_set(f"jsonl:{folder}"),
    "a.json": lambda folder: load_set(f"jsonl:{folder}"),
    "a.jsonl": lambda folder: load_set(f"jsonl:{folder}"),
    "test.jsonl": lambda folder: load_set(f"lcb@release_v1:{folder}"),
    "a.py": read_samples,
    "generate.j2": Prompts,
}


@pytest.mark.parametrize(
    "target", ["/proc/self/environ", "/etc/passwd", "../secret", "chain", "../inner/../secret"]
)
@pytest.mark.parametrize("name", LOADERS)
def test_link_that_leads_out_is_named(inner, name, target):
    """Absolute, relative, by another link, through a parent."""
    (inner / "chain").symlink_to("../secret")
    (inner / name).symlink_to(target)
    with pytest.raises(UserError, match=rf"{name}: is a link that leads out of") as refused:
        LOADERS[name](inner)
    assert "SECRET" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["a.md", "a.jsonl", "generate.j2"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.mkdir()])
def test_what_is_no_file_is_not_waited_for(inner, name, make):
    """A pipe, a folder."""
    make(inner / name)
    with pytest.raises(UserError, match=rf"{name}: is no regular file"):
        LOADERS[name](inner)


def test_link_that_stays_inside_is_followed(inner):
    """Also in a snapshot of the hub's cache, whose files are links to `blobs`."""
    (inner / "text").write_text("Read n and print it.")
    (inner / "a.md").symlink_to("text")
    assert [problem.id for problem in load_set(f"jsonl:{inner}").problems] == ["a"]
    snapshot = inner / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (inner / "blobs").mkdir()
    (inner / "blobs" / "x").write_text(ROW)
    (snapshot / "a.jsonl").symlink_to("../../blobs/x")
    assert load_set(f"jsonl:{snapshot}").problems[0].id == "a"
    (snapshot / "b.jsonl").symlink_to("../../text")
    with pytest.raises(UserError, match=r"b\.jsonl: is a link that leads out"):
        load_set(f"jsonl:{snapshot}")


def test_hub_folder_that_is_a_link_itself(inner):
    """`blobs` may not lead on."""
    snapshot = inner / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (inner / "blobs").symlink_to("..")
    (snapshot / "a.jsonl").symlink_to("../../blobs/secret")
    assert why_outside(snapshot, snapshot / "a.jsonl") is not None


def test_repository_is_its_own_files(inner, monkeypatch):
    """`check` and `fix` read no file, and no folder, that a link of the repository leads to."""
    (inner / "own.py").write_text("pass\n")
    (inner / "alias.py").symlink_to("own.py")
    (inner / "out.py").symlink_to("../outside/m.py")
    (inner / "folder").symlink_to("../outside")
    (inner / "loop.py").symlink_to("loop.py")
    os.mkfifo(inner / "pipe.py")
    monkeypatch.chdir(inner)
    assert list_files(inner) == ["alias.py", "own.py"]
    assert {path.name for path, _ in read_targets(["."])} == {"alias.py", "own.py"}
    with pytest.raises(UserError, match=r"out\.py: a link that leads out"):
        read_targets(["out.py"])
