"""Grading a stream of samples."""

from __future__ import annotations

import json
from collections import Counter

import anyio
import pytest

from sstar_code.agent.jobs.grade_samples import Graded, Tally, grade_samples
from sstar_code.agent.run.files import replace_file
from sstar_code.problems import InfrastructureError, Kind, Problem, Test
from sstar_code.sandbox import Execution, Status, Verdict
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.sandbox.workers.classify import lost

PROBLEM = Problem("p", "s", Kind.STDIN, hidden_tests=(Test("", "yes"),))


class SlowSandbox:
    """Prints what the program says; the first program takes long."""

    name, workers = "double", 2

    async def run(self, program, inputs, limits, *, stop_on_failure=False):
        await anyio.sleep(0.2 if program.code == "slow" else 0)
        return [Execution(Status.OK, stdout=program.code.removeprefix("slow") or "yes") for _ in inputs]


@pytest.mark.anyio
async def test_verdicts_come_in_order_and_samples_are_read_as_needed():
    """A slow first sample holds back what is told, but not more than a bounded number is read ahead."""
    read = told = most = 0
    tally, numbers = Tally(), []

    def samples():
        nonlocal read
        for number in range(2000):
            read += 1
            yield PROBLEM, number, "slow" if number == 0 else "yes" if number % 2 else "no"

    def note(graded):
        nonlocal told, most
        most = max(most, read - told)
        told += 1
        numbers.append(graded.sample)
        tally.add(graded)

    await grade_samples(samples(), SlowSandbox(), on_graded=note, at_once=8)
    assert numbers == list(range(2000))
    assert 8 <= most <= 600
    scores = tally.score()
    assert (scores["problems"], scores["samples"], scores["passed"]) == (1, 2000, 1001)
    assert scores["verdicts"] == {"AC": 1001, "WA": 999}
    assert list(scores["rates"]) == ["pass@1", "pass@5", "pass@10", "pass@100"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    """What fails in the middle leaves the old file; a full disk is no traceback."""
    path = tmp_path / "v.jsonl"
    with replace_file(path) as write:
        write('{"a": 1}')
    with pytest.raises(ZeroDivisionError), replace_file(path) as write:
        write(f"{1 / 0}")
    with pytest.raises(FileNotFoundError, match="elsewhere"), replace_file(path):
        (tmp_path / "elsewhere").read_text()
    assert json.loads(path.read_text()) == {"a": 1}
    with pytest.raises(InfrastructureError, match="free some space"), replace_file(tmp_path / "no/v.jsonl"):
        pass


def test_lost_samples_count_as_wrong_and_are_named():
    """A sample that the sandbox lost stays in the denominator; a problem without tests is in no rate."""
    tally = Tally()
    rows = [("a", Verdict.AC, 1), ("a", Verdict.IE, 1), ("b", Verdict.IE, 1), ("c", Verdict.AC, 0)]
    for number, (name, verdict, total) in enumerate(rows):
        tally.add(Graded(name, number, verdict, total, {}))
    scores = tally.score()
    assert (scores["errors"], scores["untested_problems"], scores["unanswered"]) == (2, 1, [])
    assert (scores["rates"]["pass@1"].value, scores["rates"]["pass@1"].problems) == (0.25, 2)


@pytest.mark.anyio
@pytest.mark.parametrize("ahead", [2, 512])
async def test_a_lost_sample_is_graded_once_more_when_the_others_are(ahead, monkeypatch):
    """What the sandbox lost is tried again as late as the order of verdicts allows; twice lost is IE."""
    monkeypatch.setattr("sstar_code.agent.jobs.grade_samples._AHEAD", ahead)
    tried: Counter[str] = Counter()

    def play(program, _):
        tried[program.code] += 1
        is_lost = program.code == "never" or (program.code == "late" and tried["late"] == 1)
        return lost("gone") if is_lost else "yes"

    sandbox, told = FakeSandbox(play), []
    codes = ["late", "a", "never", "b", "c", "d"]
    items = [(PROBLEM, number, code) for number, code in enumerate(codes)]
    await grade_samples(items, sandbox, on_graded=told.append, at_once=2)
    assert [graded.sample for graded in told] == list(range(6))
    assert [graded.verdict for graded in told if graded.sample != 2] == [Verdict.AC] * 5
    assert told[2].verdict is Verdict.IE
    assert (tried["late"], tried["never"], tried["d"]) == (2, 2, 1)
    if ahead == 512:
        assert {program.code for program, _ in sandbox.calls[-2:]} == {"late", "never"}
