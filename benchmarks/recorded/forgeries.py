"""Counts the programs that solve nothing and are accepted by assert-style tests all the same.

    python -m benchmarks.recorded.forgeries FOLDER [--sandbox docker|local] [--every N] [--only NAME]
        [--sets humaneval,humaneval+,mbpp+]

FOLDER holds humaneval/ and mbpp/. Each forgery of forgeries.txt is made a program for every problem, and
graded on its tests, assert-style ones first. A table says how many of them were accepted: none should be. The
set's own references are graded too: all of them should be accepted. `--every N` takes every Nth pair of a
problem and a forgery, so that all problems and all forgeries come.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import anyio

from benchmarks.tables import write_table
from sstar_code.problems import Problem, load_set
from sstar_code.sandbox import Sandbox, Verdict
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.grade import run_tests

_REFERENCE = "reference"
_TEXT = Path(__file__).with_suffix(".txt")


def read_forgeries() -> dict[str, str]:
    """The programs of the file beside this one, by name, with the parts that they include."""
    _, *sections = re.split(r"(?m)^=== (.*)\n", _TEXT.read_text("utf-8"))
    found = dict(zip(sections[::2], sections[1::2], strict=True))
    parts = {name[5:]: found.pop(name) for name in list(found) if name.startswith("part ")}
    return {
        name: re.sub(r"(?m)^include (\w+)$", lambda line: parts[line[1]], text)
        for name, text in found.items()
    }


FORGERIES = read_forgeries()
"""Programs that solve nothing, by name."""


def write_forgery(name: str, entry_point: str) -> str:
    """The program of a forgery for the function `entry_point`."""
    return FORGERIES[name].replace("FUNCTION", entry_point)


async def is_accepted(sandbox: Sandbox, problem: Problem, code: str, time_limit_s: float = 2.0) -> bool:
    """Whether the problem's tests accept the program; assert-style ones, which are attacked, come first."""
    tests = sorted(problem.hidden_tests, key=lambda test: test.program is None)
    given = replace(problem, time_limit_s=time_limit_s)
    report = await run_tests(sandbox, given, code, tests, stop_on_failure=True)
    return bool(tests) and report.verdict is Verdict.AC


async def _count(
    sandbox: Sandbox, problems: list[Problem], names: list[str], every: int
) -> tuple[Counter[str], Counter[str]]:
    """By name of a forgery: how many of its programs were graded, how many accepted."""
    work = [(_REFERENCE, problem) for problem in problems]
    for row, name in enumerate(names):
        work += [(name, problem) for place, problem in enumerate(problems) if (place + row) % every == 0]
    tried, accepted = Counter[str](), Counter[str]()

    async def grade() -> None:
        while work:
            (name, problem) = work.pop()
            is_right = name == _REFERENCE
            reference = str(problem.metadata.get("reference"))
            code = reference if is_right else write_forgery(name, problem.entry_point or "f")
            good = await is_accepted(sandbox, problem, code, 20.0 if is_right else 2.0)
            tried[name] += 1
            accepted[name] += good
            if good != is_right:
                print(f"{problem.id}: {name}: {'accepted' if good else 'refused'}", flush=True)

    async with sandbox, anyio.create_task_group() as group:
        for _ in range(sandbox.workers):
            group.start_soon(grade)
    return tried, accepted


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sandbox", default="local")
    parser.add_argument("--every", type=int, default=1, help="take every Nth pair")
    parser.add_argument("--only", help="one forgery")
    parser.add_argument("--sets", default="humaneval,humaneval+,mbpp+")
    options = parser.parse_args()
    names = [options.only] if options.only else list(FORGERIES)
    rows = []
    for spec in (
        f"humaneval:{options.folder / 'humaneval' / 'HumanEval.jsonl.gz'}",
        f"humaneval+:{options.folder / 'humaneval' / 'HumanEvalPlus.jsonl.gz'}",
        f"mbpp+:{options.folder / 'mbpp' / 'MbppPlus.jsonl.gz'}",
    ):
        form = spec.partition(":")[0]
        if form not in options.sets.split(","):
            continue
        problems = list(load_set(spec).problems)
        tried, accepted = anyio.run(_count, make_sandbox(options.sandbox), problems, names, options.every)
        print(f"{form}: references {accepted.pop(_REFERENCE)} of {tried.pop(_REFERENCE)}", flush=True)
        print(f"{form}: forgeries {accepted.total()} of {tried.total()}", flush=True)
        rows += [(form, name, tried[name], accepted[name]) for name in names]
    print(write_table(["set", "forgery", "programs", "accepted"], rows))


if __name__ == "__main__":
    main()
