"""Asks a running `sstar pool`: batches of jobs over a few connections, again where the pool is full."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import anyio
import httpx2

from sstar_code.agent.models.openai.address import is_loopback
from sstar_code.agent.pool.jobs import is_lost
from sstar_code.problems import InfrastructureError, UserError
from sstar_code.sandbox import Execution, Status
from sstar_code.sandbox.outcome import Failure

_BATCH = 64
"""Jobs of one request: enough that the request costs little beside them."""
_CONNECTIONS = 4
_TRIES = 6
_LONGEST_WAIT_S = 60.0
_CONNECT_S = 10.0
"""Without an answer it waits as long as it takes: the jobs before ours may take hours."""


async def run_jobs(
    address: str, jobs: Sequence[dict[str, Any]], *, key: str | None = None, priority: int = 0
) -> list[dict[str, Any]]:
    """What came of each job, in their order.

    Args:
        address: of the pool, like `http://127.0.0.1:8900`.
        jobs: as docs/operating/pool.md describes them, without `id`.
        key: where the pool wants one.
        priority: those of a higher one are run first.

    Raises:
        UserError: the pool refuses a job or the key; the text is its own.
        InfrastructureError: there is no pool, or it is gone.
    """
    results: list[dict[str, Any]] = [{} for _ in jobs]
    starts = iter(range(0, len(jobs), _BATCH))
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    timeout = httpx2.Timeout(None, connect=_CONNECT_S)
    async with httpx2.AsyncClient(
        base_url=address, headers=headers, timeout=timeout, trust_env=not is_loopback(address)
    ) as client:

        async def send_some() -> None:
            for start in starts:
                part = jobs[start : start + _BATCH]
                results[start : start + len(part)] = await _send(client, address, part, priority)

        async with anyio.create_task_group() as group:
            for _ in range(_CONNECTIONS):
                group.start_soon(send_some)
    return results


async def _send(
    client: httpx2.AsyncClient, address: str, jobs: Sequence[dict[str, Any]], priority: int
) -> list[dict[str, Any]]:
    """The results of one request; jobs that the pool lost are asked for once more."""
    results = await _post(client, address, jobs, priority)
    lost = [place for place, result in enumerate(results) if is_lost(result)]
    if lost:
        again = await _post(client, address, [jobs[place] for place in lost], priority)
        for place, result in zip(lost, again, strict=True):
            results[place] = result
    return results


async def _post(
    client: httpx2.AsyncClient, address: str, jobs: Sequence[dict[str, Any]], priority: int
) -> list[dict[str, Any]]:
    failures = 0
    while True:
        try:
            response = await client.post("/v1/run", json={"jobs": list(jobs), "priority": priority})
        except httpx2.TransportError as error:
            failures += 1
            if failures == _TRIES:
                raise InfrastructureError(
                    f"{address}: no pool answers ({type(error).__name__}); start one with `sstar pool`"
                ) from error
            await anyio.sleep(min(_LONGEST_WAIT_S, 0.25 * 2**failures))
            continue
        if response.status_code == 429:  # it is full, which is no failure: others are served
            wait_s = response.headers.get("retry-after", "1")
            await anyio.sleep(min(_LONGEST_WAIT_S, float(wait_s) if wait_s.isdecimal() else 1.0))
            continue
        return _read(response, address, len(jobs))


def _read(response: httpx2.Response, address: str, count: int) -> list[dict[str, Any]]:
    try:
        body = response.json()
    except json.JSONDecodeError:
        body = None
    if response.status_code == 200 and isinstance(body, dict):
        results = body.get("results")
        if isinstance(results, list) and len(results) == count:
            return results
    error = body.get("error") if isinstance(body, dict) else None
    kind = UserError if 400 <= response.status_code < 500 else InfrastructureError
    if isinstance(error, dict):
        raise kind(f"{address}: {error.get('message')}")
    raise kind(f"{address}: HTTP {response.status_code}; it must be the address of a `sstar pool`")


def to_execution(data: dict[str, Any]) -> Execution:
    """The execution that a pool has sent."""
    failure = data.pop("failure", None)
    made = None if failure is None else Failure(**failure)
    return Execution(Status(data.pop("status")), failure=made, **data)
