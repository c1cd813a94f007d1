"""Functions whose docstring examples fail, and named tests that fail: found by running them, sandboxed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from doctest import Example
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.repository.find.doctest_settings import read_flags
from sstar_code.agent.repository.find.doctests import find_examples, judge_examples
from sstar_code.agent.repository.find.places import locate
from sstar_code.agent.repository.find.project_files import UnreadFileError, is_test_file, read_source
from sstar_code.agent.repository.find.stubs import all_functions, find_stubs
from sstar_code.agent.repository.findings import Finding, about_function
from sstar_code.agent.repository.task.checks import named_tests
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.repository.verify.runner import RepositoryRunner


async def find_failing_examples(files: Iterable[tuple[Path, str]], runner: RepositoryRunner) -> list[Finding]:
    """The functions of `files` (each with a qualified name, or empty for all) whose examples do not hold.

    Open functions are left out: that they are open is said elsewhere.

    Raises:
        SandboxError: the sandbox broke, or a module ends the process that imports it.
    """
    findings = []
    for path, qualname in files:
        if path.suffix != ".py" or is_test_file(path.as_posix()):
            continue
        try:
            source = read_source(path)
        except UnreadFileError:  # as an open function: said elsewhere
            continue
        flags = read_flags(path, runner.root)
        still_open = {stub.qualname for stub in find_stubs(source)}
        examples = {
            stub: found
            for stub in all_functions(source)
            if stub.qualname not in still_open and qualname in ("", stub.qualname) and not stub.is_nested
            if (found := find_examples(stub.docstring, flags))
        }
        if not examples:
            continue
        answers = await runner.run_examples({}, locate(path, runner.root), examples.values())
        for (stub, found), answer in zip(examples.items(), answers, strict=True):
            fault = _explain(found, answer)
            if fault:
                findings.append(about_function(stub, runner.root, "failing-example", "failure", fault))
    return findings


def _explain(examples: Sequence[Example], answer: dict[str, Any]) -> str:
    """The first example that does not hold, in a line; empty where all hold."""
    fault = judge_examples(examples, answer.get("outcomes")) if answer["status"] == "OK" else None
    if fault is None:
        kind, message = [*answer.get("failure", []), answer["status"], ""][:2]
        fault = f"its examples cannot be run: {kind} {message}"
    return " ".join(fault.split())


async def find_failing_tests(words: Sequence[str], runner: RepositoryRunner) -> list[Finding]:
    """The tests named by `words` (paths, pytest's names, or expressions for `-k`) that do not pass.

    Skipped tests and tests that are expected to fail are left out.

    Raises:
        UserError: pytest is not there or does not start.
        SandboxError: the sandbox broke, or the tests end what runs them.
    """
    run = await runner.run_tests({}, named_tests(words, runner.root))
    if not run.has_pytest:
        raise UserError(f"{runner.python} has no pytest, so no test is run; --python names an interpreter")
    if run.fault:
        raise UserError(f"pytest does not start: {run.fault}; mend its settings, or what --tests names")
    findings = []
    for item in run.results:
        if item["status"] == "OK" or item.get("outcome") in ("skipped", "xfailed"):
            continue
        name = str(item["test"])
        failure = " ".join(map(str, item.get("failure", [item["status"]])))
        file = str(item.get("file", name.partition("::")[0]))
        line = int(item.get("line") or item.get("starts") or 1)
        message = " ".join(failure.split())
        findings.append(
            Finding("failing-test", "failure", file, line, name.partition("::")[2] or file, message)
        )
    return findings
