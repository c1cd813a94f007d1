"""A file that is written takes the place of the old one whole, or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from sstar_code.problems.files import open_replacement, open_to_append, replace_file, write_text
from tests.support import ROOT


def test_the_new_content_is_there_and_nothing_else(tmp_path):
    """Text goes in as UTF-8, bytes as they are, and no scratch file is left beside them."""
    write_text(tmp_path / "a", "é\n")
    replace_file(tmp_path / "b", b"\xff")
    replace_file(tmp_path / "b", b"\xfe")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a": "é\n".encode(),
        "b": b"\xfe",
    }


def test_the_mode_of_an_old_file_stays(tmp_path):
    """A file that is replaced keeps who may do what with it; a new one has what the umask leaves."""
    (path := tmp_path / "hook").write_text("old")
    path.chmod(0o750)
    write_text(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    write_text(tmp_path / "fresh", "")
    (plain := tmp_path / "plain").touch()
    assert (tmp_path / "fresh").stat().st_mode == plain.stat().st_mode


def test_an_error_in_the_middle_leaves_the_old_file(tmp_path):
    """Where the block raises, the old content stays and what was written of the new is gone."""
    (path := tmp_path / "a").write_text("old")
    with pytest.raises(TypeError), open_replacement(path) as stream:
        stream.writelines([b"half", "no bytes"])
    assert [(item.name, item.read_text()) for item in tmp_path.iterdir()] == [("a", "old")]


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path):
    """The caller says what it was about; the error is the system's."""
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "no" / "a", "x")


def test_content_and_name_are_on_the_disk_in_this_order(tmp_path, monkeypatch):
    """The content is flushed before the name changes, and the folder after it."""
    steps = []
    flush, replace = os.fsync, os.replace

    def note_flush(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")
        flush(descriptor)

    def note_replace(*names, **options):
        steps.append("name")
        replace(*names, **options)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(os, "replace", note_replace)
    write_text(tmp_path / "a", "x")
    assert steps == ["content", "name", "folder"]


_KILLED = """
import os, sys
from pathlib import Path
from sstar_code.problems.files import open_replacement
with open_replacement(Path(sys.argv[1])) as stream:
    stream.write(b"half")
    stream.flush()
    os.kill(os.getpid(), 9)
"""


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path):
    """A process that dies while it writes has changed nothing that anybody reads."""
    (path := tmp_path / "a").write_text("old")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", _KILLED, str(path)], env=environment, check=False)
    assert path.read_text() == "old"
    assert all(item.suffix == ".part" for item in tmp_path.iterdir() if item != path)


@pytest.mark.parametrize("make", ["link", "dangling", "pipe", "folder"])
@pytest.mark.parametrize("write", [lambda path: write_text(path, "new"), open_to_append])
def test_nothing_but_a_file_is_written(tmp_path, make, write):
    """A link in the file's place is not followed, and nothing is waited for."""
    (tmp_path / "victim").write_text("old")
    path = tmp_path / "a"
    {
        "link": lambda: path.symlink_to("victim"),
        "dangling": lambda: path.symlink_to("new"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }[make]()
    with pytest.raises(OSError, match="is a link" if path.is_symlink() else "is no regular file"):
        write(path)
    assert (tmp_path / "victim").read_text() == "old"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a", "victim"]


def test_appending_goes_on_where_a_file_ends(tmp_path):
    """A file is made, and continued."""
    for _ in range(2):
        with os.fdopen(open_to_append(tmp_path / "a"), "ab") as file:
            file.write(b"x")
    assert (tmp_path / "a").read_bytes() == b"xx"
