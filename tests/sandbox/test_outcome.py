"""Records of the sandbox mean what they say, however they are made."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems.calls import PLAIN_CALL, CallForm
from sstar_code.sandbox import Execution, Limits, Mode, Program, Status, execution_key
from sstar_code.sandbox.outcome import cut_output, decode_output, is_cut, is_same_output


@pytest.mark.parametrize("mode", list(Mode))
def test_a_mode_may_be_given_as_its_text(mode):
    """`mode="call"` is a call, and the program is the same one to every cache."""
    language = "cpp" if mode in {Mode.FILES, Mode.ARGUMENTS} else "python"
    program, same = (Program("x", given, language=language) for given in (mode.value, mode))
    assert program.mode is mode
    assert program == same
    assert execution_key(program, "", Limits()) == execution_key(same, "", Limits())


@pytest.mark.parametrize("status", list(Status))
def test_a_status_may_be_given_as_its_text(status):
    """A sandbox of one's own may say `OK` for `Status.OK`."""
    assert Execution(status.value).status is status


def test_what_is_no_member_is_one_line_that_lists_them():
    """The line says what was given and what there is."""
    modes = "main, call, assert, trusting, files, arguments, interact"
    with pytest.raises(ValueError, match=rf"^mode must be one of {modes}, got 'cal'$"):
        Program("x", "cal")
    with pytest.raises(ValueError, match=r"^status must be one of OK, RE, TLE, MLE, OLE, CE, IE, got None$"):
        Execution(None)


def test_the_wall_limit_follows_the_cpu_limit():
    """None stands for three times the CPU limit and two seconds; a limit that is given is in force."""
    assert Limits(cpu_s=4.0).wall_ceiling_s == 14.0
    assert Limits(cpu_s=4.0, wall_s=0.0).wall_ceiling_s == 0.0


@given(st.text(max_size=60), st.text(max_size=60), st.integers(1, 40))
def test_what_is_kept_of_two_outputs_is_equal_where_they_are(first, second, kept):
    """A cut output ends with length and hash of the whole, however often and at which lengths it is cut."""
    short = [cut_output(text, kept) for text in (first, second)]
    assert (short[0] == short[1]) is (first == second)
    assert [is_cut(text) for text in short] == [len(text) > kept for text in (first, second)]
    assert cut_output(cut_output(first, kept + 7), kept) == short[0]
    assert is_same_output(first, short[1]) is is_same_output(short[0], second) is (first == second)
    assert decode_output(first.encode("utf-8", "surrogatepass"), kept) == short[0]


def test_a_long_output_is_not_decoded_whole():
    """Sixteen megabytes of emoji are four bytes a character in memory: only what is kept becomes text."""
    data = "\U0001f600".encode() * (4 << 20)
    tracemalloc.start()
    try:
        text = decode_output(data, 1 << 16)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    assert text.startswith("\U0001f600" * (1 << 16) + "\n[cut: 16777216 bytes in all, sha256 ")
    assert decode_output(data[: 4 << 16], 1 << 16) == "\U0001f600" * (1 << 16)
    assert decode_output(b"\xff" * 10, 10) == "\\xff" * 10
    assert is_cut(decode_output(b"\xff" * 11, 10))


def test_how_much_is_kept_is_no_part_of_a_runs_key():
    """It changes nothing of the run, and stores of before have its key."""
    keys = {execution_key(Program("x"), "", Limits(kept_chars=kept)) for kept in (None, 1, 1 << 20)}
    assert len(keys) == 1


@pytest.mark.parametrize("call", [PLAIN_CALL, CallForm(either=True)])
@given(text=st.text(max_size=20))
def test_keys_are_those_of_stores_written_before(call, text):
    """However it is computed, a run's key is the hash of all that its program, input and limits say."""
    program, limits = (
        Program("x = '\u20ac'", Mode.CALL, "f", "import os", call),
        Limits(cpu_s=2.5, int_digits=0),
    )
    facts, bounds = asdict(program), asdict(limits)
    del bounds["kept_chars"]
    for name in ("language", "sanitized", "judge", "judge_language"):
        del facts[name]  # Python's programs were all there were, and no judge was one
    if call == PLAIN_CALL:
        del facts["call"]
    body = json.dumps([facts, text, bounds], sort_keys=True)
    assert execution_key(program, text, limits) == hashlib.sha256(body.encode()).hexdigest()
