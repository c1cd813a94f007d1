"""A scripted double of a sandbox, for tests of what uses one: no process is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import anyio.lowlevel

from sstar_code.sandbox.environment import Environment, describe_interpreter
from sstar_code.sandbox.outcome import Execution, Limits, Program, Status


class FakeSandbox:
    """Answers from a script: a function of program and input, or a mapping (code, input) -> what happened.

    A `str` in the script stands for a run that ended well with this standard output. A missing entry is an
    `AssertionError`: the test did not expect that run. `calls` lists every run asked for, in order.
    """

    def __init__(
        self,
        script: Mapping[tuple[str, str], Execution | str] | Callable[[Program, str], Execution | str],
        *,
        name: str = "fake",
        workers: int = 1,
        environment: Environment | None = None,
    ) -> None:
        self.name = name
        self.workers = workers
        self.environment = environment or describe_interpreter()
        self.calls: list[tuple[Program, str]] = []
        self._script = script

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing has to be stopped."""

    async def run(
        self,
        program: Program,
        inputs: Sequence[str],
        limits: Limits,  # noqa: ARG002 - the protocol's signature
        *,
        stop_on_failure: bool = False,
    ) -> list[Execution]:
        """As the script says; other tasks get a turn first, as they would.

        Raises:
            AssertionError: the script has no entry for one of the runs.
        """
        await anyio.lowlevel.checkpoint()
        done: list[Execution] = []
        for text in inputs:
            self.calls.append((program, text))
            done.append(self._answer(program, text))
            if stop_on_failure and done[-1].status is not Status.OK:
                break
        return done

    def _answer(self, program: Program, text: str) -> Execution:
        if callable(self._script):
            answer = self._script(program, text)
        else:
            found = self._script.get((program.code, text))
            if found is None:
                raise AssertionError(f"no entry in the script for input {text!r} of:\n{program.code}")
            answer = found
        return Execution(Status.OK, stdout=answer) if isinstance(answer, str) else answer
