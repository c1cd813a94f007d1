"""`python -m sstar_code.agent.testing.simulator`: serve a simulated engine until interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import replace

from sstar_code.agent.testing.simulator.engine import PRESETS
from sstar_code.agent.testing.simulator.server import Simulator


def main() -> None:
    """Read the options and serve; SIGINT or SIGTERM ends it."""
    parser = argparse.ArgumentParser(
        prog="python -m sstar_code.agent.testing.simulator", description=main.__doc__
    )
    parser.add_argument("--engine", choices=PRESETS, default="gpu-7b")
    parser.add_argument("--model", default="tiny", help="the name that it serves")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds in a second")
    parser.add_argument("--max-num-seqs", type=int)
    parser.add_argument("--max-num-queued-reqs", type=int)
    parser.add_argument("--scheduling-policy", choices=("fcfs", "priority"), default="fcfs")
    options = parser.parse_args()
    spec = replace(PRESETS[options.engine], max_num_queued_reqs=options.max_num_queued_reqs)
    if options.max_num_seqs:
        spec = replace(spec, max_num_seqs=options.max_num_seqs)
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with Simulator(
        spec,
        speed=options.speed,
        models=(options.model,),
        priorities=options.scheduling_policy == "priority",
        port=options.port,
    ) as server:
        sys.stderr.write(f"serving {options.model} at {server.base_url}\n")
        signal.sigwait(signals)


if __name__ == "__main__":
    main()
