"""Finds a program of a compiled language in an answer: by fences and by what every program of it has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sstar_code.agent.generation.extract.fences import Block, find_blocks

if TYPE_CHECKING:
    from sstar_code.sandbox.languages.table import Language

_MAIN = re.compile(r"\bmain\s*\(")
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b", re.MULTILINE)
_LAST_BRACE = re.compile(r"\A.*^\}[^\n]*", re.MULTILINE | re.DOTALL)


def find_compiled(text: str, language: Language) -> tuple[str | None, str, bool]:
    """The program in `text`, how it was found (as `Extraction.how`), and whether it ends in the open.

    The last block with a `main` wins, one with the language's tag before any other; where none has a `main`,
    the last with the tag, which the compiler then speaks of. Without a block it is what begins with an
    `#include` and ends with a brace at the start of a line.
    """
    (blocks, _) = find_blocks(text)
    tagged = [block for block in blocks if block.tag in language.fences]
    untagged = [block for block in blocks if not block.tag or block.tag == "c"]
    for group in (tagged, untagged):
        whole = [block for block in group if _MAIN.search(_read(block))]
        if whole:
            return _read(whole[-1]), "fenced", not whole[-1].closed
    if tagged:
        return _read(tagged[-1]), "unparsed", not tagged[-1].closed
    start = None if blocks else _INCLUDE.search(text)
    if start is not None and _MAIN.search(text, start.start()):
        rest = text[start.start() :]
        end = _LAST_BRACE.match(rest)
        return (end[0] if end else rest), "bare", end is None
    return None, "none", False


def _read(block: Block) -> str:
    return f"{block.rest}\n{block.text}" if _INCLUDE.match(block.rest) else block.text
