"""A sandbox by name."""

from __future__ import annotations

import pytest

from sstar_code.problems import UserError
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.docker import probe


def _probe(monkeypatch, **state):
    monkeypatch.setattr(probe, "probe_engine", lambda *_, **__: probe.EngineState("unix:///x", **state))


def test_unknown_name_lists_the_known():
    """A misspelt name is the user's mistake, and the message helps."""
    with pytest.raises(UserError, match=r"dokcer.*auto, docker, local, unsafe"):
        make_sandbox("dokcer")


@pytest.mark.parametrize(
    ("state", "name", "words"),
    [
        ({"version": "27", "image": "sstar:1"}, "docker", "engine 27"),
        ({"version": "27", "reason": "its image is missing: run `make image`"}, "local", "make image"),
        ({"reason": "no Docker engine answers"}, "local", "no Docker engine"),
    ],
)
def test_auto_takes_docker_where_it_is_ready(monkeypatch, state, name, words):
    """The choice and its reason are told in one line."""
    _probe(monkeypatch, **state)
    said = []
    sandbox = make_sandbox("auto", workers=3, say=said.append)
    assert (sandbox.name, sandbox.workers) == (name, 3)
    assert len(said) == 1
    assert words in said[0]


def test_runtime_needs_docker(monkeypatch):
    """A stronger runtime that would be ignored is refused."""
    _probe(monkeypatch, reason="no engine")
    with pytest.raises(UserError, match="runsc"):
        make_sandbox("auto", runtime="runsc")


def test_unsafe_is_asked_for_by_name():
    """`auto` never stands for it."""
    assert make_sandbox("unsafe").name == "unsafe"
