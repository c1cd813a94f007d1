"""`sstar doctor --security`: attacks that tell whether the sandboxes of this machine hold."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent import security_check
from sstar_code.agent.doctor import State
from sstar_code.agent.security_check import ATTACKS, check_security
from sstar_code.problems import UserError
from sstar_code.sandbox import choose
from sstar_code.sandbox.local.sandbox import LocalSandbox, UnsafeSandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def only(monkeypatch):
    """Makes one sandbox stand for all that work here."""

    def make(sandbox):
        def choose_it(name, **_):
            if name != "local":
                raise UserError("no engine answers")
            return sandbox(1)

        monkeypatch.setattr(choose, "make_sandbox", choose_it)

    return make


async def test_isolation_of_this_machine_holds(only, sandbox_local):
    """Every attack is refused or ended; what does not work here is a note."""
    del sandbox_local  # skipped where nothing can isolate
    only(LocalSandbox)
    (note, *checks) = await check_security()
    assert (note.state, note.detail) == (State.NOTE, "no engine answers")
    assert [check.detail for check in checks if check.state is not State.OK] == []
    assert len(checks) == len(ATTACKS) + 2


async def test_without_isolation_the_attacks_go_through(only, monkeypatch):
    """The attacks are real: a sandbox that isolates nothing fails those that need isolation."""
    monkeypatch.setattr(security_check, "LEAVES", ATTACKS[0])  # it would leave a file here
    harmless = [attack for attack in ATTACKS if "no file" in attack.holds or "no network" in attack.holds]
    monkeypatch.setattr(security_check, "ATTACKS", tuple(harmless))
    only(UnsafeSandbox)
    checks = await check_security()
    failed = [check.detail for check in checks if check.state is State.FAIL]
    assert any("NOT TRUE: a program reads no file" in detail for detail in failed)


async def test_no_sandbox_is_a_failure(monkeypatch):
    """That nothing could be tried is not taken for safety."""

    def refuse(*_, **__):
        raise UserError("not here")

    monkeypatch.setattr(choose, "make_sandbox", refuse)
    checks = await check_security()
    assert checks[-1].state is State.FAIL
    assert "nothing could be tried" in checks[-1].detail


def test_the_command_ends_with_1_where_something_does_not_hold(sstar, monkeypatch):
    """Scripts can rely on the exit code."""

    async def broken(_):
        return [security_check.Check("security: local", State.FAIL, "NOT TRUE: a program starts no process")]

    monkeypatch.setattr(security_check, "check_security", broken)
    ended = sstar("doctor", "--security", "--json")
    assert (ended.code, json.loads(ended.out)["ok"]) == (1, False)
