"""A set of one's own as a folder: a file for each problem, as JSON or as a statement in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.problems.errors import ProblemFileError
from sstar_code.problems.formats.jsonl import to_json
from sstar_code.problems.formats.rows import Row, read_rows
from sstar_code.problems.statements.parse import parse_statement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["read_folder"]


def read_folder(file: Path) -> Iterator[Row]:
    """The rows of one file of a folder; a row without an id, and a statement, are named like the file.

    Raises:
        ProblemFileError: the file cannot be read.
    """
    if file.suffix == ".md":
        yield _read_statement(file)
        return
    for row in read_rows(file):
        if file.suffix == ".json":
            row.data.setdefault("id", file.stem)
        yield row


def _read_statement(file: Path) -> Row:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ProblemFileError(file, None, "is not UTF-8 text") from error
    except OSError as error:
        raise ProblemFileError(file, None, f"cannot be read: {error.strerror or error}") from error
    if not text.strip():
        raise ProblemFileError(file, None, "is empty; a problem statement is needed")
    return Row(file, 1, to_json(parse_statement(text, id=file.stem)))
