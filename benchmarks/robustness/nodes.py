"""A Ray cluster of two nodes on this machine: the same verdicts, a node lost in the middle, and the speed-up.

    python -m benchmarks.robustness.nodes --samples 60 --spin-s 0.25

Two raylets with one CPU each; every sample burns CPU on each of its tests, so a grade is bound by the
sandbox. It is graded without Ray by one worker, then on one node, on two, and on two of which one is killed
in the middle (-9). Then the example problems are evaluated with a model and without Ray, and on two nodes of
which one is killed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.robustness.kills import FILES, clean
from benchmarks.robustness.work import call_key, make_examples
from sstar_code.agent.testing.server import ServerDouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.cluster_utils import Cluster

_NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
_OTHER = {**_NODE, "node_ip_address": "127.0.0.2"}
"""An address of its own: the command joins the first node, which is not the one that is killed."""
_START = "from sstar_code.agent.cli.main import main; main()"


def write_set(folder: Path, samples: int, spin_s: float) -> tuple[str, str]:
    """Problems with four tests, and samples that burn `spin_s` on each; every third is wrong."""
    problems, programs = folder / "problems.jsonl", folder / "samples.jsonl"
    with problems.open("w") as left, programs.open("w") as right:
        for number in range(samples):
            tests = [{"input": f"{value}\n", "output": str(2 * value)} for value in range(4)]
            row = {"id": f"p{number}", "statement": "Double it.", "kind": "stdin", "public_tests": tests}
            left.write(json.dumps(row) + "\n")
            factor = 3 if number % 3 == 2 else 2
            code = (
                "import time\nvalue = int(input())\n"
                f"while time.process_time() < {spin_s}:\n    pass\nprint({factor} * value)  # {number}\n"
            )
            right.write(json.dumps({"task_id": f"p{number}", "solution": code}) + "\n")
    return f"jsonl:{problems}", str(programs)


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _START, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def count_executions(folder: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{folder / 'run.db'}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM executions").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def run(
    folder: Path, words: list[str], at: int = 0, act: Callable[[], object] | None = None
) -> dict[str, Any]:
    """The command to its end; `act` is called at `at` stored executions; the rate is without the start."""
    process = start(*words, "--out", str(folder), "--json")
    first_s = None
    while process.poll() is None:
        done = count_executions(folder)
        if done and first_s is None:
            first_s, first_done = time.monotonic(), done
        if act is not None and done >= at:
            act()
            act = None
        time.sleep(0.01)
    last_s, done = time.monotonic(), count_executions(folder)
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert first_s is not None, "nothing was run"
    return {
        "headline": json.loads(out),
        "executions": done,
        "executions/s": round((done - first_done) / (last_s - first_s), 2),
        "said": [line for line in errors.splitlines() if "node" in line],
    }


def read_verdicts(folder: Path) -> list[Any]:
    rows = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    return [(row["problem_id"], row["verdict"], [test["verdict"] for test in row["tests"]]) for row in rows]


def measure_grade(cluster: Cluster, out: Path, samples: int, spin_s: float) -> None:
    problems, programs = write_set(out, samples, spin_s)
    grade = ["grade", problems, programs, "--sandbox", "local"]
    results = {"local, 1 worker": run(out / "local", [*grade, "--workers", "1"])}
    on_nodes = [*grade, "--ray", cluster.address]
    results["ray, 1 node"] = run(out / "one", on_nodes)
    second = cluster.add_node(**_OTHER)
    results["ray, 2 nodes"] = run(out / "two", on_nodes)
    middle = 2 * samples
    results["ray, 1 of 2 nodes killed"] = run(
        out / "lost", on_nodes, middle, lambda: cluster.remove_node(second, allow_graceful=False)
    )
    whole = read_verdicts(out / "local")
    for name, folder in zip(results, ("local", "one", "two", "lost"), strict=True):
        same = read_verdicts(out / folder) == whole
        print(name, json.dumps({"same verdicts": same, **results[name]}), flush=True)


def measure_eval(cluster: Cluster, out: Path) -> None:
    work = make_examples(0.01)
    common = ["eval", work.spec, *work.words, "-m", "tiny", "--sandbox", "local"]
    with ServerDouble(work.respond) as server:
        words = [*common, "--base-url", server.base_url]
        whole = run(out / "eval", words)
        server.received.clear()
        second = cluster.add_node(**_OTHER)
        lost = run(
            out / "eval-lost",
            [*words, "--ray", cluster.address],
            whole["executions"] // 2,
            lambda: cluster.remove_node(second, allow_graceful=False),
        )
        asked = Counter(call_key(received.body) for received in server.received)
    left, right = (
        clean(json.loads((out / name / "summary.json").read_text())) for name in ("eval", "eval-lost")
    )
    differ = [
        name
        for name in FILES
        if (out / "eval" / name).read_bytes() != (out / "eval-lost" / name).read_bytes()
    ]
    print(
        "eval, 1 of 2 nodes killed",
        json.dumps(
            {
                "same summary": left == right,
                "files that differ": differ,
                "calls": asked.total(),
                "asked twice": asked.total() - len(asked),
                "executions": (whole["executions"], lost["executions"]),
                "said": lost["said"],
            }
        ),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--spin-s", type=float, default=0.25)
    parser.add_argument("--only", choices=["grade", "eval"])
    parser.add_argument("--out", type=Path, default=Path("/tmp/sstar-nodes"))
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**_NODE, "include_dashboard": False})
    try:
        if options.only != "eval":
            measure_grade(cluster, options.out, options.samples, options.spin_s)
        if options.only != "grade":
            measure_eval(cluster, options.out)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
