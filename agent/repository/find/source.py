"""Python files as bytes, text and tree, so that what is not changed stays the same byte for byte."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

from sstar_code.agent.generation.definitions import first_line
from sstar_code.problems import UserError
from sstar_code.problems.python_source import parse_strictly

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


def split_lines(text: str) -> list[str]:
    """The lines of `text` with their ends, as Python's own tokenizer counts them."""
    return _LINE.findall(text)


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file."""

    path: Path
    text: str
    """Decoded; line ends as they are in the file."""
    encoding: str
    tree: ast.Module

    @property
    def newline(self) -> str:
        """The line end that the file uses first; a file of one line gets a line feed."""
        found = re.search(r"\r\n|\r|\n", self.text)
        return found[0] if found else "\n"

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        return self.text.encode(self.encoding)

    def cut(self, node: ast.stmt, last: int | None = None) -> str:
        """The lines of a statement, its decorators included; `last`: the 1-based line to end with."""
        return "".join(split_lines(self.text)[first_line(node) - 1 : last or node.end_lineno])

    def with_text(self, text: str) -> Source:
        """The same file with another content.

        Raises:
            SyntaxError: it does not parse.
            UnicodeEncodeError: the file's encoding lacks a character.
        """
        text.encode(self.encoding)
        return Source(self.path, text, self.encoding, parse_strictly(text))


def read_source(path: Path) -> Source:
    """The file at `path`.

    Raises:
        UserError: it cannot be read, decoded or parsed; path and line are named.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give Python files") from error
    return parse_source(path, data)


def parse_source(path: Path, data: bytes) -> Source:
    """The file at `path` with the content `data`.

    Raises:
        UserError: it cannot be decoded or parsed; path and line are named.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        return Source(path, text, encoding, parse_strictly(text))
    except SyntaxError as error:
        where = f"{path}:{error.lineno}" if error.lineno else str(path)
        raise UserError(f"{where}: does not parse as Python: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"{path}: does not parse as Python: {error}") from error
