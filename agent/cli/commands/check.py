"""`sstar check`: which functions are left open; offline, and nothing is run unless asked for."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.cli import groups
from sstar_code.agent.cli.build import read_sandbox, run_async, say
from sstar_code.agent.cli.findings import FilesArg, FindingOptions, publish

if TYPE_CHECKING:
    from pathlib import Path

    from sstar_code.agent.jobs.session import SandboxChoice
    from sstar_code.agent.repository.findings import Finding

NAME = "check"
_PANEL = "Repository"

ExamplesOpt = Annotated[
    bool,
    typer.Option(
        "--examples", rich_help_panel=_PANEL,
        help="Also run the examples of docstrings, in the sandbox, and report those that fail.",
    ),
]  # fmt: skip
TestsOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--tests", rich_help_panel=_PANEL,
        help="Also run these tests, in the sandbox, and report those that fail: a path, a pytest name, or an "
        "expression for -k. Repeat it for several.",
    ),
]  # fmt: skip
PythonOpt = Annotated[
    str | None,
    typer.Option(
        "--python", envvar="SSTAR_PYTHON", rich_help_panel=_PANEL,
        help="The interpreter with what the repository needs. (default: of .venv, venv or env, else the "
        "active one)",
    ),
]  # fmt: skip


@groups.grouped
def command(
    files: FilesArg = None,
    *,
    examples: ExamplesOpt = False,
    tests: TestsOpt = None,
    python: PythonOpt = None,
    reports: FindingOptions,
    programs: groups.SandboxOptions,
) -> int:
    """Find functions that are left open. Offline and fast: nothing is imported, run or asked by default.

    Example: sstar check src
    """
    from sstar_code.agent.repository.find.assess import check_files
    from sstar_code.agent.repository.find.project_files import read_targets

    targets = read_targets(files or ["."])
    findings = check_files(targets)
    count = len(findings)
    if (examples or tests) and targets:
        choice = read_sandbox(programs)
        findings += run_async(
            lambda: _run(targets if examples else [], targets[0][0], tests or [], python, choice)
        )
    sys.stdout.write(publish(findings, reports))
    if count:
        what = "function is" if count == 1 else "functions are"
        advice = "`sstar fix FILE::NAME` writes one, `# sstar: ignore` keeps it"
        say(f"sstar: {count} {what} left open; {advice}")
    return 1 if findings else 0


async def _run(
    targets: list[tuple[Path, str]], first: Path, tests: list[str], python: str | None, choice: SandboxChoice
) -> list[Finding]:
    """What fails of examples and tests."""
    from sstar_code.agent.repository.find.project_files import find_root
    from sstar_code.agent.repository.prove.environment import find_python
    from sstar_code.agent.repository.prove.failing import find_failing_examples, find_failing_tests
    from sstar_code.agent.repository.prove.runner import Workshop
    from sstar_code.sandbox.choose import make_sandbox

    root = find_root(first)
    async with AsyncExitStack() as stack:
        sandbox = make_sandbox(
            choice.name,
            workers=choice.workers,
            runtime=choice.runtime,
            say=lambda line: say(f"sstar: {line}"),
        )
        behind = await stack.enter_async_context(sandbox)
        workshop = await stack.enter_async_context(Workshop(root, find_python(root, python), behind))
        findings = await find_failing_examples(targets, workshop)
        return findings + (await find_failing_tests(tests, workshop) if tests else [])
