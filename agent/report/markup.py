"""JUnit XML and Markdown: text of others in either is text and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sstar_code.problems.plain_text import escape_controls, escape_text

_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}


@dataclass(frozen=True, slots=True)
class Case:
    """One test case."""

    name: str
    outcome: Literal["passed", "failure", "error", "skipped"]
    message: str = ""
    """The reason why it did not pass, in one line."""
    kind: str = ""
    """Type of the failure or error."""
    text: str = ""
    """Text of the failure or error, where it says more than `message`."""
    classname: str = "sstar"
    seconds: float = 0.0
    where: Mapping[str, str] = field(default_factory=dict)
    """Further attributes: `file` and `line`."""


def write_junit(suite_name: str, cases: Sequence[Case]) -> str:
    """A document with one suite. Control characters, most of which XML cannot hold, are escaped."""
    from xml.etree import ElementTree as ET

    root = ET.Element("testsuites", name="sstar")
    suite = ET.SubElement(root, "testsuite", name=_legal(suite_name), tests=str(len(cases)))
    for outcome, attribute in _COUNTED.items():
        suite.set(attribute, str(sum(case.outcome == outcome for case in cases)))
    suite.set("time", f"{sum(case.seconds for case in cases):.3f}")
    for case in cases:
        attributes = {"classname": case.classname, "name": case.name, "time": f"{case.seconds:.3f}"}
        told = {name: _legal(value) for name, value in {**attributes, **case.where}.items()}
        element = ET.SubElement(suite, "testcase", told)
        if case.outcome != "passed":
            reason = ET.SubElement(element, case.outcome, message=_legal(case.message))
            if case.kind:
                reason.set("type", _legal(case.kind))
            reason.text = _legal(case.text) or None
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _legal(text: str) -> str:
    """XML has no way to write most control characters, a lone surrogate, and two that are no characters."""
    return escape_text(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


_LIVE = re.compile(
    r"[\\*\[\]<&~$]|(?<!\w)_|_(?!\w)|://|(?<!\w)@|@(?!\d+\b(?!\.))|#(?=\w)|\b(?:www\.|GH-)", re.IGNORECASE
)
_APART = "&#8203;"
"""A character without width: what GitHub makes links of, also where it is escaped, is broken by it."""


def escape_markdown(text: str) -> str:
    """One line of Markdown that shows `text`: no link, image, mention, reference, HTML or emphasis in it."""
    return _LIVE.sub(_escape_live, escape_code(text))


def escape_code(text: str) -> str:
    """One line for the inside of a code span of one backtick."""
    return escape_controls(" ".join(text.split())).replace("`", "'")


def _escape_live(found: re.Match[str]) -> str:
    live = found[0]
    if len(live) > 1:
        return f"{live[:-1]}{_APART}{live[-1]}"
    return {"<": "&lt;", "&": "&amp;", "@": f"@{_APART}", "#": f"#{_APART}"}.get(live, f"\\{live}")


def write_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> list[str]:
    """The lines of a table, the last one empty; with `numbers` all columns but the first are set right."""
    rule = ["---", *(["---:" if numbers else "---"] * (len(heads) - 1))]
    return [_write_row(heads), f"|{'|'.join(rule)}|", *map(_write_row, rows), ""]


def escape_names(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    """The rows of a table whose first cells are names that others gave."""
    return [[escape_markdown(name), *rest] for name, *rest in rows]


def _write_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
