"""Loads `sstar serve`: speed of what is passed through, hang-ups, an upstream that dies, memory.

    python -m benchmarks.serving.load [--requests 5000] [--at-once 200]

Each request carries a text of its own, which the upstream gives back: an answer that is another's is counted
as mixed. Seconds of the server are its CPU time, so that other work on the machine matters little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICKS = os.sysconf("SC_CLK_TCK")
_TASK = "Write a program that reads an integer and prints twice its value."
_TESTS = [{"input": "2\n", "output": "4"}]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(
    *words: str, program: str = sys.executable, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([program, *words], stdout=stdout, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def make_body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": [{"role": "user", "content": text}], **more}


class Client:
    """Sends requests and counts what came of them."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        self._url = f"{url}/chat/completions"
        self._http = http
        self.outcomes: Counter[str] = Counter()
        self.seconds: list[float] = []

    async def ask(self, text: str) -> None:
        started_s = time.perf_counter()
        try:
            response = await self._http.post(self._url, json=make_body(text))
        except httpx2.HTTPError as error:
            self.outcomes[type(error).__name__] += 1
            return
        self.seconds.append(time.perf_counter() - started_s)
        if response.status_code != 200:
            self.outcomes[str(response.status_code)] += 1
            return
        got = response.json()["choices"][0]["message"]["content"]
        self.outcomes["right" if got == text else "mixed"] += 1

    async def stream(self, text: str, *, hang_up: bool) -> None:
        try:
            await self._stream(text, hang_up=hang_up)
        except httpx2.HTTPError as error:
            self.outcomes[type(error).__name__] += 1

    async def _stream(self, text: str, *, hang_up: bool) -> None:
        seen = 0
        body = make_body(text, stream=True)
        async with self._http.stream("POST", self._url, json=body) as response:
            async for line in response.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                got = json.loads(line[6:])["choices"][0]["delta"]["content"]
                if got != f"{seen} {text};":
                    self.outcomes["mixed"] += 1
                seen += 1
                if hang_up and seen == 3:
                    self.outcomes["hung up"] += 1
                    return
        self.outcomes["right" if seen == 20 else "cut"] += 1

    async def solve(self, number: int) -> None:
        body = make_body(f"{_TASK} Number {number}.", sstar={"tests": _TESTS})
        response = await self._http.post(self._url, json={**body, "model": "sstar-tiny"})
        fine = response.status_code == 200 and response.json()["choices"][0]["sstar"]["tests"]["passed"] == 1
        self.outcomes["solved" if fine else str(response.status_code)] += 1


async def in_turn(works: list[Any], at_once: int) -> None:
    """Await all `works`, so many at once."""
    waiting = iter(works)

    async def worker() -> None:
        for work in waiting:
            await work

    await asyncio.gather(*(worker() for _ in range(at_once)))


def tell(name: str, client: Client, seconds: float = 0.0, cpu: float = 0.0) -> None:
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(client.outcomes.items()))
    total = client.outcomes.total()
    speed = f"; {total / cpu:.0f} a CPU second of the server, {total / seconds:.0f} a second" if cpu else ""
    print(f"{name}: {outcomes}{speed}", flush=True)


async def load(requests: int, at_once: int, stack: ExitStack) -> None:
    upstream_port = free_port()
    upstream_words = ("-m", "benchmarks.serving.upstream", str(upstream_port))
    upstream = stack.enter_context(running(*upstream_words))
    await asyncio.sleep(3)
    direct = f"http://127.0.0.1:{upstream_port}/v1"
    script = "from sstar_code.agent.cli.main import main; main()"
    words = ["serve", "-m", "tiny", "--base-url", direct, "--port", "0", "--n", "2", "--rounds", "0"]
    words += ["--sandbox", "local", "--max-solving", "8"]
    server = stack.enter_context(running("-c", script, *words))
    assert server.stdout is not None
    url = (await asyncio.to_thread(server.stdout.readline)).strip()
    limits = httpx2.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx2.AsyncClient(limits=limits, timeout=120, trust_env=False) as http:
        medians = {}
        for name, where in (("direct", direct), ("through", url), ("direct", direct), ("through", url)):
            client = Client(where, http)
            for number in range(300):
                await client.ask(f"one {number}")
            medians[name] = median(client.seconds) * 1e3
        added = medians["through"] - medians["direct"]
        print(f"one at a time: {medians['direct']:.2f} ms direct, {added:+.2f} ms added (medians of 300)")

        sizes = []
        for part in range(5):
            client, started_s, before_s = Client(url, http), time.perf_counter(), cpu_s(server.pid)
            await in_turn([client.ask(f"{part} {n}") for n in range(requests // 5)], at_once)
            tell(
                f"{at_once} at once, part {part}",
                client,
                time.perf_counter() - started_s,
                cpu_s(server.pid) - before_s,
            )
            sizes.append(memory_mb(server.pid))
        print("memory after each part: " + ", ".join(f"{size:.1f}" for size in sizes) + " MB")
        await trouble(url, http, requests, at_once)
        await outage(url, http, at_once, (upstream, upstream_words))
        await asyncio.sleep(2)
        page = (await http.get(f"{url.removesuffix('/v1')}/metrics")).text
        print(
            "in flight at the end: " + "; ".join(line for line in page.splitlines() if "in_flight{" in line)
        )
        print(f"memory at the end: {memory_mb(server.pid):.1f} MB")


async def trouble(url: str, http: httpx2.AsyncClient, requests: int, at_once: int) -> None:
    client, dice = Client(url, http), random.Random(0)
    works = [client.stream(f"s {n}", hang_up=dice.random() < 0.3) for n in range(requests // 10)]
    await in_turn(works, at_once)
    tell("streams, some hung up", client)
    client = Client(url, http)
    await in_turn([client.ask(f"slow {n}") for n in range(2 * at_once)], at_once)
    tell("slow upstream", client)
    client = Client(url, http)
    await in_turn([client.solve(n) for n in range(40)], 8)
    tell("solved", client)


async def outage(
    url: str, http: httpx2.AsyncClient, at_once: int, upstream: tuple[subprocess.Popen[str], tuple[str, ...]]
) -> None:
    process, words = upstream
    client = Client(url, http)
    work = asyncio.create_task(in_turn([client.ask(f"slow {n}") for n in range(2 * at_once)], at_once))
    await asyncio.sleep(0.3)
    process.kill()
    process.wait()
    await work
    tell("upstream died", client)
    with running(*words):
        await asyncio.sleep(3)
        client = Client(url, http)
        await in_turn([client.ask(f"back {n}") for n in range(at_once)], at_once)
        tell("upstream came back", client)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=200)
    options = parser.parse_args()
    with ExitStack() as stack:
        asyncio.run(load(options.requests, options.at_once, stack))


if __name__ == "__main__":
    main()
