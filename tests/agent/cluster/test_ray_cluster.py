"""Two real Ray nodes on this machine, one of which is killed in the middle of a run."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing

import pytest

if os.environ.get("SSTAR_TEST_RAY") != "1":
    pytest.skip("starts a Ray cluster of two nodes: SSTAR_TEST_RAY=1 asks for it", allow_module_level=True)
pytest.importorskip("ray", reason="Ray is not installed")

CLUSTER = """
import sys
from ray.cluster_utils import Cluster
node = {"num_cpus": 1, "object_store_memory": 80 << 20}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
second = cluster.add_node(**node, node_ip_address="127.0.0.2")  # the command joins the first
print(cluster.address, flush=True)
for line in sys.stdin:
    if line == "kill\\n":
        cluster.remove_node(second, allow_graceful=False)
cluster.shutdown()
"""
PROGRAM = """
import time
value = int(input())
while time.process_time() < 0.1:
    pass
print({factor} * value)  # {number}
"""


def count_executions(run):
    try:
        with closing(sqlite3.connect(f"file:{run / 'run.db'}?mode=ro", uri=True)) as db:
            return db.execute("SELECT count(*) FROM executions").fetchone()[0]
    except sqlite3.OperationalError:  # not made yet
        return 0


def read_verdicts(run):
    rows = [json.loads(line) for line in (run / "verdicts.jsonl").read_text().splitlines()]
    return [(row["problem_id"], row["verdict"], [test["verdict"] for test in row["tests"]]) for row in rows]


def test_node_killed_in_the_middle_changes_no_verdict(spawn, sstar, write_set, isolated, folder):
    """What the lost node was running runs on the other; stdout holds the result alone."""
    tests = [{"input": f"{value}\n", "output": str(2 * value)} for value in range(3)]
    problems = [
        {"id": f"p{number}", "statement": "Double it.", "kind": "stdin", "public_tests": tests}
        for number in range(16)
    ]
    with (folder / "samples.jsonl").open("w") as file:
        for number in range(16):
            code = PROGRAM.format(factor=2 + number % 2, number=number)
            file.write(json.dumps({"task_id": f"p{number}", "solution": code}) + "\n")
    words = ["grade", write_set(*problems), "samples.jsonl", "--json", "--sandbox", "local"]
    assert sstar(*words, "--out", "whole").code == 0
    cluster = spawn(program=CLUSTER, stdin=-1, stderr=None)
    address = cluster.stdout.readline().strip()
    process = spawn(*words, "--ray", address, "--out", "run")
    while process.poll() is None and count_executions(folder / "run") < 9:
        time.sleep(0.02)
    cluster.stdin.write("kill\n")
    cluster.stdin.flush()
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "lost node" in err
    assert json.loads(out)["samples"] == 16
    assert read_verdicts(folder / "run") == read_verdicts(folder / "whole")
    cluster.communicate(timeout=180)
