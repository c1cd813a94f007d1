"""Makes as many calls as told in one way, and prints what they cost as a line of JSON.

    python benchmarks/calls/evaluate.py WAY ADDRESS PROBLEMS SAMPLES [--profile FILE]

WAY is `eval`, the whole of an evaluation but for the running of programs; `calls`, the same with the first
sample chosen, so that selection costs nothing; `openai` and `httpx2`, bare loops of these clients; or
`evalplus`, the generator of that package. `stop` is Ctrl-C with PROBLEMS x SAMPLES calls in flight. It runs
as a script, so that `PYTHONPATH` decides whose `sstar_code` is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_IN_FLIGHT = 64
_STATEMENT = (
    "You are given an undirected graph. Print the number of its connected parts. The first line of the input "
    "has two integers, the number of nodes and the number of edges. Each of the lines that follow has two "
    "integers, the nodes that an edge joins. "
)
_ROOM = "Nodes have numbers from one on, and no edge joins a node with itself. "


def read_cpu_s() -> float:
    """CPU seconds of this process so far, in user and system mode."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class _RecordedSandbox:
    """Gives every run the same recorded outcome, at once."""

    name = "recorded"
    workers = 2

    def __init__(self) -> None:
        from sstar_code.sandbox.environment import describe_interpreter
        from sstar_code.sandbox.outcome import Execution, Status

        self.environment = describe_interpreter()
        self._outcome = Execution(Status.OK, stdout="2\n", cpu_s=0.01)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""

    async def run(self, _: Any, inputs: Sequence[str], *__: Any, **___: Any) -> list[Any]:
        return [self._outcome] * len(inputs)


def _evaluate(
    select: str, address: str, problems: int, samples: int, in_flight: int | None = None
) -> Callable[[], Awaitable[int]]:
    from sstar_code.agent.jobs.choices import Endpoint
    from sstar_code.agent.jobs.evaluate import evaluate_run
    from sstar_code.agent.jobs.session import make_config, open_run, open_session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.run.outcomes import Prices
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Kind, Problem, Test

    async def main() -> int:
        endpoint, prompts, settings = (
            Endpoint("null", (address,), max_in_flight=in_flight),
            Prompts(None),
            Settings(n=samples, select=select),
        )
        tests = tuple(Test(input=f"3 1\n1 {place}\n", output="2\n") for place in (2, 3))
        tasks = [
            Problem(
                id=f"graph-{number}",
                statement=f"Problem {number}. {_STATEMENT}{_ROOM * 20}",
                kind=Kind.STDIN,
                public_tests=tests,
                hidden_tests=tuple(Test(input=f"3 1\n{place} 3\n", output="2\n") for place in (1, 2)),
            )
            for number in range(problems)
        ]
        with tempfile.TemporaryDirectory() as folder:
            config = make_config("null", endpoint, prompts, **settings.as_json())
            run = open_run("eval", config, Path(folder) / "run", fresh=False, say=lambda _: None)
            opening = open_session(
                run,
                _RecordedSandbox(),
                lambda line: print(line, file=sys.stderr),
                endpoint=endpoint,
                quiet=True,
            )
            summary = await evaluate_run(
                opening, tasks, settings, prompts, prices=Prices(), methods=("first", select)
            )
            return sum(stage.calls for stage in summary.stages.values())

    return main


def _prompt(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Problem {number}. {_STATEMENT}{_ROOM * 20}"}]


def _loop(problems: int, samples: int, ask: Callable[[Any], Awaitable[Any]]) -> Any:
    """So many calls of `ask`, `_IN_FLIGHT` at once."""
    tasks = iter([(number, sample) for number in range(problems) for sample in range(samples)])

    async def work() -> None:
        for number, sample in tasks:
            await ask(
                {
                    "model": "null",
                    "messages": _prompt(number),
                    "temperature": 0.7,
                    "max_tokens": 4096,
                    "seed": sample,
                }
            )

    async def main() -> int:
        await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
        return problems * samples

    return main


def _use_httpx(address: str, problems: int, samples: int) -> Any:
    import httpx2

    limits = httpx2.Limits(max_connections=_IN_FLIGHT, max_keepalive_connections=_IN_FLIGHT)
    client = httpx2.AsyncClient(limits=limits)

    async def ask(body: Any) -> str:
        response = await client.post(f"{address}/chat/completions", json=body)
        return str(response.json()["choices"][0]["message"]["content"])

    return _loop(problems, samples, ask)


def _use_openai(address: str, problems: int, samples: int) -> Any:
    import openai

    client = openai.AsyncOpenAI(base_url=address, api_key="EMPTY", max_retries=0)

    async def ask(body: Any) -> str | None:
        answer = await client.chat.completions.create(**body)
        return str(answer.choices[0].message.content)

    return _loop(problems, samples, ask)


def _use_evalplus(address: str, problems: int, samples: int) -> Any:
    from evalplus.provider.openai import OpenAIChatDecoder  # type: ignore[import-not-found]

    decoder = OpenAIChatDecoder(
        "null", base_url=address, temperature=0.7, batch_size=1, dataset="humaneval", max_new_tokens=4096
    )

    async def main() -> int:  # one call after another, as its `codegen` makes them
        for number in range(problems):
            for _ in range(samples):
                decoder.codegen(_prompt(number)[0]["content"], do_sample=True, num_samples=1)
        return problems * samples

    return main


def _stop(address: str, problems: int, samples: int) -> Any:
    """Asks a server that never answers, and stops as the command line does at Ctrl-C."""
    import anyio

    from sstar_code.agent.cli.interrupts import run_interruptible

    count = problems * samples
    run = _evaluate("first", f"{address}/slow", problems, samples, in_flight=count)

    async def interrupt() -> None:
        busy_s = -1.0
        while read_cpu_s() - busy_s > 0.1:  # until all of them wait for the server
            busy_s = read_cpu_s()
            await anyio.sleep(2)
        _interrupted[:] = [read_cpu_s(), time.monotonic()]
        os.kill(os.getpid(), signal.SIGINT)

    async def work() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(interrupt)
            await run()

    async def main() -> int:
        with contextlib.suppress(KeyboardInterrupt):
            await run_interruptible(work)
        return count

    return main


_interrupted: list[float] = []
"""CPU seconds and the time at which the calls were stopped."""

_WAYS: dict[str, Callable[[str, int, int], Callable[[], Awaitable[int]]]] = {
    "calls": partial(_evaluate, "first"),
    "eval": partial(_evaluate, "adaptive"),
    "httpx2": _use_httpx,
    "openai": _use_openai,
    "evalplus": _use_evalplus,
    "stop": _stop,
}


def main() -> int:
    """Make the calls and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("way", choices=_WAYS)
    parser.add_argument("address")
    parser.add_argument("problems", type=int)
    parser.add_argument("samples", type=int)
    parser.add_argument("--profile", help="where to write a profile, which takes time itself")
    options = parser.parse_args()
    work = _WAYS[options.way](options.address, options.problems, options.samples)

    async def run() -> int:
        return await work()

    before_s, started_s = read_cpu_s(), time.monotonic()
    if options.profile:
        import cProfile

        with cProfile.Profile(time.process_time) as profile:
            calls = asyncio.run(run())
        profile.dump_stats(options.profile)
    else:
        calls = asyncio.run(run())
    before_s, started_s = _interrupted or (before_s, started_s)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "calls": calls,
                "cpu_s": round(read_cpu_s() - before_s, 3),
                "wall_s": round(time.monotonic() - started_s, 3),
                "memory_mb": round(memory_mb),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
