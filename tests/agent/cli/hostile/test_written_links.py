"""Whatever a command writes, a link that somebody put in the file's place is not followed."""

from __future__ import annotations

import json

import pytest

STUB = 'def f(a: int) -> int:\n    """One more.\n\n    >>> f(1)\n    2\n    """\n    ...\n'


@pytest.fixture
def victim(folder):
    """A file that has to stay as it is."""
    path = folder / "victim"
    path.write_text("precious")
    yield path
    assert path.read_text() == "precious"


@pytest.mark.parametrize("flag", ["--sarif", "--junit", "--summary"])
def test_reports_of_check(sstar, folder, victim, flag):
    """One line names the link."""
    (folder / "m.py").write_text(STUB)
    (folder / "report").symlink_to(victim)
    ended = sstar("check", "m.py", flag, "report")
    assert ended.code == 3
    assert "report: is a link; give the file that it leads to" in ended.err
    (folder / "report").unlink()
    assert sstar("check", "m.py", flag, "report").code == 1
    assert (folder / "report").stat().st_size


def test_log_file(sstar, folder, victim, write_set, isolated):
    """It is opened before anything is run."""
    (folder / "samples.jsonl").write_text('{"task_id": "double", "solution": "print(1)"}')
    (folder / "log").symlink_to(victim)
    ended = sstar("grade", write_set(), "samples.jsonl", "--log-file", "log", *isolated)
    assert ended.code == 3
    assert "--log-file log: cannot write (is a link" in ended.err


@pytest.mark.parametrize(
    "name",
    ["run.lock", "run.db", "run.db-wal", "manifest.json.part", "verdicts.jsonl.part", ".verdicts.jsonl.part"],
)
def test_run_folder(sstar, folder, victim, write_set, isolated, name):  # noqa: PLR0917 - fixtures
    """A folder that others could prepare, like one under /tmp."""
    (folder / "samples.jsonl").write_text('{"task_id": "double", "solution": "print(1)"}')
    (folder / "out").mkdir()
    (folder / "out" / name).symlink_to(victim)
    ended = sstar("grade", write_set(), "samples.jsonl", "--out", "out", *isolated)
    assert ended.code in (0, 2)
    assert len(ended.err.splitlines()) == 1 or ended.code == 0


@pytest.mark.parametrize("name", ["summary.json", "samples.jsonl", "report.html", "run.lock"])
def test_run_folder_that_goes_on(sstar, folder, victim, write_set, isolated, serve, name):  # noqa: PLR0917
    """Where the folder was made by us, and a link was put into it later."""
    words = ["eval", write_set(), "-m", "tiny", "--base-url", serve().base_url, "--n", "1", "--out", "out"]
    assert sstar(*words, *isolated).code == 0
    (folder / "out" / name).unlink()
    (folder / "out" / name).symlink_to(victim)
    ended = sstar(*words, *isolated)
    assert ended.code == 3
    assert f"out/{name}: cannot write (is a link" in ended.err


def test_tests_and_recording(sstar, folder, victim, write_set, isolated, serve):  # noqa: PLR0917
    """`--emit-tests --overwrite` and `--record`."""
    words = ["select", write_set(), "samples.jsonl", "--no-model", *isolated]
    rows = [{"task_id": "double", "solution": f"print(int(input()) * 2 + 0 * {n})"} for n in range(3)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "test_it.py").symlink_to(victim)
    assert sstar(*words, "--emit-tests", "test_it.py", "--overwrite").code in (0, 2)
    (folder / "calls.jsonl").symlink_to(victim)
    words = ["eval", write_set(), "-m", "tiny", "--base-url", serve().base_url, "--record", "calls.jsonl"]
    ended = sstar(*words, "--n", "1", *isolated)
    assert (ended.code, "cannot record there: is a link" in ended.err) == (2, True)


def test_names_of_files_that_are_flags(sstar, folder, victim):
    """A hook gives a command the names of a repository's files as they are, and none of them is a flag."""
    (folder / "m.py").write_text(STUB)
    (folder / "--sarif=..").mkdir()
    name = f"--sarif=../{victim.name}"
    (folder / name).write_text("#!/usr/bin/env python\n")
    ended = sstar("check", "m.py", name)
    assert ended.code == 2
    assert f"{name!r} is a file here, not a flag; write ./{name}, or -- before names of files" in ended.err
    assert sstar("check", "--", "m.py", name).code == 1
    assert sstar("check", "m.py", f"./{name}").code == 1
