"""`sstar fix`: writes open functions, proves them in the sandbox, prints a diff; changes files if told to."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.cli import groups
from sstar_code.agent.cli.build import (
    read_budget,
    read_endpoint,
    read_prompts,
    read_sandbox,
    read_settings,
    run_async,
    say,
)
from sstar_code.agent.cli.findings import FilesArg, FindingOptions, publish
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.calls.budget import Budget
    from sstar_code.agent.jobs.session import Endpoint, SandboxChoice
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.repository.author import Fixed
    from sstar_code.agent.repository.find.source import Source
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.fix import Fixing
    from sstar_code.agent.solving.settings import Settings

NAME = "fix"
_PANEL = "Repository"

TestsOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--tests", envvar="SSTAR_TESTS", rich_help_panel=_PANEL,
        help="Tests that prove it: a path, a pytest name, or an expression for -k. Repeat it for several. "
        "(default: those that reach the function)",
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
    Path | None, typer.Option("--patch", rich_help_panel=_PANEL, help="Also write the diff to this file.")
]
EmitOpt = Annotated[
    Path | None,
    typer.Option(
        "--emit-tests", rich_help_panel=_PANEL,
        help="Write confirmed inputs that told candidates apart to this new file, as pytest tests.",
    ),
]  # fmt: skip


@groups.grouped
def command(
    files: FilesArg = None,
    *,
    tests: TestsOpt = None,
    python: PythonOpt = None,
    write: WriteOpt = False,
    interactive: InteractiveOpt = False,
    patch: PatchOpt = None,
    emit_tests: EmitOpt = None,
    reports: FindingOptions,
    model: groups.ModelOptions,
    method: groups.MethodOptions,
    choice: groups.ChoiceOptions,
    programs: groups.SandboxOptions,
    output: groups.OutputOptions,
) -> int:
    """Write open functions: sampled, debugged and chosen, proved by examples and tests in the sandbox.

    Prints a diff and why; changes a file only with --write. Exit code 0: nothing was open; 1: something was.

    Example: sstar fix src/slugs.py::slugify -m Qwen/Qwen2.5-Coder-7B-Instruct --write
    """
    from sstar_code.agent.repository.find.project_files import find_root, read_targets
    from sstar_code.agent.repository.write.replace_file import replace_file, write_changes

    if interactive and not sys.stdin.isatty():
        raise UserError("--interactive needs a terminal to ask at; leave it out")
    stubs = find_open(read_targets(files or ["."]))
    if not stubs:
        sys.stdout.write(publish([], reports) if reports.form != "text" or output.json_ else "")
        say("sstar: nothing is open")
        return 0
    roots = {find_root(stub.source.path) for stub in stubs}
    if len(roots) > 1:
        raise UserError(f"the files belong to {len(roots)} repositories; give those of one at a time")
    run = _Run(
        roots.pop(), stubs, tuple(tests or ()), python, interactive, read_settings(model, choice, method),
        read_prompts(choice.prompts), read_endpoint(model), read_budget(model), read_sandbox(programs),
    )  # fmt: skip
    results, fixing = run_async(lambda: run.run(output.out, fresh=output.fresh))
    changes = list_changes(stubs, fixing.author.sources)
    diff = b"".join(make_diffs(changes, run.root))
    if patch is not None:
        replace_file(patch, diff)
    if write:
        for before, after in changes:
            write_changes(before, after)
    if emit_tests is not None:
        _emit(emit_tests, results)
    _show(
        results,
        diff,
        FindingOptions("json", reports.sarif, reports.junit, reports.summary) if output.json_ else reports,
    )
    say(
        f"sstar: {'wrote' if write else 'would change'} {len(changes)} of the files"
        if changes
        else "sstar: no change"
    )
    if fixing.failure is not None:
        raise fixing.failure
    return 1


def find_open(targets: list[tuple[Path, str]]) -> list[Stub]:
    """The functions to be written: those named, open or not, and every open one of the other files.

    Raises:
        UserError: a file cannot be read, or has no such function.
    """
    from sstar_code.agent.repository.find.source import read_source
    from sstar_code.agent.repository.find.stubs import find_function, find_stubs

    found: dict[str, Stub] = {}
    for path, qualname in targets:
        source = read_source(path)
        stubs = find_stubs(source)
        if qualname:
            stub = next((item for item in stubs if item.qualname == qualname), None) or find_function(
                source, qualname
            )
            if stub is None:
                names = ", ".join(item.qualname for item in stubs[:5]) or "none"
                raise UserError(f"{path}: no function {qualname!r}; open ones are: {names}")
            stubs = [stub]
        found |= {stub.label: found.get(stub.label, stub) for stub in stubs}
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Run:
    root: Path
    stubs: list[Stub]
    tests: tuple[str, ...]
    python: str | None
    interactive: bool
    settings: Settings
    prompts: Prompts
    endpoint: Endpoint
    budget: Budget
    choice: SandboxChoice

    async def run(self, out: Path | None, *, fresh: bool) -> tuple[list[Fixed], Fixing]:
        """Work on the functions; every answer is stored before it is used."""
        from sstar_code.agent.jobs.session import open_model
        from sstar_code.agent.repository.author import Author
        from sstar_code.agent.repository.fix import Fixing
        from sstar_code.agent.repository.interactive import Person
        from sstar_code.agent.repository.pose.checks import named_tests
        from sstar_code.agent.repository.prove.candidate_sandbox import Stand
        from sstar_code.agent.repository.prove.environment import find_python
        from sstar_code.agent.repository.prove.runner import Workshop
        from sstar_code.agent.run.store import Store
        from sstar_code.agent.solving.context import SolveContext
        from sstar_code.sandbox.choose import make_sandbox
        from sstar_code.sandbox.memo import MemoSandbox

        folder = self._open_folder(out, fresh=fresh)
        python = find_python(self.root, self.python)
        say(f"sstar: the repository's code runs under {python}")
        async with AsyncExitStack() as stack:
            store = stack.enter_context(closing(Store(folder / "run.db")))
            model = await stack.enter_async_context(open_model(self.endpoint, store, self.budget, say))
            behind = await stack.enter_async_context(
                make_sandbox(
                    self.choice.name, workers=self.choice.workers, runtime=self.choice.runtime,
                    say=lambda line: say(f"sstar: {line}"),
                )
            )  # fmt: skip
            workshop = await stack.enter_async_context(
                Workshop(self.root, python, behind, workers=behind.workers)
            )
            stand = Stand(behind, workshop)
            context = SolveContext(model, MemoSandbox(stand, store), self.prompts, self.settings)
            author = Author(
                self.root, workshop, stand, context, named_tests(self.tests, self.root),
                Person(_ask).settle if self.interactive else None, say,
            )  # fmt: skip
            fixing = Fixing(author)
            return await fixing.fix(self.stubs), fixing

    def _open_folder(self, out: Path | None, *, fresh: bool) -> Path:
        """Where answers are kept: not in the repository, which nobody asked to be written to."""
        import os

        from sstar_code.agent.run.folder import default_folder, open_folder, versions

        names = [stub.label for stub in self.stubs]
        config = {
            "label": self.root.name,
            "root": str(self.root),
            "functions": names,
            "model": self.endpoint.model,
            "prompts": self.prompts.digest,
            **self.settings.as_json(),
        }
        if out is None:
            home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
            out = home / "sstar" / default_folder("fix", config).name
            out.parent.mkdir(parents=True, exist_ok=True)
        open_folder(out, {"config": config, "versions": versions()}, fresh=fresh)
        say(f"sstar: answers are kept in {out}")
        return out


def _ask(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline()


def list_changes(stubs: list[Stub], sources: dict[Path, Source]) -> list[tuple[Source, Source]]:
    """(before, after) of each file that changes."""
    before = {stub.source.path: stub.source for stub in stubs}
    return [(source, sources[path]) for path, source in before.items() if sources[path].text != source.text]


def make_diffs(changes: list[tuple[Source, Source]], root: Path) -> list[bytes]:
    """A diff a file."""
    from sstar_code.agent.repository.write.diff import make_diff

    return [make_diff(before, after, root) for before, after in changes]


def _emit(path: Path, results: list[Fixed]) -> None:
    from sstar_code.agent.repository.write.emit_tests import write_tests

    found = [(item.posed.task.target, item.derived) for item in results if item.posed is not None]
    count = write_tests(path, [(target, derived) for target, derived in found if target is not None])
    say(f"sstar: {count} tests in {path}" if count else f"sstar: no confirmed input, so {path} is not made")


def _show(results: list[Fixed], diff: bytes, reports: FindingOptions) -> None:
    told = publish([item.finding for item in results], reports)
    if reports.form != "text":
        sys.stdout.write(told)
        return
    lines = [
        line for item in results for line in item.why or (f"{item.stub.qualname}: {item.finding.message}",)
    ]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
    sys.stdout.write(diff.decode("utf-8", "replace"))
