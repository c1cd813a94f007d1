"""Reads code that was damaged on its way: escaped, numbered, quoted, cut, typed into a session.

Each repair changes only text that bears its mark, and is tried only where the text does not parse without it.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable, Iterator
from itertools import islice, pairwise

from sstar_code.agent.generation.extract.fences import PYTHON_TAGS
from sstar_code.problems.python_source import parse_python

END_TOKEN = re.compile(
    r"(?:<\|(?:im_end|im_start|eot_id|eom_id|end_of_text|endoftext|end_of_solution|end|return|END_RESPONSE"
    r"|END_OF_TURN_TOKEN|fim_\w+|file_separator)\|>|<\uff5c[\w\u2581]{1,40}\uff5c>|</s>|<end_of_turn>|<eos>|\[/INST\])"
    r"(?![\"'])"  # a program that knows such tokens has them in strings
)
"""Special tokens that end a turn; what follows one is no part of the answer."""
_BRACKET = re.compile(r"(?:\[/?)?([A-Z_]{3,})\]?|\{(code)\}")
_MAX_LABELS = 4
_LABEL = re.compile(
    r"(?:\[[A-Z_]{3,}\]|\{code(?::\w+)?\}|cat >.*<<.*|copy(?: code)?|edit|wrap|run"
    r"|[*>`\s]*(?:file(?:name)?\s*:\s*)?[\w./-]+\.py[`*:\s]*)",
    re.IGNORECASE,
)
_LOOKALIKE = str.maketrans(
    "\u00a0\u3000\u2018\u2019\u201c\u201d\uff08\uff09\uff1a\uff0c\uff1b\uff3b\uff3d\uff1d\u2212\u2013",
    "  ''\"\"():,;[]=--",
    "\u200b\u200c\u200d\u2060\ufeff",
) | {0x2192: "->"}
"""Characters that only look like Python's own, and what they stand for; the last ones stand for nothing."""
_NUMBER = re.compile(r"\s*(\d{1,5})(?:\s*[|:.)│→](?!\d)|\t|(?=\s)|$)")
_RULE = re.compile(r"\s{0,8}[|│┃](?: |$)")
_HERE_START = re.compile(r"<<-?[ \t]{0,8}(['\"]?)(\w{1,40})\1[^\n]{0,200}\n")
_MAX_HERE = 20
_DIFF_HEADS = ("+++", "---", "@@", "diff ", "index ", "new file", "***", "\\ No newline")
_PROMPT = re.compile(r"\s{0,40}(?:>>>|\.\.\.:?|In \[\d*\]:)(?: |$)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "", '"': '"', "'": "'", "\\": "\\", "/": "/"}
_STRING_OR_NEWLINE = re.compile(r"\"(?:[^\"\\\n]|\\.){0,500}\"|'(?:[^'\\\n]|\\.){0,500}'|\\n|\\t")


def readings(text: str) -> Iterator[str]:
    """`text`, then what it may have been: one repair after another, each with and without its margin."""
    text = drop_labels(text.strip("\n"))
    seen: set[str] = set()
    for repair in (None, *_REPAIRS):
        text = repair(text) if repair else text
        for change in (str, textwrap.dedent, str.strip):
            reading = change(text)
            if reading not in seen:
                seen.add(reading)
                yield reading
    if "\\n" in text:
        yield decode_escapes(text)
        yield break_lines(text)


def unwrap(text: str, tag: str) -> str:
    """The file that a block of shell commands writes, the new side of a block that is a diff; else `text`.

    Both can be Python too, of another meaning.
    """
    if tag in ("diff", "patch", "udiff"):
        return _apply_diff(text.strip("\n"))
    is_shell = text.lstrip().startswith("cat ")
    if "<<" in text and (is_shell or parse_python(text[: text.find("<<")]) is None):
        for start in islice(_HERE_START.finditer(text), _MAX_HERE):
            end = re.compile(rf"^{start[2]}[ \t]*$", re.MULTILINE).search(text, start.end())
            if end is not None:
                return text[start.end() : end.start()]
    return text


def drop_labels(text: str) -> str:
    """`text` without first lines that only name its language, its file or a button of a page, and brackets.

    Each of them is Python too, of a name that nothing defines.
    """
    for _ in range(_MAX_LABELS):
        first, _, rest = text.partition("\n")
        word = first.strip()
        if not word or not (word.lower() in PYTHON_TAGS or _LABEL.fullmatch(word)):
            break
        text = rest.lstrip("\n")
    before, _, last = text.rstrip().rpartition("\n")
    if (closing := _BRACKET.fullmatch(last)) and re.search(
        rf"\b{closing[1] or closing[2]}\b", before
    ) is None:
        return before
    return text


def decode_escapes(text: str) -> str:
    """`text` with the escapes of a JSON string decoded."""
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[0]), text)


def break_lines(text: str) -> str:
    """`text` with line breaks for the escaped ones outside its strings."""
    breaks = {"\\n": "\n", "\\t": "\t"}
    return _STRING_OR_NEWLINE.sub(lambda found: breaks.get(found[0], found[0]), text)


def cut_at_end_token(text: str) -> str:
    """`text` up to its first end token."""
    found = END_TOKEN.search(text)
    return text[: found.start()].rstrip() if found else text


def unquote(text: str) -> str:
    """`text` without the marks of a quotation (`> `) or of a frame (`| `), where every line of it has one."""
    lines = text.split("\n")
    if all(_RULE.match(line) for line in lines):
        return "\n".join(_RULE.sub("", line, count=1) for line in lines)
    if all(line.lstrip().startswith(">") or not line.strip() for line in lines):
        bare = [line.lstrip()[1:] for line in lines]
        if not any(line.startswith(">>") for line in bare):
            return "\n".join(line.removeprefix(" ") for line in bare)
    return text


def _drop_numbers(text: str) -> str:
    """`text` without line numbers, where each line has the next one."""
    lines = [line for line in text.split("\n") if line.strip()]
    found = [_NUMBER.match(line) for line in lines]
    numbers = [int(item[1]) if item else -1 for item in found]
    if len(lines) < 2 or any(second != first + 1 for first, second in pairwise(numbers)):
        return text
    rests = [line[item.end() :] for line, item in zip(lines, found, strict=True) if item]
    bare = textwrap.dedent("\n".join(rests))
    if parse_python(bare) is not None:
        return bare
    padded = [" " * (item.end() if item else 0) + rest for item, rest in zip(found, rests, strict=True)]
    return textwrap.dedent("\n".join(padded))  # the numbers stand in columns


def _read_session(text: str) -> str:
    """What was typed into an interactive session, without what it answered."""
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if not _PROMPT.match(first) or first.strip().startswith("..."):
        return text
    typed = ((_PROMPT.match(line), line) for line in lines)
    return "\n".join(line[prompt.end() :] for prompt, line in typed if prompt)


def _apply_diff(text: str) -> str:
    """The new side of a diff, where every line is marked as one of it."""
    lines = [line for line in text.split("\n") if not line.startswith(_DIFF_HEADS)]
    if not any(line.startswith("+") for line in lines) or any(line[:1] not in "+- \n" for line in lines):
        return text
    return "\n".join(line[1:] for line in lines if not line.startswith("-"))


def _unescape(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def _replace_lookalikes(text: str) -> str:
    return text.translate(_LOOKALIKE)


_REPAIRS: tuple[Callable[[str], str], ...] = (
    cut_at_end_token,
    _unescape,
    unquote,
    _drop_numbers,
    _read_session,
    _apply_diff,
    _replace_lookalikes,
)
