"""The language of a program that is handed about as a text: named by its first line, where it is not Python.

So a candidate of another language needs no further record wherever programs are kept, compared and shown, and
programs of several languages can answer one problem. To a C++ compiler that line is a comment.
"""

from __future__ import annotations

import re
from typing import Any

from sstar_code.sandbox.languages.table import PYTHON, Language, find_language

_MARK = re.compile(r"\A// language: (\w+)\n")


def mark(code: str, language: str) -> str:
    """`code` with its language in its first line; Python stays as it is.

    A text that is said to be Python and begins like one of another language gets a line before that, which
    no Python program has: whoever wrote it does not choose what it is run as.

    Raises:
        ValueError: there is no such language.
    """
    name = find_language(language).name
    own, text = read_mark(code)
    if name == PYTHON:
        return code if own.name == PYTHON else f"#\n{code}"
    return f"// language: {name}\n{text}"


def read_mark(code: str) -> tuple[Language, str]:
    """The language of `code`, and the program itself."""
    found = _MARK.match(code)
    if found is not None:
        try:
            return find_language(found[1]), code[found.end() :]
        except ValueError:
            pass
    return find_language(PYTHON), code


def name_language(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a samples file whose `solution` is marked, with the program alone and its `language`."""
    language, text = read_mark(row["solution"])
    return row if language.name == PYTHON else {**row, "solution": text, "language": language.name}
