"""What a model call costs this process, from the prompt to the stored verdict, beside bare clients.

    python -m benchmarks.calls.speed [--problems 200] [--samples 16] [--rounds 5] [--baseline CHECKOUT]
        [--evalplus PYTHON] [--only WAY,...]

The server, in a process of its own, answers at once. CPU seconds are counted, user and system, of the
measured process alone and without the interpreter's own start, so that a busy machine disturbs them less
than wall time. Each round measures every way once, one after another; figures are medians. `--baseline` is
a checkout of another version, whose `src` is measured beside this one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.tables import write_table

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = Path(__file__).parent
_OURS = ("calls", "eval", "stop")
_STOPPED = ("20", "25")
"""Problems and samples of the calls in flight when they are stopped: 500."""


@contextmanager
def _serve() -> Iterator[str]:
    """The address of a server that lives as long as the block."""
    with subprocess.Popen(
        [sys.executable, str(_FOLDER / "null_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        finally:
            server.terminate()


def _measure(way: str, python: str, source: Path, address: str, size: tuple[str, str]) -> dict[str, Any]:
    command = [python, str(_FOLDER / "evaluate.py"), way, address, *size]
    environment = {**os.environ, "PYTHONPATH": str(source), "OPENAI_API_KEY": "EMPTY"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{way} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", default="200")
    parser.add_argument("--samples", default="16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--baseline", type=Path, help="a checkout of another version")
    parser.add_argument("--evalplus", help="an interpreter that has evalplus")
    parser.add_argument("--only", help="ways to measure, with commas between them")
    options = parser.parse_args()
    here = Path(__file__).parents[2] / "src"
    ways = [(f"**ours**, {way}", way, sys.executable, here) for way in _OURS]
    if options.baseline:
        ways += [(f"baseline, {way}", way, sys.executable, options.baseline / "src") for way in _OURS]
    ways += [(f"bare {way}", way, sys.executable, here) for way in ("httpx2", "openai")]
    if options.evalplus:
        ways.append(("evalplus's generator", "evalplus", options.evalplus, here))
    wanted = options.only.split(",") if options.only else [way for _, way, *_ in ways]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name, way, *_ in ways if way in wanted}
    with _serve() as address:
        for number in range(options.rounds):
            for name, way, python, source in ways:
                if name in found:
                    size = _STOPPED if way == "stop" else (options.problems, options.samples)
                    found[name].append(_measure(way, python, source, address, size))
                    print(f"round {number + 1}, {name}: {found[name][-1]}", file=sys.stderr)
    rows = []
    for name, each in found.items():
        costs = [1e3 * one["cpu_s"] / one["calls"] for one in each]
        cells = (
            f"{statistics.median(costs):.2f}",
            f"{min(costs):.2f}",
            f"{1e3 / statistics.median(costs):,.0f}",
        )
        rows.append(
            (
                name,
                *cells,
                f"{statistics.median(one['cpu_s'] for one in each):.2f}",
                max(one["memory_mb"] for one in each),
            )
        )
    print(write_table(("way", "CPU ms a call", "least", "calls a CPU second", "CPU s", "MB"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
