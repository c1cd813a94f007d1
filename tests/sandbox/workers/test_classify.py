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
    """Whatever bytes a candidate writes as its report, a record comes of it; never a pass of a call.

    In the other modes nothing of a report counts, but how the program or its judge ended.
    """
    run = _classify(report, mode)
    assert run.status in set(Status) - {Status.IE}
    assert mode in {Mode.MAIN, Mode.FILES, Mode.ARGUMENTS, Mode.INTERACT} or run.status is not Status.OK


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


def _report(**words):
    return json.dumps({"token": "t", **words}).encode() + b"\n"


@pytest.mark.parametrize(
    ("report", "head", "mode", "failure"),
    [
        (_report(failure=["KeyError", "'a'", 3]), {"status": 0x100}, Mode.MAIN, ("KeyError", "'a'", 3)),
        (_report(failure=["KeyError", "'a'", 3]), {}, Mode.MAIN, ("KeyError", "'a'", 3)),
        (_report(failure=["KeyError", "", 0]), {"status": 0x100}, Mode.MAIN, ("KeyError", "", None)),
        (b"", {"status": 0x300}, Mode.MAIN, ("exit status 3", "", None)),
        (b"", {}, Mode.CALL, ("exit status 0", "it ended before it was done", None)),
        (_report(failure="?"), {}, Mode.MAIN, ("exit status 0", "it ended before it was done", None)),
        (
            _report(failure=["K\x1b[2J", "\u202e", 1]),
            {"status": 0x100},
            Mode.MAIN,
            ("K\\x1b[2J", "\\u202e", 1),
        ),
        (_report(), {"status": 11}, Mode.MAIN, ("SIGSEGV", "", None)),
        (_report(), {"status": 64}, Mode.MAIN, ("SIGRTMAX", "", None)),
        (_report(), {"status": 65}, Mode.MAIN, ("signal 65", "", None)),
    ],
)
def test_the_words_for_a_crash(report, head, mode, failure):
    """The run's own words where it has any that are well formed, made harmless; else what its end shows."""
    run = _classify(report, mode, **head)
    assert run.status is Status.RE
    assert (run.failure.type, run.failure.message, run.failure.line) == failure


def test_words_are_capped():
    """A type has at most 100 characters, a message 600, standard error its last 2,000."""
    report = _report(failure=["K" * 200, "\x1b" * 500, 1])
    head = {**_HEAD, "status": 0x100, "sizes": [0, 5000, len(report)], "tail": 5000}
    run = classify(head, b"a" + b"b" * 4999 + report, Mode.MAIN, Limits())
    assert (len(run.failure.type), len(run.failure.message), run.stderr) == (100, 600, "b" * 2000)


@pytest.mark.parametrize(
    ("head", "status", "message"),
    [
        ({"cpu_s": 1.0}, Status.OK, None),
        ({"cpu_s": 1.01}, Status.TLE, "over 1 s of CPU time"),
        ({"killed": "cpu"}, Status.TLE, "over 1 s of CPU time"),
        ({"killed": "wall"}, Status.TLE, "over 5 s of wall time"),
        ({"memory_kb": 100 * 1024}, Status.OK, None),
        ({"memory_kb": 100 * 1024 + 1}, Status.MLE, "over 100 MB"),
        ({"status": 9, "memory_kb": 50 * 1024}, Status.RE, ""),
        ({"status": 9, "memory_kb": 50 * 1024 + 1}, Status.MLE, "over 100 MB"),
        ({"out": b"x" * 1024}, Status.OK, None),
        ({"out": b"x" * 1025}, Status.OLE, "over 1 KB of output"),
        ({"out": b"x" * 1025, "cpu_s": 2.0}, Status.TLE, "over 1 s of CPU time"),
        ({"out": b"x" * 1025, "memory_kb": 101 * 1024}, Status.OLE, "over 1 KB of output"),
        ({"report": _report(memory=True)}, Status.MLE, "over 100 MB"),
        ({"report": _report(memory=1)}, Status.OK, None),
        ({"report": _report(missing="f"), "status": 0x100}, Status.CE, "f"),
        ({"report": _report(missing="f" * 501)}, Status.CE, "f" * 500),
        ({"report": _report(failure=["E", "m" * 501, 1])}, Status.RE, "m" * 500),
    ],
)
def test_a_limit_itself_is_kept_to(head, status, message):
    """What is just at a limit passes; time comes before output, and output before memory."""
    run = _classify(**head)
    assert run.status is status
    assert (run.failure and run.failure.message) == message
    assert len(run.stdout) <= 1024


@pytest.mark.parametrize(
    ("line", "known"), [(1, 1), ((1 << 31) - 1, (1 << 31) - 1), (1 << 31, None), (-1, None)]
)
def test_a_line_is_one_that_a_file_can_have(line, known):
    """Else it is not known."""
    assert _classify(_report(failure=["E", "m", line])).failure.line == known


def test_a_report_that_is_too_long_says_nothing():
    """It is not even parsed; one of the longest that is read is."""
    for extra, kind in ((0, "E"), (1, "exit status 0")):
        report = _report(failure=["E", "m", 1]).rstrip(b"\n")
        report += b" " * (64 * 1024 - len(report) + extra) + b"\n"
        assert _classify(report, Mode.CALL, sizes=[0, 0, 0]).failure.type == kind


def test_a_record_holds_what_was_measured():
    """The value of a call, in its own part; memory in MB."""
    report = _report() + b'{"a": 1}'
    head = {**_HEAD, "sizes": [3, 3, len(report)], "tail": 3}
    run = classify(head, b"outerr" + report, Mode.CALL, Limits())
    assert (run.stdout, run.stderr, run.result) == ("out", "err", '{"a": 1}')
    assert (run.cpu_s, run.wall_s, run.memory_mb, run.limit) == (0.1, 0.1, 10.0, None)
    assert classify(head, b"outerr" + report, Mode.MAIN, Limits()).result is None
