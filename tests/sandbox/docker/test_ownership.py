"""An orphan is removed, a neighbour's container never."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.sandbox.ownership import HOST_LABEL, OWNER_LABEL, Owner, describe_owner, is_orphan

HERE = describe_owner()


def start_process():
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def describe_process(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return replace(HERE, pid=pid, start_ticks=int(fields[19]))


def test_living_owner_keeps_its_container():
    """Neither our own containers nor those of a process that lives are orphans."""
    assert not is_orphan(HERE, HERE, running=True)
    with start_process() as process:
        assert not is_orphan(describe_process(process.pid), HERE, running=True)
        process.kill()


def test_dead_owner_leaves_an_orphan():
    """A killed owner's container is an orphan, also while its parent has not yet noticed the death."""
    with start_process() as process:
        owner = describe_process(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_orphan(owner, HERE, running=True)
    assert is_orphan(owner, HERE, running=True)


def test_reused_number_is_not_mistaken_for_the_owner():
    """Another process with the owner's number does not keep the container."""
    assert is_orphan(replace(HERE, start_ticks=HERE.start_ticks - 1), HERE, running=True)


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"pid_namespace": "pid:[1]"}])
def test_what_cannot_be_looked_up_stays(change):
    """Another host's or another pid namespace's container stays, dead or alive."""
    assert not is_orphan(replace(HERE, start_ticks=1, **change), HERE, running=False)


def test_another_boot_leaves_only_what_does_not_run():
    """After a boot nothing of ours runs, so what runs belongs to a host of the same name."""
    before = replace(HERE, boot_id="another")
    assert is_orphan(before, HERE, running=False)
    assert not is_orphan(before, HERE, running=True)


@given(
    st.builds(
        Owner, st.text(), st.integers(1, 1 << 22), st.integers(0), st.uuids().map(str), st.just("pid:[7]")
    )
)
def test_labels_keep_the_owner(owner):
    """An owner survives the way through labels."""
    assert Owner.from_labels(owner.to_labels()) == owner


@given(st.text())
def test_malformed_labels_name_no_owner(text):
    """A label that is not ours is nobody's orphan."""
    owner = Owner.from_labels({OWNER_LABEL: text, HOST_LABEL: HERE.host})
    assert owner is None or owner.boot_id != HERE.boot_id
    assert not is_orphan(None, HERE, running=False)
