"""Doubles for selection: a sandbox that runs trusted test code in this process, and a scripted model."""

from __future__ import annotations

import functools
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO

import anyio
import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import decode_lines, encode
from sstar_code.sandbox import Execution, Failure, Mode, Status
from sstar_code.selection import Candidate, Pool, Reply


@functools.cache
def _compile(source):
    return compile(source, "candidate", "exec")


@dataclass
class TrustingSandbox:
    """Runs the program here, or calls its entry point, and counts runs.

    TimeoutError means TLE, SystemError the fault of the sandbox.
    """

    name: str = "trusting"
    runs: Counter = field(default_factory=Counter)

    async def run(self, program, inputs, limits, *, stop_on_failure=False):
        await anyio.lowlevel.checkpoint()
        self.runs.update((program.code, text) for text in inputs)
        return [self._call(program, text, limits) for text in inputs]

    @staticmethod
    def _call(program, text, limits):
        space = {}
        try:
            if program.mode is Mode.MAIN:
                with redirect_stdout(StringIO()) as printed:
                    exec(_compile(program.code), {"input": iter(text.splitlines()).__next__})
                return Execution(Status.OK, stdout=printed.getvalue())
            exec(_compile(program.code), space)
            return Execution(Status.OK, result=encode(space[program.entry_point](*decode_lines(text))))
        except TimeoutError:
            return Execution(Status.TLE, cpu_s=limits.cpu_s)
        except SystemError:
            return Execution(Status.IE)
        except SyntaxError:
            return Execution(Status.CE)
        except Exception as error:  # noqa: BLE001 - whatever the candidate raises is its behaviour
            return Execution(Status.RE, failure=Failure(type(error).__name__, str(error)))


@dataclass
class ScriptedAsk:
    """Answers by the kind of question; a text, None (the call fails) or a function of the values."""

    inputs: object = None
    distinguish: object = None
    judge: object = None
    audit: object = None
    kit: object = None
    reference: object = None
    choose: object = None
    expect: object = None
    tests: object = None
    compare: object = None
    asked: list = field(default_factory=list)

    async def __call__(self, question, problem, ordinal, **values):
        await anyio.lowlevel.checkpoint()
        self.asked.append((question.value, ordinal, values))
        answer = getattr(self, question.value)
        text = answer(**values) if callable(answer) else answer
        return None if text is None else Reply(text, 10)

    def count(self, question):
        return sum(kind == question for kind, _, _ in self.asked)


@pytest.fixture
def trusting_sandbox():
    return TrustingSandbox()


@pytest.fixture
def scripted_ask():
    return ScriptedAsk


@pytest.fixture
def square_problem():
    return Problem(
        "square",
        "Is n a perfect square?",
        Kind.FUNCTION,
        "f",
        starter_code="def f(n: int) -> bool:\n",
        public_tests=(Test("16", "true"), Test("14", "false")),
    )


@pytest.fixture
def make_pool(trusting_sandbox, square_problem):
    """Codes (or candidates) -> a pool of survivors of `square_problem`."""

    def make(codes, ask=None, problem=square_problem, seed=0):
        candidates = tuple(code if isinstance(code, Candidate) else Candidate(code, 2, 2) for code in codes)
        return Pool(problem, candidates, trusting_sandbox, ask, seed)

    return make
