"""The tools of C++ in the user's cache."""

from __future__ import annotations

import os
import time

import pytest

from sstar_code.sandbox.languages import host, toolchain


@pytest.fixture
def lay_down(monkeypatch, tmp_path):
    """Has the tools of a version laid down, without a compiler; their folder."""

    def make(folder, compiler=None):
        folder.mkdir()
        (folder / "tools.json").write_text('{"trees": [], "files": [], "loaders": []}')

    def lay_down(version):
        monkeypatch.setattr(host, "_name", lambda compiler: version)
        return host.prepare_tools(tmp_path).folder

    monkeypatch.setattr(toolchain, "find_compiler", lambda: "/usr/bin/g++")
    monkeypatch.setattr(toolchain, "prepare", make)
    return lay_down


def test_two_versions_in_use_live_side_by_side(lay_down):
    """Neither removes what the other uses, so that nothing is compiled twice."""
    first, second = lay_down("one"), lay_down("two")
    assert first != second
    assert first.is_dir()
    week_ago_s = time.time() - host._KEPT_S - 60
    os.utime(first, (week_ago_s, week_ago_s))
    lay_down("one")
    lay_down("three")
    assert first.is_dir()


def test_what_nobody_uses_goes_in_time(lay_down):
    """What belongs to a compiler that was replaced does not stay for ever."""
    first = lay_down("one")
    week_ago_s = time.time() - host._KEPT_S - 60
    os.utime(first, (week_ago_s, week_ago_s))
    assert lay_down("two").is_dir()
    assert not first.exists()
