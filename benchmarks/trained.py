"""Techniques whose models were trained several times: one table, paired by problem.

    python -m benchmarks.trained 'sample=RUN,RUN' 'backtrack=RUN,RUN' --out results

An arm is NAME=RUN,...: the run folders of one technique, one for each training, on the same problems at the
same budget (those of `sstar compare` are run folders). The differences are to the first arm. A problem counts
by the share of runs that solved it; intervals are over problems, and the runs stand beside them one by one.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tables import write_table
from sstar_code.agent.run.summary import mean_rate, paired_bootstrap


@dataclass(frozen=True, slots=True)
class Ended:
    """A run: what came of each problem."""

    solved: dict[str, bool]
    possible: dict[str, bool]
    """Whether any candidate was right."""
    tokens: int


def read_run(folder: Path) -> Ended:
    """What a finished run left; the choice is that of its one method."""
    with closing(sqlite3.connect(f"file:{folder / 'run.db'}?mode=ro", uri=True)) as db:
        outcomes = [json.loads(text) for (text,) in db.execute("SELECT outcome FROM problems")]
        answers = [json.loads(text) for (text,) in db.execute("SELECT answer FROM calls")]
    solved, possible = {}, {}
    for outcome in outcomes:
        right = [sample["hidden"] == "AC" for sample in outcome["samples"]]
        (chosen,) = outcome["chosen"].values() or (None,)
        solved[outcome["problem_id"]] = chosen is not None and right[chosen]
        possible[outcome["problem_id"]] = any(right)
    return Ended(solved, possible, sum(row["usage"]["prompt"] + row["usage"]["output"] for row in answers))


def show(arms: dict[str, list[Ended]]) -> str:
    """The table."""
    names = sorted({problem for runs in arms.values() for run in runs for problem in run.solved})
    shares = {
        arm: [statistics.fmean(run.solved.get(name, False) for run in runs) for name in names]
        for arm, runs in arms.items()
    }
    first, rows = next(iter(arms)), []
    for arm, runs in arms.items():
        rate, least = mean_rate(shares[arm]), ""
        if arm != first:
            gains = [one - other for one, other in zip(shares[arm], shares[first], strict=True)]
            gain = paired_bootstrap(gains)
            least = " ".join(
                f"{100 * part:+.1f}{mark}"
                for part, mark in ((gain.value, ""), (gain.low, " to"), (gain.high, ""))
            )
        alone = ", ".join(f"{100 * sum(run.solved.values()) / len(names):.1f}" for run in runs)
        oracle = statistics.fmean(sum(run.possible.values()) / len(names) for run in runs)
        rows.append(
            (
                arm,
                f"{100 * rate.value:.1f} ({100 * rate.low:.1f} to {100 * rate.high:.1f})",
                alone,
                f"{100 * oracle:.1f}",
                f"{statistics.fmean(run.tokens for run in runs):,.0f}",
                least,
            )
        )
    head = ("arm", "solved, percent", "by training", "oracle", "tokens", f"less {first}, points")
    return f"{write_table(head, rows)}\n\n{len(names)} problems"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("arms", nargs="+", metavar="NAME=RUN,...")
    parser.add_argument("--out", type=Path, help="folder for the table")
    options = parser.parse_args()
    arms = {}
    for arm in options.arms:
        name, _, runs = arm.rpartition("=")
        if not name:
            parser.error(f"{arm}: write NAME=RUN,...")
        arms[name] = [read_run(Path(run)) for run in runs.split(",")]
    table = show(arms)
    print(table)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "trained.md").write_text(table + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
