"""Records of the sandbox mean what they say, however they are made."""

from __future__ import annotations

import pytest

from sstar_code.sandbox import Execution, Limits, Mode, Program, Status, execution_key


@pytest.mark.parametrize("mode", list(Mode))
def test_a_mode_may_be_given_as_its_text(mode):
    """`mode="call"` is a call, and the program is the same one to every cache."""
    program = Program("x", mode.value)
    assert program.mode is mode
    assert program == Program("x", mode)
    assert execution_key(program, "", Limits()) == execution_key(Program("x", mode), "", Limits())


@pytest.mark.parametrize("status", list(Status))
def test_a_status_may_be_given_as_its_text(status):
    """A sandbox of one's own may say `OK` for `Status.OK`."""
    assert Execution(status.value).status is status


def test_what_is_no_member_is_one_line_that_lists_them():
    """The line says what was given and what there is."""
    with pytest.raises(ValueError, match=r"^mode must be one of main, call, assert, got 'cal'$"):
        Program("x", "cal")
    with pytest.raises(ValueError, match=r"^status must be one of OK, RE, TLE, MLE, OLE, CE, IE, got None$"):
        Execution(None)


def test_the_wall_limit_follows_the_cpu_limit():
    """None stands for three times the CPU limit and two seconds; a limit that is given is in force."""
    assert Limits(cpu_s=4.0).wall_ceiling_s == 14.0
    assert Limits(cpu_s=4.0, wall_s=0.0).wall_ceiling_s == 0.0
