"""How long the prompts to write and to repair are, and what cleaning statements takes away.

    python -m benchmarks.recorded.prompts DATA [--failures 40] [--ranks FILE] [--sandbox local]

DATA holds `livecodebench/`, `apps150/` and `codecontests73/`. For the first table every statement is cleaned.
For the second, recorded programs that fail a public test, one a problem and `--failures` a set, are run on
the public tests, and both prompts are rendered. `--ranks` is the vocabulary of a tokenizer in tiktoken's
format, and needs tiktoken; without it a token is taken for four characters.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from benchmarks.recorded.data import read_lines
from benchmarks.tables import write_table
from sstar_code.agent.generation.feedback import describe_failures, summarize_tests
from sstar_code.agent.prompts.shown import show_value
from sstar_code.agent.prompts.statement import clean_statement, list_unshown
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.problems import load_set
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.grade import run_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox

SETS = {
    "lcb": ("livecodebench/problems.jsonl.gz", "livecodebench/verdicts.jsonl.gz", "question_id"),
    "apps": ("apps150/selected150.jsonl", "apps150/samples.jsonl.gz", "id"),
    "codecontests": ("codecontests73/problems.jsonl.gz", "codecontests73/samples.jsonl.gz", "problem"),
}
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen's tokenizers split texts."""
TIME_LIMIT_S = 2.0


def make_counter(ranks: Path | None) -> Callable[[str], int]:
    if ranks is None:
        return lambda text: len(text) // 4
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    encoding = tiktoken.Encoding(
        "ranks", pat_str=PATTERN, mergeable_ranks=load_tiktoken_bpe(str(ranks)), special_tokens={}
    )
    return lambda text: len(encoding.encode(text, disallowed_special=()))


def read_failures(path: Path, key: str) -> Iterator[tuple[str, str]]:
    """The problem and the text of each program that failed."""
    for row in read_lines(path):
        for sample in row.get("samples", [row]):
            if not sample.get("hidden_pass", sample.get("graded")) and sample["code"].strip():
                yield str(row[key]), sample["code"]


async def render(problem: Problem, code: str, sandbox: Sandbox, prompts: Prompts) -> tuple[str, str] | None:
    """Both prompts; None where the program passes the public tests."""
    report = await run_tests(sandbox, problem, code, problem.public_tests)
    if report.verdict in (Verdict.AC, Verdict.IE):
        return None
    environment = sandbox.environment
    first = prompts.render("generate", problem, environment=environment)
    repair = prompts.render(
        "debug",
        problem,
        environment=environment,
        code=code,
        failures=describe_failures(problem, code, report, environment),
        summary=summarize_tests(problem, report),
        passed=report.passed,
        total=report.total,
        earlier=[],
        reason="",
        is_cut=False,
    )
    (asked, repaired) = ("\n".join(message.content for message in messages) for messages in (first, repair))
    return asked, repaired


async def measure(options: argparse.Namespace) -> None:
    count, prompts = make_counter(options.ranks), Prompts()
    statements, lengths = [], []
    async with make_sandbox(options.sandbox, say=print) as sandbox:
        for name, (path, programs, key) in SETS.items():
            problems = {item.id: item for item in load_set(f"{name}:{options.data / path}").problems}
            before = sum(count(item.statement) for item in problems.values())
            after = sum(count(clean_statement(item)) for item in problems.values())
            listed = sum(len(list_unshown(item, show_value)) for item in problems.values())
            tests = sum(len(item.public_tests) for item in problems.values())
            statements.append((name, len(problems), before, after, tests, listed))
            failures = list(read_failures(options.data / programs, key))
            random.Random(options.seed).shuffle(failures)
            made: dict[str, tuple[str, str]] = {}
            for identifier, code in failures:
                problem = problems.get(identifier)
                if problem is None or identifier in made or not problem.public_tests:
                    continue
                limited = replace(problem, hidden_tests=(), time_limit_s=TIME_LIMIT_S)
                pair = await render(limited, code, sandbox, prompts)
                if pair is not None:
                    made[identifier] = pair
                if len(made) == options.failures:
                    break
            for place, kind in enumerate(("generate", "debug")):
                sizes = [count(pair[place]) for pair in made.values()]
                lengths.append(
                    (name, kind, len(sizes), round(sum(sizes) / max(1, len(sizes))), max(sizes, default=0))
                )
    print(
        write_table(
            ["set", "problems", "tokens of statements", "cleaned", "public tests", "listed"], statements
        )
    )
    print(write_table(["set", "prompt", "prompts", "mean tokens", "most tokens"], lengths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--failures", type=int, default=40)
    parser.add_argument("--ranks", type=Path)
    parser.add_argument("--sandbox", default="local")
    parser.add_argument("--seed", type=int, default=0)
    anyio.run(measure, parser.parse_args())


if __name__ == "__main__":
    main()
