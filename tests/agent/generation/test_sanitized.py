"""What sanitizers found is told to the model that repairs, and changes nothing else."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from sstar_code.agent.generation.feedback import describe_failures
from sstar_code.agent.generation.sanitized import watch_failures
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Execution, Failure, Status, Verdict
from sstar_code.sandbox.grade import Report, TestResult
from sstar_code.sandbox.languages.cpp import SANITIZERS
from sstar_code.sandbox.languages.marks import mark

CODE = mark("int main() {}\n", "cpp")
TESTS = (Test("long input\n", "0\n"), Test("1\n", "1\n"), Test("22\n", "2\n"))
PROBLEM = Problem("p", "S", Kind.STDIN, public_tests=TESTS, time_limit_s=1.0, memory_limit_mb=256)
FOUND = Failure(SANITIZERS, "heap-buffer-overflow at line 7 (main)", 7)


class _Watched:
    """A sandbox that finds something on one input."""

    def __init__(self, on):
        self.on = on
        self.asked = []

    async def run(self, program, inputs, limits, **_):
        self.asked.append((program, list(inputs), limits))
        failed = Execution(Status.RE, failure=FOUND)
        return [failed if text == self.on else Execution(Status.OK) for text in inputs]


def _report(*results):
    return Report(tuple(TestResult(*result) for result in results), len(results))


def _watch(sandbox, report, code=CODE):
    return anyio.run(watch_failures, sandbox, PROBLEM, code, report)


CRASH = Execution(Status.RE, failure=Failure("SIGSEGV"))


def test_the_shortest_failed_inputs_are_watched():
    """Built with sanitizers, under wider limits; the note on that test alone says what they found."""
    report = _report(
        (TESTS[0], Verdict.RE, CRASH),
        (TESTS[1], Verdict.AC, Execution(Status.OK)),
        (TESTS[2], Verdict.RE, CRASH),
    )
    sandbox = _Watched("22\n")
    found = _watch(sandbox, report)
    ((program, inputs, limits),) = sandbox.asked
    assert (program.sanitized, program.language, inputs) == (True, "cpp17", ["22\n", "long input\n"])
    assert (limits.cpu_s, limits.memory_mb) == (4.0, 768)
    assert found == {TESTS[2]: FOUND}
    notes = describe_failures(PROBLEM, CODE, report, watched=found)
    assert [note.sanitizers for note in notes if note.text] == [FOUND.message]
    assert "it says on this input:\n```\nheap-buffer-overflow at line 7 (main)\n```" in notes[0].text
    assert [note.verdict for note in notes] == [
        note.verdict for note in describe_failures(PROBLEM, CODE, report)
    ]


@pytest.mark.parametrize(
    ("verdict", "execution", "asked"),
    [
        (Verdict.WA, Execution(Status.OK, stdout="7"), True),
        (Verdict.RE, CRASH, True),
        (Verdict.RE, Execution(Status.RE, failure=Failure("exit status 3")), False),
        (Verdict.TLE, Execution(Status.TLE), False),
        (Verdict.CE, Execution(Status.CE, failure=Failure("CompileError", "no")), False),
        (Verdict.AC, Execution(Status.OK), False),
    ],
)
def test_only_crashes_and_wrong_outputs_are_watched(verdict, execution, asked):
    """A build costs seconds, so there is none where it could not tell more; nor for Python."""
    report = _report((TESTS[1], verdict, execution))
    sandbox = _Watched(None)
    assert _watch(sandbox, report) == {}
    assert bool(sandbox.asked) is asked
    assert _watch(other := _Watched(None), report, "print(1)") == {}
    assert other.asked == []


def test_an_input_too_long_is_left_out():
    """What takes the program long takes the watched one longer."""
    test = replace(TESTS[0], input="1 " * 60_000)
    assert _watch(sandbox := _Watched(None), _report((test, Verdict.WA, Execution(Status.OK)))) == {}
    assert sandbox.asked == []
