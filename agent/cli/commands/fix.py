"""`sstar fix`: writes open functions, proves them in the sandbox, prints a diff; changes files if told to."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.build import put_exact, run_async, say, tell
from sstar_code.agent.cli.display.lines import show_diff
from sstar_code.agent.cli.findings import FilesArg, FindingOptions, PythonOpt, publish
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import OutputOptions
from sstar_code.agent.cli.options.arguments import PromptsOpt
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, serve_for
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError
from sstar_code.problems.plain_text import escape_text

if TYPE_CHECKING:
    from sstar_code.agent.repository.findings import Finding
    from sstar_code.agent.repository.write_function import WriteResult

_PANEL = "Repository"

TestsOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--tests", metavar="TEST", envvar="SSTAR_TESTS", rich_help_panel=_PANEL,
        help="Tests that prove it: a path, a pytest name, or an expression for -k. Repeat it for several. "
        "(default: those that reach the function)",
    ),
]  # fmt: skip
RegressionOpt = Annotated[
    bool,
    typer.Option(
        "--no-regression", rich_help_panel=_PANEL,
        help="With --tests, and a function that is not open: let other tests that pass now fail. "
        "(default: they have to go on passing)",
    ),
]  # fmt: skip
WriteOpt = Annotated[
    bool, typer.Option("--write", rich_help_panel=_PANEL, help="Change the files. (default: print a diff)")
]
InteractiveOpt = Annotated[
    bool,
    typer.Option(
        "--interactive", "-i", rich_help_panel=_PANEL,
        help="Ask what is right where candidates still differ.",
    ),
]  # fmt: skip
PatchOpt = Annotated[
    Path | None,
    typer.Option("--patch", metavar="FILE", rich_help_panel=_PANEL, help="Also write the diff to this file."),
]
EmitOpt = Annotated[
    Path | None,
    typer.Option(
        "--emit-tests", metavar="FILE", rich_help_panel=_PANEL,
        help="Write confirmed inputs that told candidates apart to this new file, as pytest tests.",
    ),
]  # fmt: skip


@grouped
def command(
    files: FilesArg = None,
    *,
    tests: TestsOpt = None,
    no_regression: RegressionOpt = False,
    python: PythonOpt = None,
    write: WriteOpt = False,
    interactive: InteractiveOpt = False,
    patch: PatchOpt = None,
    emit_tests: EmitOpt = None,
    templates: PromptsOpt = None,
    reports: FindingOptions,
    endpoint: Endpoint,
    budget: Budget,
    settings: Settings,
    sandbox: Annotated[SandboxChoice, "name", "runtime", "workers"],
    output: OutputOptions,
) -> int:
    """Write open functions: sampled, repaired and chosen, proved by examples and tests in the sandbox.

    Prints a diff and why; changes a file only with --write. Exit code 1: something is left open.

    Example: sstar fix src/slugs.py::slugify -m Qwen/Qwen2.5-Coder-7B-Instruct --write
    """
    from sstar_code.agent.jobs.fix_functions import (
        find_stubs_to_write,
        fix_run,
        list_changes,
        make_diff_of_all,
        settle_number,
    )
    from sstar_code.agent.jobs.session import make_config, open_run, open_session
    from sstar_code.agent.prompts.templates import FOR_REPOSITORY, Prompts
    from sstar_code.agent.repository.find.project_files import find_root, read_targets
    from sstar_code.agent.repository.verify.interpreter import find_python
    from sstar_code.agent.repository.write.changes import check_outputs, replace_file, write_changes
    from sstar_code.agent.run.folder import default_folder

    if interactive and not sys.stdin.isatty():
        raise UserError("--interactive needs a terminal to ask at; leave it out")
    settings = settle_number(settings)
    stubs, unread = find_stubs_to_write(read_targets(files or ["."]))
    for item in unread:
        say(f"sstar: {item.path}:{item.line}: {item.message}")
    if not stubs:
        sys.stdout.write(publish(unread, reports) if reports.form != "text" or output.json_ else "")
        say("sstar: nothing is open" + (" in what could be read" if unread else ""))
        return int(any(item.outcome != "skipped" for item in unread))
    roots = {find_root(stub.source.path) for stub in stubs}
    if len(roots) > 1:
        raise UserError(f"the files belong to {len(roots)} repositories; give those of one at a time")
    endpoint = serve_for(endpoint, settings)
    endpoint.require_model()
    root, prompts = roots.pop(), Prompts(FOR_REPOSITORY, templates)
    check_outputs((patch, emit_tests, reports.sarif, reports.junit, reports.summary), root)
    config = make_config(
        root.name,
        endpoint,
        prompts,
        root=str(root),
        functions=[stub.label for stub in stubs],
        **settings.as_json(),
    )
    # not in the repository, which nobody asked to be written to
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sstar"
    out = output.out or caches / default_folder("fix", config).name
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = open_run("fix", config, out, fresh=output.fresh, say=lambda _: None)
    say(f"sstar: answers are kept in {folder}")
    interpreter = find_python(root, python, say)
    say(f"sstar: the repository's code runs under {interpreter}")
    opening = open_session(folder, sandbox, say, endpoint=endpoint, budget=budget)
    results, fixing = run_async(
        lambda: fix_run(
            opening,
            root,
            stubs,
            settings,
            prompts,
            python=interpreter,
            tests=tests or (),
            keeps_passing=not no_regression,
            answer=_ask if interactive else None,
        )
    )
    changes = list_changes(stubs, fixing.sources)
    diff = make_diff_of_all(changes, root)
    if patch is not None:
        replace_file(patch, diff)
    if write:
        for before, after in changes:
            write_changes(before, after, root)
    if emit_tests is not None:
        _emit(emit_tests, results)
    _show(
        results,
        unread,
        diff,
        FindingOptions("json", reports.sarif, reports.junit, reports.summary) if output.json_ else reports,
    )
    done = sum(bool(item.code) for item in results)
    say(f"sstar: {summarize(done, len(results), len(changes), is_written=write)}")
    if fixing.failure is not None:
        raise fixing.failure
    return int(done < len(results) or any(item.outcome != "skipped" for item in unread))


def summarize(done: int, total: int, files: int, *, is_written: bool) -> str:
    """How many functions of how many are written, in how many files, and what the user may do then."""
    functions = f"{done} of {total} function{'s' * (total != 1)}"
    if not done:
        return f"{functions} written, no file is changed"
    where = f"in {files} file{'s' * (files != 1)}"
    if is_written:
        return f"{functions} written, {where}"
    return f"{functions} could be written, {where}; the diff shows how, --write does it"


def _ask(question: str) -> str:
    sys.stderr.write(escape_text(question))
    sys.stderr.flush()
    return sys.stdin.readline()


def _emit(path: Path, results: list[WriteResult]) -> None:
    from sstar_code.agent.repository.write.emit_tests import write_tests

    found = [(item.task.target, item.derived) for item in results if item.task is not None]
    count = write_tests(path, [(target, derived) for target, derived in found if target is not None])
    say(f"sstar: {count} tests in {path}" if count else f"sstar: no confirmed input, so {path} is not made")


def _show(results: list[WriteResult], unread: list[Finding], diff: bytes, reports: FindingOptions) -> None:
    told = publish([*unread, *(item.finding for item in results)], reports)
    if reports.form != "text":
        sys.stdout.write(told)
        return
    lines = [
        line for item in results for line in item.why or (f"{item.stub.qualname}: {item.finding.message}",)
    ]
    for line in lines:
        tell(line)
    put_exact(diff.decode("utf-8", "replace"), show=show_diff)
