"""`sstar serve` beside litellm's proxy, both passing requests through to the same upstream, in one run.

    python -m benchmarks.serving.beside [--litellm COMMAND] [--requests 1000] [--at-once 200]

It wants an environment of its own (`python -m venv E; E/bin/pip install 'litellm[proxy]'`) and its command
there, `--litellm E/bin/litellm`. Where that is missing, it is left out with a line. litellm is asked in two
ways: as its users do, by its route of chats, which reads and writes each answer, and by a pass-through
endpoint of its configuration. The order of the servers changes from round to round. Seconds are CPU time of
a server with its children, so that other work matters little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx2

from benchmarks.serving.load import Client, cpu_s, free_port, in_turn, memory_mb, running

_SCRIPT = "from sstar_code.agent.cli.main import main; main()"
_START_S = 1200
"""Its imports alone take minutes on a busy machine."""
_ONE_BY_ONE = 100


def tree_cpu_s(pid: int) -> float:
    """CPU time of a process and of all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_s(pid) + sum(tree_cpu_s(int(child)) for child in children)


async def wait_for(url: str, http: httpx2.AsyncClient) -> bool:
    """Whether a server answers there in time."""
    for _ in range(_START_S):
        client = Client(url, http)
        await client.ask("ready")
        if client.outcomes["right"]:
            return True
        await asyncio.sleep(1)
    return False


def write_settings(folder: Path, direct: str) -> Path:
    """The configuration of litellm: one model, and one page that is passed through."""
    settings = {
        "model_list": [
            {
                "model_name": "tiny",
                "litellm_params": {"model": "openai/tiny", "api_base": direct, "api_key": "none"},
            }
        ],
        "general_settings": {
            "pass_through_endpoints": [
                {"path": "/raw/chat/completions", "target": f"{direct}/chat/completions"}
            ]
        },
    }
    path = folder / "litellm.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


async def compare(options: argparse.Namespace, stack: ExitStack) -> None:
    port = free_port()
    # It ends no idle connection: litellm loses requests by that, which is not what is measured here.
    stack.enter_context(running("-m", "benchmarks.serving.upstream", str(port), "600"))
    direct = f"http://127.0.0.1:{port}/v1"
    limits = httpx2.Limits(max_connections=options.at_once, max_keepalive_connections=options.at_once)
    async with httpx2.AsyncClient(limits=limits, timeout=300, trust_env=False) as http:
        assert await wait_for(direct, http)
        words = ["serve", "-m", "tiny", "--base-url", direct, "--port", "0", "--sandbox", "local"]
        server = stack.enter_context(running("-c", _SCRIPT, *words))
        assert server.stdout is not None
        servers = {"sstar serve": ((await asyncio.to_thread(server.stdout.readline)).strip(), server.pid)}
        command = shutil.which(options.litellm)
        if command is None:
            print(f"litellm is left out: there is no command {options.litellm!r} (--litellm)")
        else:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            port = free_port()
            os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # its prices come from the network otherwise
            os.environ["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"  # ours has none either
            asked = [
                "--config",
                str(write_settings(folder, direct)),
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ]
            other = stack.enter_context(running(*asked, program=command, stdout=subprocess.DEVNULL))
            if await wait_for(f"http://127.0.0.1:{port}/v1", http):
                servers["litellm, chat"] = (f"http://127.0.0.1:{port}/v1", other.pid)
                servers["litellm, pass-through"] = (f"http://127.0.0.1:{port}/raw", other.pid)
            else:
                print(f"litellm is left out: {command} does not answer within {_START_S} s")
        await measure(servers, direct, http, options)


async def measure(
    servers: dict[str, tuple[str, int]], direct: str, http: httpx2.AsyncClient, options: argparse.Namespace
) -> None:
    medians: dict[str, list[float]] = defaultdict(list)
    speeds: dict[str, list[float]] = defaultdict(list)
    wrong: dict[str, int] = defaultdict(int)
    names = list(servers)
    for round_number in range(options.rounds):
        turn = round_number % len(names)
        for name in names[turn:] + names[:turn]:
            url, pid = servers[name]
            alone = {"direct": Client(direct, http), name: Client(url, http)}
            for number in range(_ONE_BY_ONE):
                for client in alone.values():
                    await client.ask(f"one {number}")
            plain, through = (median(client.seconds) * 1e3 for client in alone.values())
            medians[name].append(through - plain)
            client, before_s, started_s = Client(url, http), tree_cpu_s(pid), time.perf_counter()
            await in_turn(
                [client.ask(f"{name} {number}") for number in range(options.requests)], options.at_once
            )
            used_s = tree_cpu_s(pid) - before_s
            speeds[name].append(options.requests / used_s)
            wrong[name] += options.requests - client.outcomes["right"]
            seconds = time.perf_counter() - started_s
            print(
                f"round {round_number}, {name}: {speeds[name][-1]:.0f} a CPU second, {seconds:.1f} s",
                flush=True,
            )
    for name, (_, pid) in servers.items():
        missing = f"{wrong[name]} of {options.requests * options.rounds} not right"
        added = f"{median(medians[name]):+.2f} ms added in the median"
        speed = f"{median(speeds[name]):.0f} requests a CPU second"
        print(f"{name}: {speed}, {added}, {missing}, {memory_mb(pid):.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--litellm", default="litellm", help="the command, by name or path")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with ExitStack() as stack:
        asyncio.run(compare(options, stack))


if __name__ == "__main__":
    main()
