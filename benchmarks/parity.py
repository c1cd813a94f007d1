"""Judges recorded programs with the benchmarks' own judges and with ours, and lists every difference.

    python benchmarks/parity.py FOLDER --judge livecodebench=CHECKOUT --judge evalplus=PYTHON
        [--python PYTHON] [--every N] [--work FOLDER] [--sandbox NAME] [--out FILE]

CHECKOUT is a checkout of LiveCodeBench whose imports PYTHON (--python) has; evalplus's PYTHON has evalplus
installed. The judges run in bubblewrap without network, each program twice: where the two readings differ,
the judge contradicts itself and nothing can agree with it. What a judge said is kept in --work, so that a run
that was cut goes on.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # not `sandbox.py` beside us

from agent.store import Store
from benchmarks.agreement import Case, describe
from benchmarks.recorded import COMMON_IMPORTS, load, number, read_lines
from problems import load_set
from sandbox import Verdict
from sandbox.choose import NAMES, make_sandbox
from sandbox.grade import run_tests
from sandbox.memo import MemoSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_OFFICIAL = Path(__file__).with_name("official.py")


@dataclass(frozen=True, slots=True)
class Program:
    """A program for the official judge and the same program, on the same tests, for ours."""

    judge: str
    """`livecodebench`, `humaneval` or `mbpp`."""
    question: dict[str, Any]
    """What official.py is asked."""
    cases: tuple[Case, ...]
    """One a verdict of the official judge; `recorded` says nothing here."""


def read_livecodebench(folder: Path) -> Iterator[Program]:
    """Every recorded program on all tests known here, public ones and the few revealed ones."""
    place = folder / "livecodebench"
    problems = {problem.id: problem for problem in load_set(f"lcb:{place / 'problems.jsonl.gz'}").problems}
    seen: Counter[str] = Counter()
    for row in read_lines(place / "verdicts.jsonl.gz"):
        problem = problems[row["question_id"]]
        tests = (*problem.public_tests, *problem.hidden_tests)
        sample = seen[problem.id]
        seen[problem.id] += 1
        if not tests:
            continue
        name = problem.entry_point.rpartition(".")[2] if problem.entry_point else None
        inputs, outputs = [test.input for test in tests], [test.output for test in tests]
        question = {
            "case": f"{problem.id}#{sample}",
            "code": row["code"],
            "tests": {"inputs": inputs, "outputs": outputs, "fn_name": name},
        }
        yield Program(
            "livecodebench",
            question,
            (Case("livecodebench", problem, sample, row["code"], tests, recorded=False),),
        )


def read_plus(folder: Path, name: str, judge: str, spec: str) -> Iterator[Program]:
    """Recorded programs of HumanEval or MBPP, with common imports first, on base and plus tests."""
    problems = load(spec)
    seen: Counter[str] = Counter()
    for row in read_lines(folder / name / "samples.jsonl.gz"):
        problem = problems[number(row["task_id"])]
        for item in row["samples"]:
            code = COMMON_IMPORTS + item["code"]
            sample = seen[problem.id]
            seen[problem.id] += 1
            question = {"case": f"{name}/{problem.id}#{sample}", "code": code, "task": problem.id}
            base, plus = problem.hidden_tests[:-1], problem.hidden_tests
            yield Program(
                judge,
                question,
                (
                    Case(f"{name} base", problem, sample, code, base, recorded=False),
                    Case(f"{name} plus", problem, sample, code, plus, recorded=False),
                ),
            )


def read_programs(folder: Path, judges: Sequence[str]) -> Iterator[Program]:
    if "livecodebench" in judges:
        yield from read_livecodebench(folder)
    if "evalplus" in judges:
        humaneval = f"humaneval+:{folder / 'humaneval' / 'HumanEvalPlus.jsonl.gz'}"
        mbpp = f"mbpp+:{folder / 'mbpp' / 'MbppPlus-OriginFmt.jsonl.gz'}"
        yield from read_plus(folder, "mbpp_pool", "mbpp", mbpp)
        yield from read_plus(folder, "humaneval_pool", "humaneval", humaneval)
        yield from read_plus(folder, "humaneval_chat10", "humaneval", humaneval)


def prepare_data(folder: Path, work: Path) -> dict[str, str]:
    """The judge evalplus reads its problems from plain files named in its environment."""
    found = {}
    for key, name in (
        ("HUMANEVAL_OVERRIDE_PATH", "humaneval/HumanEvalPlus.jsonl.gz"),
        ("MBPP_OVERRIDE_PATH", "mbpp/MbppPlus.jsonl.gz"),
    ):
        plain = work / Path(name).name.removesuffix(".gz")
        plain.write_bytes(gzip.decompress((folder / name).read_bytes()))
        found[key] = str(plain)
    return found


def ask_official(
    judge: str, place: tuple[str, str], programs: Sequence[Program], folder: Path, work: Path
) -> dict[str, list[list[bool]]]:
    """Case -> its verdicts in both readings; what is kept in `work` is not asked again."""
    python, checkout = place
    answers = work / f"{judge}.answers.jsonl"
    known = {row["case"]: row["passed"] for row in read_lines(answers)} if answers.exists() else {}
    wanted = [program.question for program in programs if program.question["case"] not in known]
    if wanted:
        cases, out = work / f"{judge}.cases.jsonl", work / f"{judge}.out.jsonl"
        cases.write_text("".join(json.dumps(question) + "\n" for question in wanted), "utf-8")
        out.unlink(missing_ok=True)
        isolated = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        isolated += [
            "--bind",
            str(work),
            str(work),
            "--unshare-all",
            "--die-with-parent",
            "--chdir",
            str(work),
        ]
        environment = os.environ | prepare_data(folder, work)
        environment |= {"TMPDIR": str(work), "XDG_CACHE_HOME": str(work / "cache"), "HOME": str(work)}
        try:
            subprocess.run(
                [*isolated, python, str(_OFFICIAL), judge, str(cases), str(out), checkout],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        finally:
            if out.exists():
                with answers.open("a", encoding="utf-8") as stream:
                    lines = out.read_text("utf-8").splitlines(keepends=True)
                    stream.writelines(line for line in lines if line.endswith("\n"))
        known = {row["case"]: row["passed"] for row in read_lines(answers)}
    return {program.question["case"]: known[program.question["case"]] for program in programs}


async def ask_ours(
    programs: Sequence[Program], name: str, store: Store
) -> list[tuple[Verdict, dict[str, Any]]]:
    """Our verdict on every case, in order."""
    cases = [case for program in programs for case in program.cases]
    found: dict[int, tuple[Verdict, dict[str, Any]]] = {}
    async with MemoSandbox(make_sandbox(name, say=partial(print, file=sys.stderr)), store) as sandbox:
        limiter = anyio.CapacityLimiter(4 * sandbox.workers)

        async def judge(place: int, case: Case) -> None:
            async with limiter:
                report = await run_tests(sandbox, case.problem, case.code, case.tests, stop_on_failure=True)
            found[place] = (report.verdict, describe(report))
            if len(found) % 500 == 0:
                print(f"ours: {len(found)}/{len(cases)}", file=sys.stderr)

        async with anyio.create_task_group() as group:
            for place, case in enumerate(cases):
                group.start_soon(judge, place, case)
    return [found[place] for place in range(len(cases))]


def compare(
    programs: Sequence[Program],
    official: dict[str, list[list[bool]]],
    ours: Sequence[tuple[Verdict, dict[str, Any]]],
) -> list[dict[str, Any]]:
    """One row a verdict."""
    rows = []
    verdicts = iter(ours)
    for program in programs:
        first, second = official[program.question["case"]]
        for case, *readings in zip(program.cases, first, second, strict=True):
            verdict, details = next(verdicts)
            rows.append(
                {
                    "set": case.name,
                    "id": case.problem.id,
                    "sample": case.sample,
                    "ours": verdict.value,
                    "official": readings,
                    "steady": readings[0] == readings[1],
                    "agrees": (verdict is Verdict.AC) == readings[0],
                    **details,
                    "code": case.code,
                }
            )
    return rows


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    print("| set | verdicts | judge contradicts itself | agree, of the rest | share | only ours | only it |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name in dict.fromkeys(row["set"] for row in rows):
        items = [row for row in rows if row["set"] == name]
        steady = [row for row in items if row["steady"]]
        agree = sum(row["agrees"] for row in steady)
        only_ours = sum(not row["agrees"] and row["ours"] == "AC" for row in steady)
        only_theirs = len(steady) - agree - only_ours
        share = f"{100 * agree / len(steady):.2f}%"
        unsteady = len(items) - len(steady)
        print(f"| {name} | {len(items)} | {unsteady} | {agree} | {share} | {only_ours} | {only_theirs} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--judge", action="append", required=True, metavar="NAME=PLACE")
    parser.add_argument("--python", default=sys.executable, help="interpreter for LiveCodeBench's judge")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth program only")
    parser.add_argument("--work", type=Path, default=Path("runs/parity"))
    parser.add_argument("--sandbox", choices=NAMES, default="auto")
    parser.add_argument("--out", type=Path, help="JSON file for the differences")
    options = parser.parse_args()
    judges = dict(item.split("=", 1) for item in options.judge)
    folder, work = options.folder.resolve(), options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    programs = list(read_programs(folder, list(judges)))[:: options.every]
    official: dict[str, list[list[bool]]] = {}
    for judge in dict.fromkeys(program.judge for program in programs):
        python = options.python if judge == "livecodebench" else judges["evalplus"]
        own = [program for program in programs if program.judge == judge]
        official |= ask_official(judge, (python, judges.get(judge, "")), own, folder, work)
    with closing(Store(work / "ours.db")) as store:
        ours = anyio.run(ask_ours, programs, options.sandbox, store)
    rows = compare(programs, official, ours)
    print_table(rows)
    if options.out:
        wanted = [row for row in rows if not (row["steady"] and row["agrees"])]
        options.out.write_text(json.dumps(wanted, indent=1), "utf-8")


if __name__ == "__main__":
    main()
