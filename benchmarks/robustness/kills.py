"""Runs that are killed, starved of disk or cut off from their model end like runs left alone.

    python -m benchmarks.robustness.kills --moments 50 [--data FOLDER --problems 200]
        [--faults kill disk endpoint]

Each run is compared with one left alone: the same summary but for seconds and for which problem paid for a
run that two share, the same files to the letter, no stored answer asked for again, no file torn at any kill.
The disk is a tmpfs that grows each time it was full (needs root); the endpoint is closed for 3 s, which the
run waits out, and then until the run has given up.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.robustness.work import Work, call_key, make_examples, make_recorded
from sstar_code.agent.testing.server import ServerDouble

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = ("samples.jsonl", "candidates.jsonl", "lcb.json")
_START = "from sstar_code.agent.cli.main import main; main()"
_IN_FLIGHT = 4


@dataclass
class Run:
    """One run folder, started as often as it takes."""

    work: Work
    server: ServerDouble
    folder: Path
    stored: set[str] = field(default_factory=set)
    """Calls that were answered and stored before the latest start."""
    asked_again: int = 0
    torn: list[str] = field(default_factory=list)
    starts: int = 0

    def start(self) -> subprocess.Popen[str]:
        self.note()
        self.starts += 1
        self.server.received.clear()
        words = ["eval", self.work.spec, *self.work.words, "-m", "tiny", "--base-url", self.server.base_url]
        options = [
            "--out",
            str(self.folder),
            "--sandbox",
            "local",
            "--max-in-flight",
            str(_IN_FLIGHT),
            "--json",
        ]
        return subprocess.Popen(
            [sys.executable, "-c", _START, *words, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def note(self) -> None:
        """What the last start asked though it was stored, what is stored now, which files are torn."""
        self.asked_again += sum(
            call_key(request.body) in self.stored for request in list(self.server.received)
        )
        self.stored = {call_key(json.loads(text)) for (text,) in self.read("SELECT request FROM calls")}
        for path in self.folder.glob("*.json*"):
            if path.suffix == ".part":
                continue
            try:
                text = path.read_text()
                for part in text.splitlines() if path.suffix == ".jsonl" else [text]:
                    json.loads(part)
            except ValueError:
                self.torn.append(path.name)
        for (verdict,) in self.read("PRAGMA integrity_check"):
            if verdict != "ok":
                self.torn.append(f"run.db: {verdict}")

    def read(self, query: str) -> list[tuple[Any, ...]]:
        if not (self.folder / "run.db").exists():
            return []
        try:
            db = sqlite3.connect(f"file:{self.folder / 'run.db'}?mode=ro", uri=True)
            try:
                return db.execute(query).fetchall()
            finally:
                db.close()
        except sqlite3.OperationalError:  # not made yet
            return []

    def progress(self) -> int:
        """Answers and executions stored."""
        rows = self.read("SELECT (SELECT max(rowid) FROM calls), (SELECT max(rowid) FROM executions)")
        return sum(value or 0 for value in rows[0]) if rows else 0


def clean(value: Any) -> Any:
    """A summary without what the clock decides, and without who ran a shared run first."""
    if not isinstance(value, dict):
        return value
    left_out = ("seconds", "cpu_s", "executions", "server_load")
    kept = {name: clean(item) for name, item in value.items() if name not in left_out}
    return {
        name: item for name, item in kept.items() if not (isinstance(item, dict) and item.get("calls") == 0)
    }


def compare(run: Run, whole: Run) -> dict[str, Any]:
    run.note()
    left, right = (clean(json.loads((one.folder / "summary.json").read_text())) for one in (run, whole))
    return {
        "starts": run.starts,
        "summary differs in": sorted(name for name in {*left, *right} if left.get(name) != right.get(name)),
        "files that differ": [
            name for name in FILES if (run.folder / name).read_bytes() != (whole.folder / name).read_bytes()
        ],
        "stored answers asked again": run.asked_again,
        "torn files": run.torn,
        "rows": run.progress(),
        "rows left alone": whole.progress(),
    }


def finish(run: Run) -> None:
    process = run.start()
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def kill_often(run: Run, total: int, moments: int, seed: int) -> None:
    """Kill -9 at `moments` random moments: some while it starts, most when a random bit more is stored."""
    dice = random.Random(seed)
    for _ in range(moments):
        process = run.start()
        deadline = time.monotonic() + dice.uniform(0.0, 1.5)
        goal = run.progress() + dice.randint(1, max(2, 2 * total // moments))
        early = dice.random() < 0.2
        while process.poll() is None and (time.monotonic() < deadline if early else run.progress() < goal):
            time.sleep(0.02)
        time.sleep(dice.uniform(0.0, 0.05))
        ended = process.poll() is not None
        process.kill()
        process.communicate()
        if ended:
            break
    finish(run)


def fill_disk(run: Run, whole: Run, steps: int) -> None:
    """A disk that is full again and again: each time a run has ended with exit 3 it grows a little."""
    needed = sum(path.stat().st_size for path in whole.folder.iterdir())
    size = needed // steps
    run.folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", run.folder], check=True)
    while True:
        process = run.start()
        _, errors = process.communicate()
        if process.returncode == 0:
            return
        last = errors.strip().splitlines()[-1]
        assert process.returncode == 3, errors
        assert "free some space" in last or "cannot write" in last, errors
        size += needed // steps
        subprocess.run(["mount", "-o", f"remount,size={size}", run.folder], check=True)


def close_endpoint(run: Run, total: int) -> int:
    """Close the server in the middle for 3 s, then until the run gives up; the exit code of that."""
    port = run.server._server.server_address[1]  # noqa: SLF001 - the same address again
    process = run.start()
    for share in (3, 1.5):
        while process.poll() is None and run.progress() < total / share:
            time.sleep(0.01)
        received = list(run.server.received)
        run.server.__exit__(None, None, None)
        if share == 3:
            time.sleep(3.0)
        else:
            process.communicate()
        run.server = ServerDouble(run.work.respond, port=port)
        run.server.received += received
        run.server.__enter__()
    code = process.returncode
    finish(run)
    return code


def attempt(work: Work, out: Path, faults: list[str], moments: int, seed: int) -> dict[str, Any]:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    results: dict[str, Any] = {}

    def measured(name: str, act: Callable[[Run], object]) -> None:
        started_s = time.monotonic()
        with ServerDouble(work.respond) as server:
            run = Run(work, server, out / name)
            extra = act(run)
            run.server.__exit__(None, None, None) if run.server is not server else None
            results[name] = compare(run, whole) | {"seconds": round(time.monotonic() - started_s, 1)}
            if extra is not None:
                results[name]["exit code when it gave up"] = extra
        print(work.name, name, json.dumps(results[name]), flush=True)

    with ServerDouble(work.respond) as server:
        whole = Run(work, server, out / "whole")
        finish(whole)
    total = whole.progress()
    measured("again", finish)
    if "kill" in faults:
        measured("killed", lambda run: kill_often(run, total, moments, seed))
    if "disk" in faults:
        try:
            measured("full", lambda run: fill_disk(run, whole, 8))
        finally:
            subprocess.run(["umount", out / "full"], check=False)
    if "endpoint" in faults:
        measured("cut-off", lambda run: close_endpoint(run, total))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument(
        "--data", type=Path, help="folder of recorded programs; without it the example problems"
    )
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--faults", nargs="+", default=["kill", "disk", "endpoint"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--delay-s", type=float, default=0.02, help="of each answer")
    parser.add_argument("--out", type=Path, default=Path("/tmp/sstar-kills"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    faults = [fault for fault in options.faults if fault != "disk" or os.geteuid() == 0]
    works = [] if options.data else [make_examples(options.delay_s)]
    if options.data:
        works.append(make_recorded(options.data, options.out, options.problems, options.delay_s))
    for work in works:
        attempt(work, options.out / work.name, faults, options.moments, options.seed)


if __name__ == "__main__":
    main()
