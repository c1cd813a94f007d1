"""Findings of `check` and `fix` about functions, in the forms that people and CI read.

The one place for these forms: text, JSON, GitHub's workflow commands, Markdown, SARIF 2.1.0 (OASIS standard)
and JUnit's XML as GitHub, GitLab and Jenkins read it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from sstar_code.agent.report import markup
from sstar_code.agent.report.markup import Case, escape_code, escape_markdown, write_table
from sstar_code.problems.plain_text import dump_json, escape_controls, escape_line

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.stubs import Stub

Outcome = Literal["passed", "failure", "error", "skipped"]
"""`failure`: code has to be written or is wrong. `error`: infrastructure. `skipped`: the budget was spent, or
a test's data does not parse."""

RULES: dict[str, str] = {
    "open-function": "A function is left open: its body is a stub or it is marked to be implemented.",
    "failing-example": "An example in a docstring does not hold.",
    "failing-test": "A named test fails.",
    "function-written": "An implementation was chosen and passes what verifies it.",
    "function-not-written": "No implementation passed what verifies it.",
    "cannot-be-written": "The function cannot be written by the helper; the message says why.",
    "unread-file": "A file does not parse as Python, so nothing is known of its functions.",
    "infrastructure": "The machine, the sandbox or the endpoint failed; this says nothing about the code.",
    "budget-spent": "The budget was spent before this function.",
}
"""Rule -> what it means. Names stay: alerts are matched by them."""

_LEVELS = {"failure": "error", "error": "error", "skipped": "warning", "passed": "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MOST_SUMMARY_CHARS = 900_000
"""GitHub refuses a summary of more than 1 MiB."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about one function, or about a file (`<module>`)."""

    rule: str
    outcome: Outcome
    path: str
    """Relative to the repository, with forward slashes."""
    line: int
    qualname: str
    message: str
    """One line."""

    @property
    def fingerprint(self) -> str:
        """The same as long as rule, file and function are, wherever the function moves in its file."""
        return hashlib.sha256(
            f"{self.rule}\0{self.path}\0{self.qualname}".encode("utf-8", "surrogatepass")
        ).hexdigest()


def about_function(stub: Stub, root: Path, rule: str, outcome: Outcome, message: str) -> Finding:
    """A finding about `stub` in the repository `root`."""
    path = stub.source.path.relative_to(root).as_posix()
    return Finding(rule, outcome, path, stub.line, stub.qualname, message)


def write_text(findings: Sequence[Finding]) -> str:
    """One line a finding, as compilers write them."""
    lines = (f"{item.path}:{item.line}: {item.qualname}: {item.message}" for item in findings)
    return "".join(f"{escape_line(line)}\n" for line in lines)


def write_json(findings: Sequence[Finding]) -> str:
    """One object: `findings`, and how many there are of each outcome."""
    rows = [asdict(item) for item in findings]
    counts = {name: sum(item.outcome == name for item in findings) for name in _LEVELS}
    return dump_json({"findings": rows, **counts}) + "\n"


def write_github(findings: Sequence[Finding]) -> str:
    """Workflow commands that GitHub shows at the lines of a change."""
    lines = []
    for item in findings:
        level = {"error": "error", "warning": "warning", "note": "notice"}[_LEVELS[item.outcome]]
        where = f"file={_property(item.path)},line={item.line},title={_property(f'sstar: {item.qualname}')}"
        lines.append(f"::{level} {where}::{_data(item.message)}\n")
    return "".join(lines)


def write_markdown(findings: Sequence[Finding]) -> str:
    """A table for a job summary."""
    open_ = [item for item in findings if item.outcome != "passed"]
    done = len(findings) - len(open_)
    head = f"### sstar: {len(open_)} to do" + (f", {done} written" if done else "") + "\n\n"
    if not findings:
        return "### sstar: nothing is open\n\n"
    marks = {"passed": "✅", "failure": "❌", "error": "⚠️", "skipped": "⏭️"}
    rows = [
        (
            marks[item.outcome],
            f"`{escape_code(item.path)}:{item.line}`",
            f"`{escape_code(item.qualname)}`",
            escape_markdown(item.message),
        )
        for item in findings
    ]
    text, size = "", len(head)
    for line in write_table(("", "where", "function", ""), rows, numbers=False):
        size += len(line) + 1
        if size > _MOST_SUMMARY_CHARS:
            return f"{head}{text}\nThe rest is left out.\n\n"
        text += line + "\n"
    return head + text


def write_sarif(findings: Sequence[Finding]) -> str:
    """A SARIF 2.1.0 log with one run; what passed is not in it."""
    from importlib.metadata import version

    told = [item for item in findings if item.outcome != "passed"]
    names = sorted({item.rule for item in told})
    rules = [{"id": name, "shortDescription": {"text": RULES[name]}} for name in names]
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "sstar", "version": version("sstar-code"), "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, names.index(item.rule)) for item in told],
    }
    return dump_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _encode(path: str) -> bytes:
    """The bytes of a path, also of one that no file can have."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogatepass")


def _result(item: Finding, place: int) -> dict[str, Any]:
    where = {"uri": quote(_encode(item.path)), "uriBaseId": "%SRCROOT%"}
    message = escape_line(f"{item.qualname}: {item.message}").replace("](", "] (")  # that would be a link
    return {
        "ruleId": item.rule,
        "ruleIndex": place,
        "level": _LEVELS[item.outcome],
        "message": {"text": message},
        "locations": [{"physicalLocation": {"artifactLocation": where, "region": {"startLine": item.line}}}],
        "partialFingerprints": {"sstarFunction/v1": item.fingerprint},
    }


def write_junit(findings: Sequence[Finding]) -> str:
    """One test case a finding; one that passes where there is none."""
    cases = [
        Case(
            item.qualname,
            item.outcome,
            message=item.message,
            kind="" if item.outcome == "skipped" else item.rule,
            text="" if item.outcome == "skipped" else f"{item.path}:{item.line}: {item.message}",
            classname=item.path,
            where={"file": item.path, "line": str(item.line)},
        )
        for item in findings
    ]
    return markup.write_junit("sstar", cases or [Case("nothing is open", "passed")])


FORMATS: dict[str, Callable[[Sequence[Finding]], str]] = {
    "text": write_text,
    "json": write_json,
    "github": write_github,
    "md": write_markdown,
    "sarif": write_sarif,
    "junit": write_junit,
}
"""Name of a form -> what writes it."""


def _data(text: str) -> str:
    return escape_controls(text).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
