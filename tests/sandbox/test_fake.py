"""The scripted double."""

from __future__ import annotations

import pytest

from sstar_code.sandbox import Execution, Limits, Program, Status
from sstar_code.sandbox.fake import FakeSandbox

pytestmark = pytest.mark.anyio


async def test_answers_from_a_mapping():
    """It answers by code and input, stops as a sandbox does, and keeps what it was asked."""
    wrong = Execution(Status.RE)
    async with FakeSandbox({("p", "1"): "one", ("p", "2"): wrong, ("p", "3"): "three"}) as sandbox:
        runs = await sandbox.run(Program("p"), ["1", "2", "3"], Limits())
        assert [run.stdout for run in runs] == ["one", "", "three"]
        assert await sandbox.run(Program("p"), ["2", "3"], Limits(), stop_on_failure=True) == [wrong]
        assert [text for _, text in sandbox.calls] == ["1", "2", "3", "2"]


async def test_answers_from_a_function():
    """A function sees the program and the input."""
    sandbox = FakeSandbox(lambda program, text: program.code + text)
    (run,) = await sandbox.run(Program("a"), ["b"], Limits())
    assert run == Execution(Status.OK, stdout="ab")


async def test_unexpected_run_is_an_error():
    """A run that the script does not know fails the test."""
    with pytest.raises(AssertionError, match="no entry"):
        await FakeSandbox({}).run(Program("a"), ["b"], Limits())
