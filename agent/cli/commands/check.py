"""`sstar check`: which functions are left open; offline, and nothing is run unless asked for."""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.cli.build import run_async, say
from sstar_code.agent.cli.findings import FilesArg, FindingOptions, PythonOpt, publish
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.jobs.choices import SandboxChoice

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.repository.findings import Finding

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
        "--tests", metavar="TEST", rich_help_panel=_PANEL,
        help="Also run these tests, in the sandbox, and report those that fail: a path, a pytest name, or an "
        "expression for -k. Repeat it for several.",
    ),
]  # fmt: skip


@grouped
def command(
    files: FilesArg = None,
    *,
    examples: ExamplesOpt = False,
    tests: TestsOpt = None,
    python: PythonOpt = None,
    reports: FindingOptions,
    sandbox: Annotated[SandboxChoice, "name", "runtime", "workers"],
) -> int:
    """Find functions that are left open. Offline and fast: nothing is imported, run or asked by default.

    Example: sstar check src
    """
    from sstar_code.agent.jobs.session import open_session
    from sstar_code.agent.repository.find.assess import check_files
    from sstar_code.agent.repository.find.project_files import find_root, read_targets
    from sstar_code.agent.repository.write.changes import check_outputs

    targets = read_targets(files or ["."])
    root = find_root(targets[0][0] if targets else Path.cwd())
    check_outputs((reports.sarif, reports.junit, reports.summary), root)
    findings = check_files(targets)
    count = sum(item.rule != "unread-file" for item in findings)
    if (examples or tests) and targets:
        opening = open_session(None, sandbox, say)
        findings += run_async(
            lambda: _run(opening, targets if examples else [], targets[0][0], tests or [], python)
        )
    sys.stdout.write(publish(findings, reports))
    if count:
        what = "function is" if count == 1 else "functions are"
        advice = "`sstar fix FILE::NAME` writes one, `# sstar: ignore` keeps it"
        say(f"sstar: {count} {what} left open; {advice}")
    return 1 if any(item.outcome != "skipped" for item in findings) else 0


async def _run(
    opening: AbstractAsyncContextManager[Session],
    targets: list[tuple[Path, str]],
    first: Path,
    tests: list[str],
    python: str | None,
) -> list[Finding]:
    """What fails of examples and tests."""
    from sstar_code.agent.repository.find.project_files import find_root
    from sstar_code.agent.repository.verify.failing import find_failing_examples, find_failing_tests
    from sstar_code.agent.repository.verify.interpreter import find_python
    from sstar_code.agent.repository.verify.runner import RepositoryRunner

    root = find_root(first)
    async with (
        opening as session,
        RepositoryRunner(root, find_python(root, python, say), session.programs, say=say) as runner,
    ):
        findings = await find_failing_examples(targets, runner)
        return findings + (await find_failing_tests(tests, runner) if tests else [])
