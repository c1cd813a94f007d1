"""Compares extraction with what the recorded runs' own authors extracted from the same answers.

    python -m benchmarks.recorded.extraction FOLDER [--misses N]

FOLDER holds apps150/responses.jsonl.gz (`responses`, `source_codes`) and livecodebench/*_eval_all.json.gz
(`output_list`, `code_list`). Two programs are equal when their syntax trees are, or else their text without
blank lines and trailing blanks. A program parses and holds more than comments; the columns say who found one.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tables import write_table
from sstar_code.agent.generation.extract import extract_code
from sstar_code.problems import Kind, Problem
from sstar_code.problems.python_source import parse_python

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("equal", "only ours", "only theirs", "both, they differ", "neither, they differ")
_ENTRY = re.compile(r"def (\w+)\(self")


def read_apps(folder: Path) -> Iterator[tuple[str, Problem, str, str]]:
    """Name, problem, raw answer and upstream's code of the APPS runs."""
    with gzip.open(folder / "apps150" / "responses.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            problem = Problem(row["id"], "", Kind.STDIN)
            for answer, code in zip(row["responses"], row["source_codes"], strict=False):
                yield f"apps150 {row['run']}", problem, answer or "", code or ""


def read_lcb(folder: Path) -> Iterator[tuple[str, Problem, str, str]]:
    """Counts of the LiveCodeBench runs."""
    for path in sorted((folder / "livecodebench").glob("*_eval_all.json.gz")):
        name = "lcb " + path.name.replace("_Scenario.", " ").split("_1_0")[0]
        for row in json.loads(gzip.decompress(path.read_bytes())):
            starter = row["starter_code"]
            match = _ENTRY.search(starter)
            kind = Kind.FUNCTION if match else Kind.STDIN
            entry = f"Solution.{match[1]}" if match else None
            problem = Problem(row["question_id"], "", kind, entry, starter)
            for answer, code in zip(row["output_list"], row["code_list"], strict=True):
                yield name, problem, answer or "", code or ""


def normalise(code: str) -> str:
    tree = parse_python(code)
    if tree is not None:
        return ast.dump(tree)
    return "\n".join(line.rstrip() for line in code.split("\n") if line.strip())


def is_program(code: str | None) -> bool:
    """It parses and holds more than comments."""
    tree = parse_python(code or "")
    return tree is not None and bool(tree.body)


def classify(ours: str | None, theirs: str) -> str:
    if normalise(ours or "") == normalise(theirs):
        return COLUMNS[0]
    match is_program(ours), is_program(theirs):
        case True, False:
            return COLUMNS[1]
        case False, True:
            return COLUMNS[2]
        case True, True:
            return COLUMNS[3]
        case _:
            return COLUMNS[4]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--misses", type=int, default=0, help="print so many differing answers a run")
    options = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    started = time.perf_counter()
    for name, problem, answer, theirs in (*read_apps(options.folder), *read_lcb(options.folder)):
        extraction = extract_code(answer, problem)
        outcome = classify(extraction.code, theirs)
        run = counts.setdefault(name, Counter())
        run[outcome] += 1
        if outcome != COLUMNS[0] and run["shown"] < options.misses:
            run["shown"] += 1
            print(f"#### {name} {problem.id} {problem.entry_point}: {outcome}, {extraction.how}")
            print(answer, "\n---- ours", extraction.code, "\n---- theirs", theirs, sep="\n")
    seconds = time.perf_counter() - started
    counts = {**dict(sorted(counts.items())), "all": sum(counts.values(), Counter())}
    columns = {name: [run[column] for column in COLUMNS] for name, run in counts.items()}
    rows = ((name, sum(values), *values) for name, values in columns.items())
    print(write_table(("run", "answers", *COLUMNS), rows))
    answers = sum(columns["all"])
    print(f"\n{1000 * seconds / answers:.2f} ms an answer, comparison included")


if __name__ == "__main__":
    main()
