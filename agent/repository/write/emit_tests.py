"""Keeps what was found out about right outputs as tests of the repository."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.repository.find.stubs import Shape
from sstar_code.agent.repository.task.call import BEHAVIOURS, is_builtin_exception
from sstar_code.problems.values import Opaque, decode, decode_lines
from sstar_code.selection.pytest_export import choose_tests, literal, render_file, write_file

if TYPE_CHECKING:
    from sstar_code.agent.repository.task.call import Target
    from sstar_code.selection.protocols import Derived


def write_tests(path: Path, found: Sequence[tuple[Target, Sequence[Derived]]]) -> int:
    """Write the tests to the new file `path`; how many. No file is made where there are none.

    Raises:
        UserError: the file is there already, or cannot be written.
    """
    text, count = render_tests(found)
    if count:
        write_file(path, text, advice="name another file for --emit-tests")
    return count


def render_tests(found: Sequence[tuple[Target, Sequence[Derived]]]) -> tuple[str, int]:
    """Source of a pytest file with one function for each input, and how many these are.

    A comment over each says how its output was confirmed. Left out is what no literal gives, and what is
    too long to read.
    """
    imports: set[str] = set()
    checks: list[tuple[str, Derived, str]] = []
    homes = {(target.path[0], target.place.module) for target, _ in found}
    shared = {name for name, times in Counter(name for name, _ in homes).items() if times > 1}
    for target, tests in found:
        module, name = target.place.module, target.path[0]
        for test in choose_tests(tests):
            body = _body(target, test, f"{module}." if name in shared else "")
            if body is None:
                continue
            checks.append((target.entry_point.lower(), test, body))
            imports.add(f"import {module}" if name in shared else f"from {module} import {name}")
            if "pytest." in body:
                imports.add("import pytest")
            if body.startswith(f"with pytest.raises({module}."):
                imports.add(f"import {module}")
    if not checks:
        return "", 0
    return render_file([], imports, [], checks, when=", while the function was written"), len(checks)


def _body(target: Target, test: Derived, prefix: str) -> str | None:
    """The statements that check it: calls, literals and names of the source; None where those do not do."""
    try:
        arguments = decode_lines(test.input)
        wanted: Any = decode(test.output)
        call = _call(target, [literal(item) for item in arguments], prefix)
        if call is None or isinstance(wanted, Opaque) or not _has_names(target):
            return None
        if isinstance(wanted, dict) and set(wanted) == {"raised"}:
            raised = _exception(target, wanted["raised"])
            return None if raised is None else f"with pytest.raises({raised}):\n    {call}"
        if isinstance(wanted, dict) and set(wanted) == {"yields"}:
            return f"assert list({call}) == {literal(wanted['yields'])}"
        if isinstance(wanted, dict) and set(wanted) == {"returned"}:
            wanted = wanted["returned"]
        elif isinstance(wanted, dict) and wanted and ("returned" in wanted or set(wanted) <= BEHAVIOURS):
            return None  # what changed besides is no one expression
        return f"assert {call} == {literal(wanted)}"
    except (ValueError, RecursionError):
        return None


def _has_names(target: Target) -> bool:
    """Whether all that the call is written with are names: that of a file can be anything."""
    names = [*target.place.module.split("."), *target.path, *target.keywords, target.entry_point]
    return all(name.isidentifier() and not keyword.iskeyword(name) for name in names)


def _exception(target: Target, name: Any) -> str | None:
    """The exception that a candidate says it raised; None for one that neither the module nor Python has."""
    if name in target.exceptions:
        return f"{target.place.module}.{name}"
    return str(name) if isinstance(name, str) and is_builtin_exception(name) else None


def _call(target: Target, arguments: list[str], prefix: str) -> str | None:
    """The call as Python; None where it has to be awaited."""
    if target.is_async:
        return None
    count = target.constructor
    subject = prefix + ".".join(target.path[:-1]) if target.path[:-1] else prefix.rstrip(".")
    if count is not None:
        subject = f"{subject}({', '.join(arguments[:count])})"
        arguments = arguments[count:]
    name = f"{subject}.{target.path[-1]}" if subject else target.path[-1]
    if target.how is Shape.PROPERTY:
        return name
    if target.how is Shape.SETTER:
        return None
    split = len(arguments) - len(target.keywords)
    named = [f"{key}={value}" for key, value in zip(target.keywords, arguments[split:], strict=False)]
    return f"{name}({', '.join([*arguments[:split], *named])})"
