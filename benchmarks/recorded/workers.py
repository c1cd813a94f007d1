"""Whether `sstar grade` gives the same verdicts with any number of workers, beside other work or not.

    python -m benchmarks.recorded.workers FOLDER [--workers 1,2,8] [--busy 0] [--every 28] [--sandbox local]

FOLDER holds the recorded LiveCodeBench programs; every Nth is graded, once for each number of workers and,
where --busy is not 0, again beside that many busy processes. Scores and verdicts are compared with those of
the first run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.recorded.data import read_lines
from benchmarks.tables import write_head, write_row

_SSTAR = "import sys; from sstar_code.agent.cli.main import main; sys.argv[0] = 'sstar'; sys.exit(main())"
_BUSY = "while True: pass"


def grade(problems: Path, samples: Path, out: Path, words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The printed scores, and the verdict of every sample in order."""
    command = [sys.executable, "-c", _SSTAR, "grade", f"lcb:{problems}", str(samples), "--json", *words]
    done = subprocess.run(
        [*command, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return json.loads(done.stdout), [row["verdict"] for row in read_lines(out / "verdicts.jsonl")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", default="1,2,8")
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--every", type=int, default=28)
    parser.add_argument("--sandbox", default="local")
    options = parser.parse_args()
    place = options.folder / "livecodebench"
    rows = list(read_lines(place / "verdicts.jsonl.gz"))[:: options.every]
    names = ("busy", "load before", "seconds", "pass@1", "verdicts", "other than in the first run")
    print(write_head(("workers", *names)))
    first: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        samples = Path(name) / "samples.jsonl"
        lines = [{"task_id": row["question_id"], "solution": row["code"]} for row in rows]
        samples.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        for busy in dict.fromkeys((0, options.busy)):
            for workers in options.workers.split(","):
                words = ["--workers", workers, "--sandbox", options.sandbox]
                load, started_s = os.getloadavg()[0], time.monotonic()
                with ExitStack() as stack:
                    for _ in range(busy):
                        process = stack.enter_context(subprocess.Popen([sys.executable, "-c", _BUSY]))
                        stack.callback(process.kill)
                    out = Path(name) / f"{workers}-{busy}"
                    scores, verdicts = grade(place / "problems.jsonl.gz", samples, out, words)
                first = first or verdicts
                other = sum(one != another for one, another in zip(first, verdicts, strict=True))
                counts = ", ".join(f"{key} {count}" for key, count in sorted(Counter(verdicts).items()))
                seconds = time.monotonic() - started_s
                figures = (f"{load:.1f}", f"{seconds:.0f}", f"{scores['pass@1']:.4f}")
                print(write_row((workers, busy, *figures, counts, other)), flush=True)


if __name__ == "__main__":
    main()
