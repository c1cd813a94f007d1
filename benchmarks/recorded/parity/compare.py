"""Judges recorded programs with the benchmarks' own judges and with ours, and lists every difference.

    python -m benchmarks.recorded.parity.compare FOLDER --judge livecodebench=CHECKOUT --judge evalplus=PYTHON
        [--python PYTHON] [--every N] [--readings N] [--busy N] [--limit SECONDS] [--ahead]
        [--tests judge|published] [--own] [--work FOLDER] [--sandbox NAME] [--out FILE]

CHECKOUT is a checkout of LiveCodeBench whose imports PYTHON (--python) has; evalplus's PYTHON has evalplus
installed, and `mbpp=PYTHON` or `humaneval=PYTHON` asks it about one of its sets. The judges run in
bubblewrap without network. Where two readings of a program differ, the judge contradicts itself and nothing
can agree with it. One table is of the plain readings (--readings, two by default), one has also the reading
on a core shared with busy processes (--busy), and one also the reading with another limit (--limit): what
differs in the last is no matter of time. With --ahead the judges, and what is busy beside them, go before
all other work, so that they are as on an idle machine. What a judge said is kept in --work, so that a run
that was cut goes on.

Ours runs on the tests that the judge has; with --tests published on those of the published files instead,
which differ from evalplus's inputs. --own judges the sets' own solutions instead of recorded programs.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.recorded.agreement import describe
from benchmarks.recorded.parity.programs import DATASETS, read_evalplus, read_livecodebench
from benchmarks.recorded.parity.readings import Judge, Reading, read_all, write_expected
from benchmarks.recorded.parity.table import compare, list_differences, print_loads, print_table
from sstar_code.agent.run.store import Store
from sstar_code.sandbox.choose import NAMES, make_sandbox
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.memo import MemoSandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.recorded.parity.programs import Program
    from sstar_code.sandbox import Verdict


def make_judges(options: argparse.Namespace) -> list[Judge]:
    """The judges asked for, evalplus once a data set."""
    folder, work = options.folder.resolve(), options.work.resolve()
    places = dict(item.split("=", 1) for item in options.judge)
    judges = []
    if "livecodebench" in places:
        judges.append(
            Judge("livecodebench", options.python, places["livecodebench"], folder, work, options.ahead)
        )
    pythons = {name: places.get(name, places.get("evalplus")) for name in DATASETS}
    judges += [
        Judge(name, python, "", folder, work, options.ahead) for name, python in pythons.items() if python
    ]
    return judges


def make_readings(options: argparse.Namespace) -> list[list[Reading]]:
    """The readings of every table: each has those of the one before."""
    tables = [[Reading(f"plain {place + 1}") for place in range(options.readings)]]
    if options.busy:
        tables.append([*tables[-1], Reading(f"beside {options.busy}", busy=options.busy)])
    if options.limit:
        tables.append([*tables[-1], Reading(f"{options.limit} s", limit_s=options.limit)])
    return tables


def read_programs(judge: Judge, options: argparse.Namespace) -> list[Program]:
    """The programs of a judge, every Nth of each set."""
    if judge.name == "livecodebench":
        return list(read_livecodebench(judge.folder))[:: options.every]
    expected = write_expected(judge)
    given = expected if options.tests == "judge" else None
    return list(read_evalplus(judge.folder, judge.name, given, own=options.own))[:: options.every]


async def ask_ours(
    programs: Sequence[Program], name: str, store: Store
) -> list[tuple[Verdict, dict[str, Any]]]:
    """Our verdict on every case, in order."""
    cases = [case for program in programs for case in program.cases]
    found: dict[int, tuple[Verdict, dict[str, Any]]] = {}
    async with MemoSandbox(make_sandbox(name, say=partial(print, file=sys.stderr)), store) as sandbox:
        limiter = anyio.CapacityLimiter(4 * sandbox.workers)

        async def judge(place: int) -> None:
            case = cases[place]
            async with limiter:
                report = await run_tests(sandbox, case.problem, case.code, case.tests, stop_on_failure=True)
            found[place] = (report.verdict, describe(report))
            if len(found) % 500 == 0:
                print(f"ours: {len(found)}/{len(cases)}", file=sys.stderr)

        async with anyio.create_task_group() as group:
            for place in range(len(cases)):
                group.start_soon(judge, place)
    return [found[place] for place in range(len(cases))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--judge", action="append", required=True, metavar="NAME=PLACE")
    parser.add_argument("--python", default=sys.executable, help="interpreter for LiveCodeBench's judge")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth program only")
    parser.add_argument("--readings", type=int, default=2, metavar="N", help="plain readings")
    parser.add_argument(
        "--busy", type=int, default=0, metavar="N", help="one more, on a core with N busy others"
    )
    parser.add_argument("--ahead", action="store_true", help="the judges go before all other work (root)")
    parser.add_argument("--limit", type=int, metavar="SECONDS", help="one more, with this wall limit a test")
    parser.add_argument(
        "--tests", choices=("judge", "published"), default="judge", help="those that ours runs"
    )
    parser.add_argument("--own", action="store_true", help="the sets' own solutions, of evalplus's sets")
    parser.add_argument("--work", type=Path, default=Path("runs/parity"))
    parser.add_argument("--sandbox", choices=NAMES, default="auto")
    parser.add_argument("--out", type=Path, help="JSON file for the differences")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    tables = make_readings(options)
    programs: list[Program] = []
    official: dict[str, dict[str, dict[str, Any]]] = {}
    for judge in make_judges(options):
        own = read_programs(judge, options)
        questions = {program.question["case"]: program.question for program in own}
        official |= read_all(judge, questions, tables[-1])
        programs += own
    with closing(Store(options.work / "ours.db")) as store:
        ours = anyio.run(ask_ours, programs, options.sandbox, store)
    rows = compare(programs, official, ours)
    names = [[reading.name for reading in readings] for readings in tables]
    for table in names:
        print_table(rows, table)
    print()
    print_loads(official, names[-1])
    if options.out:
        options.out.write_text(json.dumps(list_differences(rows, names[-1]), indent=1), "utf-8")


if __name__ == "__main__":
    main()
