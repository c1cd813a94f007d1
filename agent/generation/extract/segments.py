"""Finds programs that stand in an answer without a fence: in tags, JSON, quotations, indented, inline."""

from __future__ import annotations

import ast
import html
import json
import re
import textwrap
from collections.abc import Iterator
from itertools import islice

from sstar_code.agent.generation.extract.readings import decode_escapes
from sstar_code.problems.python_source import parse_expression, parse_python

_MAX_TAGS = 400
_MAX_JSON = 8
_MAX_DEPTH = 4
_MAX_INLINE = 40
_TAG = re.compile(
    r"</?[A-Za-z_][\w:.=-]{0,40}(?:\s[^<>\n]{0,200})?>|<\|\w{1,40}\|>|<!\[CDATA\[|\]\]>"
    r"|\[/?[A-Z_]{3,20}\]|\\(?:begin|end)\{\w{1,20}\}(?:\[[^\]\n]{0,200}\]|\{[^}\n]{0,40}\})*"
    r"|^(?:'''|\"\"\")(?:python3?|py)?[ \t]*$",
    re.MULTILINE,
)
_JSON_START = re.compile(r"[{\[]\s*[\"'{\[]")
_OPEN_STRING = re.compile(r"[{,]\s{0,20}[\"']?\w{1,40}[\"']?\s{0,20}:\s{0,20}([\"`])(?![\"`])")
_HEAD = re.compile(r"(?m)^(?:[ \t]*[\w-]{1,40}:[ \t]*[|>][+-]?|\.\.[ ][\w-]{1,20}::.{0,80})[ \t]*\n")
_BREAK = re.compile(r"(?i)<br[ \t]*/?>")
_MAX_HEADS = 20
_INLINE = re.compile(r"(?<!`)(`{1,2})([^`\n]{8,})\1(?!`)")


def list_tagged(text: str) -> Iterator[str]:
    """What stands between two tags of any kind, the innermost first; then between the first and the last."""
    tags = list(islice(_TAG.finditer(text), _MAX_TAGS))
    for place, tag in enumerate(tags):
        if not tag[0].startswith(("</", "[/", "\\end", "]]")):
            yield text[tag.end() : tags[place + 1].start() if place + 1 < len(tags) else None]
    if len(tags) > 2:
        yield text[tags[0].end() : tags[-1].start()]


def list_strings(text: str) -> Iterator[str]:
    """The texts in JSON values anywhere in `text`, JSON inside JSON included; those that a call is given."""
    tree = parse_expression(text.strip())
    if tree is None and '"""' in text and (module := parse_python(text.strip())) and len(module.body) == 1:
        tree = module.body[0].value if isinstance(module.body[0], ast.Assign) else None
    if isinstance(tree, ast.Call | ast.Constant):
        parts = (item for item in ast.walk(tree) if isinstance(item, ast.Constant))
        yield from (item.value for item in parts if isinstance(item.value, str))
    place = 0
    decoder = json.JSONDecoder(strict=False)
    for _ in range(_MAX_JSON):
        found = _JSON_START.search(text, place)
        if found is None:
            break
        try:
            value, place = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            value, place = _read_literal(text[found.start() :].strip()), found.end()
        yield from _walk(value, _MAX_DEPTH)
    yield from _list_open_strings(text)


def _list_open_strings(text: str) -> Iterator[str]:
    """Texts in JSON that is not well formed: in backticks, or cut before they end."""
    for found in islice(_OPEN_STRING.finditer(text), _MAX_JSON):
        if found[1] == "`":
            yield text[found.end() :].partition("`")[0]
        elif re.search(r'(?<!\\)(?:\\\\){0,8}"', text[found.end() :]) is None:
            yield decode_escapes(text[found.end() :].removesuffix("\\"))


def _read_literal(text: str) -> object:
    """A Python literal, as models write where JSON is asked for; None where it is none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _walk(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        inner = None
        if depth and value.lstrip()[:1] in ("{", "["):
            try:
                inner = json.loads(value, strict=False)
            except (ValueError, RecursionError):
                inner = None
        if inner is None:
            yield value
        else:
            yield from _walk(inner, depth - 1)
    elif isinstance(value, dict | list) and depth:
        is_lines = isinstance(value, list) and len(value) > 1
        if is_lines and all(isinstance(item, str) for item in value):
            yield "\n".join(item.removesuffix("\n") for item in value)
        for item in value.values() if isinstance(value, dict) else value:
            yield from _walk(item, depth - 1)


def list_indented(text: str, marks: tuple[str, ...] = ("    ", "\t")) -> Iterator[str]:
    """Code that Markdown marks by four blanks."""
    run: list[str] = []
    for line in [*text.split("\n"), "."]:
        if line.startswith(marks) or (run and not line.strip()):
            run.append(line)
        elif run:
            yield textwrap.dedent("\n".join(run)).strip("\n")
            run = []


def list_headed(text: str) -> Iterator[str]:
    """The indented text below a head of YAML (`code: |`) or reStructuredText (`.. code-block:: python`)."""
    for found in islice(_HEAD.finditer(text), _MAX_HEADS):
        yield from islice(list_indented(text[found.end() :], ("  ", "\t")), 1)


def break_html(text: str) -> str:
    """`text` with the line breaks and blanks that HTML writes as marks."""
    return html.unescape(_BREAK.sub("\n", text)).replace("\u00a0", " ")


def list_inline(text: str) -> Iterator[str]:
    """Code between backticks in a sentence."""
    for number, found in enumerate(_INLINE.finditer(text)):
        if number == _MAX_INLINE:
            return
        yield found[2]


def drop_quote_marks(text: str) -> str:
    """`text` with the marks of a quotation (`> `) taken off the lines that have one."""
    return re.sub(r"^ {0,3}>(?!>>) ?", "", text, flags=re.MULTILINE)
