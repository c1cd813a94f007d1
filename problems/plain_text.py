"""Text of others made fit to be printed: it shows what is there and commands nothing.

Others are programs, models, problem files, file names and run folders. A terminal obeys control characters, a
reader is misled by characters that turn text around, and a runner of CI obeys lines that look like its
commands (`::warning::...`, `##[error]...`, `##vso[...]`).
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_SUSPECTS = re.compile(r"[^\t\n\x20-\x7e]")
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control and format characters (bidirectional marks are among these), surrogates, line separators."""
_COMMANDS = re.compile(r"(?:(?<=\s)|^)::|##(?=\w*\[)")
"""What a runner may take for its command: GitHub's skips blanks before it, and a line may be broken there."""


def escape_controls(text: str) -> str:
    """`text` with its line ends and tabs; every other control character is written as Python would."""
    return _SUSPECTS.sub(_escape, text)


def escape_text(text: str) -> str:
    """Like `escape_controls`, and nothing in it is a command of a runner of CI."""
    return _COMMANDS.sub(_escape_command, escape_controls(text))


def escape_line(text: str) -> str:
    """`text` as one line: `escape_text`, with line ends and tabs written as Python would too."""
    return escape_text(text).replace("\n", "\\n").replace("\t", "\\t")


def dump_json(data: Any, indent: int | None = None) -> str:
    """JSON, in one line without `indent`, that commands nothing; it is read back as `data`."""
    return escape_json(json.dumps(data, indent=indent))


def escape_json(text: str) -> str:
    """The same JSON, written in ASCII before, without the little in it that could command."""
    return text.replace("\x7f", "\\u007f").replace("##", "#\\u0023")


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    return ascii(letter)[1:-1] if unicodedata.category(letter) in _REFUSED else letter


def _escape_command(found: re.Match[str]) -> str:
    return "\\x3a:" if found[0] == "::" else "#\\x23"
