"""JUnit XML and Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree as ET

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
    """A document with one suite. Characters that XML cannot hold are replaced."""
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
                reason.set("type", case.kind)
            reason.text = _legal(case.text) or None
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _legal(text: str) -> str:
    """XML has no way to write most control characters and no lone surrogate."""
    return "".join(
        c if c in "\t\n\r" or " " <= c < "\ud800" or "\ue000" <= c not in "\ufffe\uffff" else "\ufffd"
        for c in text
    )


def write_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> list[str]:
    """The lines of a table, the last one empty; with `numbers` all columns but the first are set right."""
    rule = ["---", *(["---:" if numbers else "---"] * (len(heads) - 1))]
    return [_write_row(heads), f"|{'|'.join(rule)}|", *map(_write_row, rows), ""]


def _write_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
