"""Functions whose docstring examples fail, and named tests that fail: found by running them, sandboxed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.doctests import Wanted, find_examples, judge_example
from sstar_code.agent.repository.find.project_files import locate
from sstar_code.agent.repository.find.source import read_source
from sstar_code.agent.repository.find.stubs import all_functions, find_stubs, is_test_file
from sstar_code.agent.repository.findings import Finding
from sstar_code.agent.repository.pose.checks import TEST_LIMITS, named_tests
from sstar_code.agent.repository.prove.runner import limits_as_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Any

    from sstar_code.agent.repository.find.doctests import Example
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.prove.runner import Workshop

__all__ = ["find_failing_examples", "find_failing_tests"]

_TOTAL_S = 600.0


async def find_failing_examples(files: Iterable[tuple[Path, str]], workshop: Workshop) -> list[Finding]:
    """The functions of `files` (each with a qualified name, or empty for all) whose examples do not hold.

    Open functions are left out: that they are open is said elsewhere.

    Raises:
        SandboxError: the sandbox broke.
        RepositoryLostError: a module ends the process that imports it.
    """
    findings = []
    for path, qualname in files:
        if path.suffix != ".py" or is_test_file(path.as_posix()):
            continue
        source = read_source(path)
        still_open = {stub.qualname for stub in find_stubs(source)}
        found = [
            (stub, examples)
            for stub in all_functions(source)
            if stub.qualname not in still_open and qualname in ("", stub.qualname) and not stub.is_nested
            for examples in [_examples(stub)]
            if examples
        ]
        if found:
            findings += await _run(path, found, workshop)
    return findings


async def _run(path: Path, found: Sequence[tuple[Stub, list[Example]]], workshop: Workshop) -> list[Finding]:
    place = locate(path, workshop.root)
    request = {
        "do": "examples",
        "module": place.module,
        "groups": [[item.source for item in examples] for _, examples in found],
        "limits": limits_as_json(TEST_LIMITS),
    }
    answers = await workshop.ask({}, request, len(found) * TEST_LIMITS.wall_ceiling_s, place.base)
    findings = []
    for (stub, examples), answer in zip(found, answers, strict=True):
        fault = _fault(examples, answer)
        if fault:
            name = path.relative_to(workshop.root).as_posix()
            findings.append(Finding("failing-example", "failure", name, stub.line, stub.qualname, fault))
    return findings


def _fault(examples: Sequence[Example], answer: dict[str, Any]) -> str:
    """The first example that does not hold, in a line."""
    outcomes = answer.get("outcomes")
    if answer["status"] != "OK" or not isinstance(outcomes, list) or len(outcomes) != len(examples):
        kind, message = [*answer.get("failure", []), answer["status"], ""][:2]
        return f"its examples cannot be run: {kind} {message}".strip()
    for example, (got, raised) in zip(examples, outcomes, strict=True):
        fault = judge_example(example, Wanted(str(got), str(raised)))
        if fault:
            return " ".join(f">>> {example.source.strip()} : {fault}".split())
    return ""


def _examples(stub: Stub) -> list[Example]:
    try:
        return find_examples(stub.docstring)
    except ValueError:
        return []


async def find_failing_tests(words: Sequence[str], workshop: Workshop) -> list[Finding]:
    """The tests named by `words` (paths, pytest's names, or expressions for `-k`) that do not pass.

    Skipped tests and tests that are expected to fail are left out.

    Raises:
        SandboxError: the sandbox broke.
        RepositoryLostError: the tests end what runs them.
    """
    run = await workshop.run_tests({}, named_tests(words, workshop.root), TEST_LIMITS, _TOTAL_S)
    findings = []
    for item in run.results:
        if item["status"] == "OK" or item.get("outcome") in ("skipped", "xfailed"):
            continue
        name = str(item["test"])
        failure = " ".join(map(str, item.get("failure", [item["status"]])))
        file = str(item.get("file", name.partition("::")[0]))
        line = int(item.get("line") or item.get("starts") or 1)
        findings.append(
            Finding(
                "failing-test",
                "failure",
                file,
                line,
                name.partition("::")[2] or file,
                " ".join(failure.split()),
            )
        )
    return findings
