"""From measurements to records, where no real run can be made to give them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.sandbox import Limits, Mode, Status
from sstar_code.sandbox.workers.classify import classify

_LIMITS = Limits(cpu_s=1.0, memory_mb=100, output_kb=1)
_HEAD = {
    "token": "t", "status": 0, "killed": "", "cpu_s": 0.1, "wall_s": 0.1, "memory_kb": 10 * 1024,
}  # fmt: skip


def _classify(report=b'{"token": "t"}\n', mode=Mode.MAIN, out=b"", **head):
    sizes = [len(out), 0, len(report)]
    return classify({**_HEAD, "sizes": sizes, "tail": 0, **head}, out + report, mode, _LIMITS)


@pytest.mark.parametrize(
    ("head", "status", "limit"),
    [
        ({"status": 9, "memory_kb": 90 * 1024}, Status.MLE, None),
        ({"status": 9, "memory_kb": 10 * 1024}, Status.RE, None),
        ({"status": 24, "cpu_s": 1.2}, Status.TLE, "cpu"),
        ({"status": 24, "cpu_s": 0.8}, Status.TLE, "cpu"),
        ({"status": 9, "killed": "wall"}, Status.TLE, "wall"),
        ({"cpu_s": 1.01}, Status.TLE, "cpu"),
        ({"memory_kb": 101 * 1024}, Status.MLE, None),
        ({"status": 11 | 0x80}, Status.RE, None),
    ],
)
def test_measurements_decide(head, status, limit):
    """The memory killer's SIGKILL, time over the limit in a run that ended well, real-time signals."""
    run = _classify(**head)
    assert (run.status, run.limit) == (status, limit)


@given(st.binary(max_size=300), st.sampled_from(Mode))
def test_no_report_confuses_us(report, mode):
    """Whatever bytes a candidate writes as its report, a record comes of it; never a pass of a call."""
    run = _classify(report, mode)
    assert run.status in set(Status) - {Status.IE}
    assert mode is Mode.MAIN or run.status is not Status.OK


@given(
    st.dictionaries(
        st.sampled_from(["failure", "missing", "memory"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda s: st.lists(s, max_size=4)
        ),
    )
)
def test_no_forged_fields_confuse_us(fields):
    """Fields of the wrong type are ignored."""
    report = json.dumps({"token": "t", **fields}).encode() + b"\n"
    run = _classify(report, Mode.CALL)
    assert run.status in set(Status) - {Status.IE}
    assert run.failure is None or isinstance(run.failure.type, str)
