"""Every program runs on every input at most once per limits: results kept by content hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import anyio

from sstar_code.sandbox.outcome import (
    Execution,
    Limits,
    Program,
    Sandbox,
    SandboxWrapper,
    Status,
    execution_keys,
    is_cut,
    run_part,
)

_KEPT_CHARS = 1 << 20
"""Characters of an output that a memory is given: who needs more of a longer one has it run again."""


class ExecutionMemory(Protocol):
    """A place where results are kept; `agent.run.store.Store` is one on disk."""

    def get_execution(self, key: str) -> Execution | None:
        """The result kept under `key`, or None."""
        ...

    def put_executions(self, executions: Mapping[str, Execution]) -> None:
        """Keep each of `executions` under its key."""
        ...


class DictMemory:
    """Results kept for the life of the process."""

    def __init__(self) -> None:
        self._results: dict[str, Execution] = {}

    def get_execution(self, key: str) -> Execution | None:
        """The result kept under `key`, or None."""
        return self._results.get(key)

    def put_executions(self, executions: Mapping[str, Execution]) -> None:
        """Keep each of `executions` under its key."""
        self._results.update(executions)


class MemoSandbox(SandboxWrapper):
    """A sandbox that remembers. Two callers that want the same run at the same time share it.

    A run that the sandbox lost (`IE`) is not kept, so a later caller tries again. Of a long list what was run
    is kept every few seconds, so that whoever is killed loses no more than that.
    """

    def __init__(self, sandbox: Sandbox, memory: ExecutionMemory | None = None) -> None:
        """Run on `sandbox` what `memory` (None: a new `DictMemory`) does not know yet."""
        super().__init__(sandbox)
        self._memory = memory if memory is not None else DictMemory()
        self._in_flight: dict[str, anyio.Event] = {}
        self.executed = 0
        """Runs that really took place."""

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """As `Sandbox.run`; known results are not run again."""
        keys = execution_keys(program, inputs, limits)
        known: dict[str, Execution] = {}
        while True:
            for key in keys:
                kept = None if key in known else self._memory.get_execution(key)
                if kept is not None and _is_enough(kept, limits.kept_chars):
                    known[key] = kept.shorten(limits.kept_chars)
            wanted = _missing(keys, known, stop_on_failure=stop_on_failure)
            if not wanted:
                return _in_order(keys, known, stop_on_failure=stop_on_failure)
            busy = [self._in_flight[keys[place]] for place in wanted if keys[place] in self._in_flight]
            if busy:
                await busy[0].wait()
                continue
            runs = await self._run_missing(
                program,
                [inputs[place] for place in wanted],
                [keys[place] for place in wanted],
                limits,
                stop_on_failure=stop_on_failure,
            )
            known.update(runs)

    async def _run_missing(
        self, program: Program, inputs: list[str], keys: list[str], limits: Limits, *, stop_on_failure: bool
    ) -> dict[str, Execution]:
        done = anyio.Event()
        self._in_flight.update(dict.fromkeys(keys, done))
        try:
            runs = await run_part(self._sandbox, program, inputs, limits, stop_on_failure=stop_on_failure)
            self.executed += len(runs)
            results = dict(zip(keys, runs, strict=False))  # shorter after a failure, or a part
            self._memory.put_executions(
                {key: run.shorten(_KEPT_CHARS) for key, run in results.items() if run.status is not Status.IE}
            )
            return {key: run.shorten(limits.kept_chars) for key, run in results.items()}
        finally:
            for key in keys:
                self._in_flight.pop(key, None)
            done.set()


def _is_enough(kept: Execution, kept_chars: int | None) -> bool:
    """Whether as much of the output is there as a caller wants."""
    output = kept.output or ""
    return not is_cut(output) or (kept_chars is not None and len(output) >= kept_chars)


def _missing(keys: list[str], known: dict[str, Execution], *, stop_on_failure: bool) -> list[int]:
    """Places that still have to run: each key once, none behind a known failure that ends the list."""
    places: dict[str, int] = {}
    for place, key in enumerate(keys):
        if key not in known:
            places.setdefault(key, place)
        elif stop_on_failure and known[key].status is not Status.OK:
            break
    return list(places.values())


def _in_order(keys: list[str], known: dict[str, Execution], *, stop_on_failure: bool) -> list[Execution]:
    results: list[Execution] = []
    for key in keys:
        results.append(known[key])
        if stop_on_failure and known[key].status is not Status.OK:
            break
    return results
