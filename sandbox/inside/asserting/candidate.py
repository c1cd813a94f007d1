"""The candidate's process: runs the program, then answers what the test's process asks, until it is ended.

It never held the test, nor a value that the test expects: it was forked from a process that reads neither,
and has neither the test's file nor its report. Nothing here is trusted: it answers for itself.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any

from sstar_code.sandbox.inside import driver
from sstar_code.sandbox.inside.asserting import peer
from sstar_code.sandbox.inside.asserting.proxy import list_operations

_SLICE_S = 0.05
"""CPU time after which no further one of many calls is begun: a test that fails is to fail early."""


def perform(job: driver.Job, ends: tuple[int, int]) -> None:
    """Run the program of `job` and answer about it over the pipes `ends`. Never returns."""
    leave = os._exit
    try:
        space = driver.enter(job, "solution")
        failure = None
        try:
            for code in job.codes:
                exec(code, space)  # noqa: S102 - it is what this process is for
        except BaseException as error:  # noqa: BLE001 - a candidate may raise anything
            failure = error
        answering = _Answering(ends, space, failure)
        while True:
            answering.answer_next()
    finally:
        leave(0)


class _Answering(peer.Peer):
    def __init__(self, ends: tuple[int, int], space: dict[str, Any], failure: BaseException | None) -> None:
        super().__init__(ends, self._do, lambda: os._exit(0))
        self.tells = True
        self.last_error = failure
        self._space = space
        self._failed = failure is not None
        self._written = 0
        self._operations = list_operations()
        self._operations.update(make=self._operations["call"], name=self._look_up, show=self._show)
        self._operations["await"] = _finish

    def _do(self, operation: str, target: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        return self._operations[operation](target, *arguments, **named)

    def answer_next(self) -> None:
        """Answer one question; where the program failed, that is the answer to all of them."""
        (head, body) = self._receive()
        if self._failed and head[1] != "show":
            error = self.last_error
            assert error is not None
            self.say(["failed", None], [self._describe_error(error), None])
        else:
            self.answer(head, body)

    def answer(self, head: list[Any], body: bytes) -> None:
        """Answer a question, which may be for many calls."""
        if head[1] != "call many":
            super().answer(head, body)
            return
        (target, answers) = (self.unpack(head[2]), [])
        end_s = time.process_time() + _SLICE_S
        for row in json.loads(body):
            try:
                answers.append([None, self._pack_result("call", target(*self.unpack(row)))])
            except BaseException as error:  # noqa: BLE001 - whatever it is, it goes on there
                self.last_error = error
                answers.append([self._describe_error(error), None])
                break
            if time.process_time() > end_s:
                break
        self.say(["many", None], [answers, None])

    def say(self, head: list[Any], body: Any) -> None:
        """Send an answer, with what was written to standard output since the last."""
        if sys.stdout is not None:
            try:
                sys.stdout.flush()
            except BaseException:  # noqa: BLE001 - a full file, or a stream of the candidate's own
                head = list(head)
        end = os.lseek(1, 0, os.SEEK_CUR)
        if end > self._written:
            written = os.pread(1, end - self._written, self._written)
            head = [*head, written.decode("utf-8", "backslashreplace")]
            self._written = end
        self.send(head, body)

    def explain(self, error: BaseException) -> dict[str, Any]:
        """The line of the program where it was raised, and whether memory was short."""
        return {"line": driver.find_lines(error)[0], "memory": driver.is_short_of_memory(error)}

    def find(self, module: str, name: str) -> Any:
        """The same object of the same module, in this process."""
        found = importlib.import_module(module)
        for part in filter(None, name.split(".")):
            found = getattr(found, part)
        return found

    def _look_up(self, name: str) -> Any:
        if name not in self._space:
            raise NameError(name)
        return self._space[name]

    def _show(self, _: object) -> None:
        """Write how the last exception came about to standard error."""
        error = self.last_error
        if error is not None:
            trace = driver.find_lines(error)[2]
            sys.excepthook(type(error), error.with_traceback(trace), trace)


def _finish(awaited: Any) -> Any:
    import asyncio

    async def wait() -> Any:
        return await awaited

    return asyncio.run(wait())
