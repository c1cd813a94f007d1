"""Which releases there are, how large they are told to be, and which files a tag means."""

from __future__ import annotations

import pytest

from sstar_code.problems import UserError
from sstar_code.problems.sets.load import SET_NAMES
from sstar_code.problems.sets.releases import find_release, list_releases


def test_releases_and_their_sizes_in_mb():
    """As published; the first is what the set's name alone means."""
    found = {
        name: [(one.tag, one.size_mb, one.on_hub) for one in list_releases(name)]
        for name in SET_NAMES
        if list_releases(name)
    }
    assert found == {
        "lcb": [
            ("release_v6", 4486, True),
            ("release_v5", 4352, True),
            ("release_v4", 3794, True),
            ("release_v3", 2589, True),
            ("release_v2", 1966, True),
            ("release_v1", 1253, True),
        ],
        "cruxeval-o": [("v1", 1, False)],
        "cruxeval-i": [("v1", 1, False)],
        "humaneval": [("v1", 1, False)],
        "humaneval+": [("v0.1.10", 1, False)],
        "mbpp": [("v1", 1, False)],
        "mbpp+": [("v0.2.0", 1, False)],
        "apps": [("test", 1293, True), ("train", 107, True)],
        "codecontests": [("test", 63, True), ("valid", 52, True)],
    }
    assert list_releases("jsonl") == ()


@pytest.mark.parametrize(
    ("tag", "files"),
    [
        (None, range(1, 7)),
        ("release_v2", range(1, 3)),
        ("v1", range(1, 2)),
        ("v6", range(6, 7)),
        ("v2_v4", range(2, 5)),
        ("v3_v3", range(3, 4)),
    ],
)
def test_a_tag_of_livecodebench_means_files(tag, files):
    """All up to one, one alone, or from one to another."""
    names = [file.name for file in find_release("lcb", tag).files]
    assert names == [f"test{number}.jsonl" if number > 1 else "test.jsonl" for number in files]


@pytest.mark.parametrize(
    ("name", "tag", "words"),
    [
        ("lcb", "v4_v2", "no release 'v4_v2'.*single files v1 to v6, or a range like v4_v6"),
        ("lcb", "v7", "no release 'v7'"),
        ("lcb", "v0", "no release 'v0'"),
        ("apps", "v1", "no release 'v1'; there are test, train$"),
        ("jsonl", None, "is published nowhere that is known here: give jsonl:PATH"),
    ],
)
def test_what_is_no_release(name, tag, words):
    """What there is is listed."""
    with pytest.raises(UserError, match=words):
        find_release(name, tag)
