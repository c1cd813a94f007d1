"""How often the public tests read from a statement equal recorded ones.

    python -m benchmarks.recorded.statements DATA

DATA holds `livecodebench/problems.jsonl.gz` and `provenance.jsonl`, `humaneval/tests.jsonl`, and `leetcode/`.
`--misses N` prints N statements per row of the table where the two differ.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.tables import write_table
from sstar_code.problems import Kind, Problem
from sstar_code.problems.statements.parse import parse_statement
from sstar_code.problems.values import decode, decode_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

Case = tuple[str, Problem, list[Any], list[Any], bool]
"""Row of the table, what was parsed, tests found, tests recorded, whether kind and entry point are right."""


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            yield json.loads(line)


def found_tests(problem: Problem) -> list[Any]:
    if problem.kind is Kind.STDIN:
        return [(lines(test.input), lines(test.output or "")) for test in problem.public_tests]
    return [
        test.program or [decode_lines(test.input), decode(test.output or "null")]
        for test in problem.public_tests
    ]


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def livecodebench(folder: Path) -> Iterator[Case]:
    sources = {
        row["question_id"]: row["public_tests_source"] for row in read_lines(folder / "provenance.jsonl")
    }
    for row in read_lines(folder / "problems.jsonl.gz"):
        starter = row["starter_code"]
        text = row["question_content"]
        problem = parse_statement(
            f"{text}\n\n```python\n{starter}\n```\n" if starter else text, id=row["question_id"]
        )
        tests = json.loads(row["public_test_cases"])
        if not tests:
            continue
        function = tests[0]["testtype"] == "functional"
        if function:
            recorded = [[decode_lines(test["input"]), decode(test["output"])] for test in tests]
            name = json.loads(row["metadata"])["func_name"]
            known = problem.entry_point == f"Solution.{name}"
        else:
            recorded = [(lines(test["input"]), lines(test["output"])) for test in tests]
            known = problem.kind is Kind.STDIN
        source = "upstream" if sources[row["question_id"]].startswith("upstream") else "parsed elsewhere"
        yield f"LiveCodeBench {row['platform']} ({source})", problem, found_tests(problem), recorded, known


def humaneval(folder: Path) -> Iterator[Case]:
    for row in read_lines(folder / "tests.jsonl"):
        problem = parse_statement(row["prompt"], id=row["task_id"])
        recorded = [pair for text in row["given_tests"] if (pair := read_assert(text)) is not None]
        known = problem.entry_point == row["entry_point"]
        yield "HumanEval", problem, found_tests(problem), recorded, known


def read_assert(text: str) -> Any:
    try:
        condition = ast.parse(text.strip()).body[0].test  # type: ignore[attr-defined]
        return [
            [ast.literal_eval(node) for node in condition.left.args],
            ast.literal_eval(condition.comparators[0]),
        ]
    except (ValueError, SyntaxError, AttributeError):
        return text.strip()


def leetcode(folder: Path) -> Iterator[Case]:
    """The examples are not recorded apart: hidden asserts with the same arguments tell what is right."""
    for row in read_lines(folder / "20240121-Jul.jsonl"):
        problem = parse_statement(row["prompt"], id=row["task_id"])
        hidden = [pair for pair in map(read_call, row["test"].split("test_input = ")[1:]) if pair is not None]
        name = row["test"].partition("my_solution.")[2].partition("(")[0]
        yield (
            "LeetCode 2024-01 to 2024-07",
            problem,
            *known_examples(problem, hidden, row["prompt"]),
            problem.entry_point == f"Solution.{name}",
        )
    for row in read_lines(folder / "LeetCodeDataset-v0.3.1-test.jsonl.gz"):
        text = f"{row['problem_description']}\n```python\n{row['starter_code']}\n```\n"
        problem = parse_statement(text, id=row["task_id"])
        hidden = [pair for pair in map(read_candidate, row["test"].split("assert ")[1:]) if pair is not None]
        known = problem.entry_point == row["entry_point"].replace("()", "")
        yield "LeetCodeDataset 0.3.1 test", problem, *known_examples(problem, hidden, text), known


def read_call(text: str) -> Any:
    arguments, _, rest = text.partition("\nassert ")
    try:
        return [
            list(ast.literal_eval(arguments).values()),
            ast.literal_eval(rest.partition(" == ")[2].strip()),
        ]
    except (ValueError, SyntaxError, AttributeError):
        return None


def read_candidate(text: str) -> Any:
    try:
        condition = ast.parse(text.strip(), mode="eval").body
        values = [ast.literal_eval(keyword.value) for keyword in condition.left.keywords]  # type: ignore[attr-defined]
        return [values, ast.literal_eval(condition.comparators[0])]  # type: ignore[attr-defined]
    except (ValueError, SyntaxError, AttributeError):
        return None


def known_examples(problem: Problem, hidden: list[Any], text: str) -> tuple[list[Any], list[Any]]:
    """(found, wanted): as many as "Output:" stands in the text, and none against a hidden test."""
    found = found_tests(problem)
    answers = {json.dumps(pair[0]): pair[1] for pair in hidden}
    right = [[pair[0], answers.get(json.dumps(pair[0]), pair[1])] for pair in found]
    missing = max(0, text.count("Output:") - len(found))
    return found, right + ["missing"] * missing


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--misses", type=int, default=0)
    options = parser.parse_args()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for reader, name in ((livecodebench, "livecodebench"), (humaneval, "humaneval"), (leetcode, "leetcode")):
        for row, problem, found, recorded, known in reader(options.data / name):
            count = counts[row]
            equal = found == recorded or sorted(map(repr, found)) == sorted(map(repr, recorded))
            count.update(
                problems=1, known=known, equal=equal, none=not found, subset=all(t in recorded for t in found)
            )
            if not equal and count["shown"] < options.misses:
                count["shown"] += 1
                print(
                    f"\n#### {row} {problem.id}\n{problem.statement[-2500:]}\nFOUND {found}\n"
                    f"RECORDED {recorded}"
                )
    rows = []
    for row, count in sorted(counts.items()):
        total = count["problems"]
        shares = (f"{count[key]} ({count[key] / total:.1%})" for key in ("known", "equal", "subset"))
        rows.append((row, total, *shares, count["none"]))
    names = ("kind and entry point right", "tests equal", "none wrong", "none found")
    print(write_table(("statements", "problems", *names), rows))


if __name__ == "__main__":
    main()
