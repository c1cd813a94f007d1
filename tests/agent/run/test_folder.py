"""The run folder: what may be resumed, and that nothing is overwritten by mistake."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import closing

import pytest

from sstar_code.agent.models import Answer, Purpose, Request, Stage
from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.folder import (
    default_folder,
    drop_barren,
    note_adjustment,
    open_folder,
    read_adjustments,
)
from sstar_code.agent.run.history.starts import Starts
from sstar_code.agent.run.lock import lock
from sstar_code.agent.run.store import Store
from sstar_code.problems import UserError


def test_same_configuration_resumes(tmp_path):
    """The second start of the same command goes on; the first does not claim to."""
    manifest = {"config": {"n": 1}}
    assert open_folder(tmp_path / "run", manifest, fresh=False) is False
    assert open_folder(tmp_path / "run", manifest, fresh=False) is True


def test_other_configuration_is_refused_by_name(tmp_path):
    """What differs is named, so that two experiments never mix."""
    open_folder(tmp_path / "run", {"config": {"n": 1, "seed": 0}}, fresh=False)
    (tmp_path / "run" / "summary.json").write_text("{}")
    with pytest.raises(UserError, match=r"n was 1, is 2.*--fresh"):
        open_folder(tmp_path / "run", {"config": {"n": 2, "seed": 0}}, fresh=False)


def test_other_problems_are_told_by_what_changed(tmp_path):
    """The refusal names how many of a thousand problems went and came, not all of them."""
    ids = [f"p{number}" for number in range(1000)]
    open_folder(tmp_path / "run", {"config": {"problems": ids}}, fresh=False)
    (tmp_path / "run" / "summary.json").write_text("{}")
    told = r"\(problems were 1000, are 500: 500 left out \(p500, p501, p502, ...\)\); use --fresh or"
    with pytest.raises(UserError, match=told):
        open_folder(tmp_path / "run", {"config": {"problems": ids[:500]}}, fresh=False)
    with pytest.raises(UserError, match=r"are 1000: their order is another"):
        open_folder(tmp_path / "run", {"config": {"problems": ids[::-1]}}, fresh=False)


def test_folder_without_results_is_taken_over(tmp_path):
    """A command that failed before anything came of it (a misspelt model) does not block the next."""
    open_folder(tmp_path / "run", {"config": {"model": "tinny"}}, fresh=False)
    Store(tmp_path / "run" / "run.db").close()
    assert open_folder(tmp_path / "run", {"config": {"model": "tiny"}}, fresh=False) is False
    with closing(Store(tmp_path / "run" / "run.db")) as store:
        store.put_answer(Request((), Purpose("a", Stage.GENERATE, 0)), Answer("paid for"))
    with pytest.raises(UserError, match="model was 'tiny', is 'other'"):
        open_folder(tmp_path / "run", {"config": {"model": "other"}}, fresh=False)


def test_fresh_keeps_the_old_run(tmp_path):
    """Starting anew moves the old folder aside instead of deleting what was paid for."""
    open_folder(tmp_path / "run", {"config": {"n": 1}}, fresh=False)
    (tmp_path / "run" / "run.db").write_text("paid")
    open_folder(tmp_path / "run", {"config": {"n": 2}}, fresh=True)
    assert (tmp_path / "run.old-1" / "run.db").read_text() == "paid"
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["config"] == {"n": 2}


def test_fresh_does_not_move_a_run_that_is_being_written(tmp_path):
    """Starting anew beside a running start is refused instead of pulling its folder away."""
    open_folder(tmp_path / "run", {"config": {}}, fresh=False)
    with closing(Store(tmp_path / "run" / "run.db")), pytest.raises(UserError, match="another sstar"):
        open_folder(tmp_path / "run", {"config": {}}, fresh=True)
    assert (tmp_path / "run" / "manifest.json").exists()


def test_foreign_folder_is_left_alone(tmp_path):
    """A folder with other people's files is not written into."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not a run folder"):
        open_folder(tmp_path, {"config": {}}, fresh=False)


def test_torn_manifest_of_a_killed_start_does_not_block(tmp_path):
    """A start that was killed before its manifest was complete can be repeated."""
    (tmp_path / "manifest.json.part").write_text('{"con')
    assert open_folder(tmp_path, {"config": {}}, fresh=False) is False


def test_unwritable_place_is_one_line(tmp_path):
    """A folder below a file cannot be made; the message names the path, and it is the user's mistake."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        open_folder(tmp_path / "file" / "run", {"config": {}}, fresh=False)


def test_default_folder_is_a_function_of_the_command():
    """The same command finds its folder again; another command gets another one."""
    first = default_folder("eval", {"label": "examples-m/x", "n": 1})
    assert first == default_folder("eval", {"label": "examples-m/x", "n": 1})
    assert first != default_folder("eval", {"label": "examples-m/x", "n": 2})
    assert os.sep not in first.name


def test_half_written_file_is_never_seen(tmp_path):
    """A file is replaced in one step; the scratch file does not stay."""
    write_json(tmp_path / "a.json", {"x": 1})
    write_json(tmp_path / "a.json", {"x": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_start_that_came_to_nothing_leaves_nothing(tmp_path):
    """The folder goes, and the one above it where it holds nothing else; a folder with an answer stays."""
    folder = tmp_path / "runs" / "one"
    for kept in (False, True):
        open_folder(folder, {"config": {}}, fresh=False)
        with closing(Store(folder / "run.db")) as store:
            if kept:
                store.put_answer(Request((), Purpose("a", Stage.GENERATE, 0)), Answer("paid for"))
        drop_barren(folder)
        assert folder.exists() is kept
        assert folder.parent.exists() is kept


def test_adjustments_are_kept_once(tmp_path):
    """What an endpoint did not take is in the manifest, beside what was there."""
    open_folder(tmp_path, {"config": {"n": 1}}, fresh=False)
    for line in ("no seed", "no top_p", "no seed"):
        note_adjustment(tmp_path, line)
    assert read_adjustments(tmp_path) == ["no seed", "no top_p"]
    assert read_adjustments(tmp_path / "nothing") == []


@pytest.mark.parametrize("kind", ["deep", "link", "pipe", "kinds", "sparse"])
def test_adjustments_of_a_manifest_that_is_not_ours(tmp_path, kind):
    """Reading them hangs nowhere and follows nothing; writing is refused in one line."""
    path = tmp_path / "manifest.json"
    whole = json.dumps({"config": {}, "adjustments": ["theirs"]})
    if kind == "deep":
        path.write_text(whole[:-1] + ', "more": ' + "[" * 100_000)
    elif kind == "link":
        (tmp_path / "other.json").write_text(whole)
        path.symlink_to(tmp_path / "other.json")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "kinds":
        path.write_text(whole.replace('["theirs"]', '{"a": 1}'))
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    assert read_adjustments(tmp_path) == []
    with pytest.raises(UserError, match=r"manifest\.json: .*name another --out$"):
        note_adjustment(tmp_path, "no seed")


def test_lock_and_starts_that_somebody_made_up(tmp_path):
    """A holder's name without depth or end is not told; seconds that are no number count for nothing."""
    path = tmp_path / "run.lock"
    path.write_text("[" * 100_000)
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another sstar is working in this folder; wait"):
            lock(path)
    for text in ("[1" + "0" * 400 + "]", "[1e999]", "[[1]]"):
        (tmp_path / "starts.json").write_text(text)
        assert Starts(tmp_path).seconds < 180
