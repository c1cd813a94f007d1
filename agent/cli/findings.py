"""Options that `check` and `fix` share, and where their findings go."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.cli.display.lines import show_finding
from sstar_code.agent.cli.display.terminal import is_terminal
from sstar_code.agent.repository.findings import FORMATS, write_junit, write_markdown, write_sarif
from sstar_code.problems import InfrastructureError, UserError
from sstar_code.problems.files import open_to_append, write_text

if TYPE_CHECKING:
    from sstar_code.agent.repository.findings import Finding

_PANEL = "Reports"

FilesArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE|FILE::QUALNAME]...",
        help="Python files, folders, or one function of a file. (default: the current folder)",
    ),
]
FormatOpt = Annotated[
    str,
    typer.Option(
        "--format", metavar="FORMAT", envvar="SSTAR_FORMAT", rich_help_panel=_PANEL,
        help="Form of the findings on stdout: text, json, github (annotations), md, sarif or junit.",
    ),
]  # fmt: skip
SarifOpt = Annotated[
    Path | None,
    typer.Option(
        "--sarif",
        metavar="FILE",
        envvar="SSTAR_SARIF",
        rich_help_panel=_PANEL,
        help="Also write SARIF 2.1.0 here.",
    ),
]
JunitOpt = Annotated[
    Path | None,
    typer.Option(
        "--junit",
        metavar="FILE",
        envvar="SSTAR_JUNIT",
        rich_help_panel=_PANEL,
        help="Also write JUnit XML here.",
    ),
]
SummaryOpt = Annotated[
    Path | None,
    typer.Option(
        "--summary", metavar="FILE", envvar="SSTAR_SUMMARY", rich_help_panel=_PANEL,
        help="Also append Markdown here. (default with --format github: the job's GITHUB_STEP_SUMMARY)",
    ),
]  # fmt: skip


PythonOpt = Annotated[
    str | None,
    typer.Option(
        "--python", metavar="PYTHON", envvar="SSTAR_PYTHON", rich_help_panel="Repository",
        help="The interpreter with what the repository needs. (default: that of .venv, venv or env, else the "
        "active one)",
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class FindingOptions:
    """In which forms findings are wanted."""

    form: FormatOpt = "text"
    sarif: SarifOpt = None
    junit: JunitOpt = None
    summary: SummaryOpt = None

    def __post_init__(self) -> None:
        """Refuse an unknown form before anything is done.

        Raises:
            UserError: there is no such form.
        """
        if self.form not in FORMATS:
            raise UserError(f"--format {self.form!r}: it is one of {', '.join(FORMATS)}")


def publish(findings: Sequence[Finding], options: FindingOptions) -> str:
    """Write the files that `options` ask for; what belongs on stdout.

    Raises:
        InfrastructureError: a file cannot be written.
    """
    summary = options.summary
    if summary is None and options.form == "github" and (named := os.environ.get("GITHUB_STEP_SUMMARY")):
        summary = Path(named)
    if options.sarif is not None:
        _write(options.sarif, write_sarif(findings))
    if options.junit is not None:
        _write(options.junit, write_junit(findings))
    if summary is not None:
        _write(summary, write_markdown(findings), append=True)
    text = FORMATS[options.form](findings)
    if options.form == "text" and is_terminal(sys.stdout):
        return "".join(f"{show_finding(line)}\n" for line in text.splitlines())
    return text


def _write(path: Path, text: str, *, append: bool = False) -> None:
    try:
        if append:
            with os.fdopen(open_to_append(path), "ab") as file:
                file.write(text.encode("utf-8"))
        else:
            write_text(path, text)
    except OSError as error:
        advice = "" if ";" in str(error.strerror) else "; name another file"
        raise InfrastructureError(f"{path}: {error.strerror}{advice}") from error
