"""How soon after its last token a program runs, while other answers are still being written.

    python -m benchmarks.scheduling.latency [--problems 12] [--n 8] [--sandbox local]

Everything is real but the model: the client over HTTP, the store on disk, the sandbox. The engine simulator
writes in real time. Two moments of each answer are taken: its program is handed to the sandbox, and
the run began (its end less the wall time of the runs, so the way back counts too).
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import zlib
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio

from benchmarks.tables import write_table
from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.models import OpenAIModel
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.sample import Sample
from sstar_code.agent.testing.simulator import EngineSpec, Planned, Simulator
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.memo import MemoSandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.sandbox import Execution, Limits, Program, Sandbox

_SPEC = EngineSpec(base_s=0.02, per_sequence_s=0.0, per_prompt_token_s=0.0, max_num_seqs=32)
_BAR_MS = 50.0


@dataclass(eq=False)
class _Watched:
    """The sandbox, with the moments at which each program came and began to run."""

    inner: Sandbox
    came: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def workers(self) -> int:
        return self.inner.workers

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.inner.__aexit__(None, None, None)

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        self.came[program.code.strip()] = time.monotonic()
        runs = await self.inner.run(program, inputs, limits, stop_on_failure=stop_on_failure)
        self.began[program.code.strip()] = time.monotonic() - sum(run.wall_s for run in runs)
        return runs


def _code(body: dict[str, Any]) -> str:
    found = re.search(r"Problem \d+", str(body["messages"]))
    assert found is not None
    return f"NAME = '{found.group()}, {body['seed']}'\nprint(int(input()) * 2)"


def _plan(body: dict[str, Any]) -> Planned:
    code = _code(body)
    return Planned(f"```python\n{code}\n```", 50 + zlib.crc32(code.encode()) % 200)


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def measure(problems: int, n: int, sandbox_name: str, folder: Path) -> dict[str, list[float]]:
    """Milliseconds from the last token to the hand-over and to the run, of every answer."""
    tasks = [
        Problem(
            id=f"p{number}",
            statement=f"Problem {number}: read an integer and print twice its value.",
            kind=Kind.STDIN,
            public_tests=(Test(input="2\n", output="4"),),
        )
        for number in range(problems)
    ]
    with Simulator(_SPEC, _plan) as server, closing(Store(folder / "run.db")) as store:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(OpenAIModel("tiny", base_url=server.base_url))
            await client.check()
            watched = _Watched(make_sandbox(sandbox_name))
            sandbox = await stack.enter_async_context(MemoSandbox(watched, store))
            model = StoredModel(client, store, Budget(), max_in_flight=_SPEC.max_num_seqs)
            context = SolveContext(model, sandbox, Prompts(None), Settings(n=n, rounds=0))
            group = await stack.enter_async_context(anyio.create_task_group())
            for task in tasks:
                group.start_soon(Sample(), task, context, lambda _: None)
        ends = {_code(body): at_s for body, at_s in server.last_tokens}
    return {
        "handed to the sandbox": [1e3 * (watched.came[code] - at_s) for code, at_s in ends.items()],
        "running": [1e3 * (watched.began[code] - at_s) for code, at_s in ends.items()],
    }


def main() -> int:
    """Measure and print; 1 where the 95th percentile misses the bar."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=12)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--sandbox", default="local")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = anyio.run(measure, options.problems, options.n, options.sandbox, Path(folder))
    rows = []
    for name, values in found.items():
        times_ms = (_percentile(values, 0.5), _percentile(values, 0.95), max(values))
        rows.append((name, len(values), *(f"{time_ms:.1f}" for time_ms in times_ms)))
    print(write_table(("from the last token to", "answers", "p50 ms", "p95 ms", "most ms"), rows))
    return int(_percentile(found["running"], 0.95) > _BAR_MS)


if __name__ == "__main__":
    sys.exit(main())
