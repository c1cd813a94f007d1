"""Samples of standard input that stand under no heading: console transcripts, and "3 4 should give 7"."""

# ruff: noqa: RUF001 - marks of other scripts are what such pages print
from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from sstar_code.problems.statements.layout.samples import Found

if TYPE_CHECKING:
    from sstar_code.problems.statements.layout.tables import Sample

_SHELL = re.compile(r"[ \t>]{0,12}(?:[\w.@~/:-]{0,40}[$%])[ \t]+(\S.{0,2000})")
_RUNS = re.compile(
    r"(?:python[\d.]*|pypy\d?|\./|ruby|java|node|perl|\w+\.py\b|\w+\.exe\b|a\.out\b)", re.IGNORECASE
)
_PIPED = re.compile(r"(echo|printf)\s+(.{0,1500}?)\s*\|\s*(\S.*)")
_HERE = re.compile(r"(\S.{0,300}?)\s*<<-?\s*['\"]?(\w{1,20})['\"]?\s*")
_HERE_TEXT = re.compile(r"(\S.{0,300}?)\s*<<<\s*(.{1,1500})")
_VERB = (
    r"(?:should|must|ought\s+to|has\s+to|shall|will|would|soll(?:te)?|doit|devrait|debe(?:r[íi]a)?"
    r"|deve(?:ria)?|должн\w+)\s+(?:(?:es|it|il|das\s+programm|the\s+program)\s+)?"
    r"(?:give|print|output|yield|produce|return|result\s+in|be|show|display|ergeben|ausgeben|donner"
    r"|afficher|dar|imprimir"
    r"|mostrar|dá|вывести|дать|выводить)"
)
_GIVES = (
    rf"(?:{_VERB}|gives|prints|outputs|yields|produces|ergibt|donne|affiche"
    r"|imprime|da\b|muestra|выводит|даёт|→|⟶|➞|=>|->|-->)"
)
_QUOTED = re.compile(
    rf"`([^`\n]{{1,300}})`[ \t]*,?[ \t]*{_GIVES}[ \t]*:?[ \t]*`([^`\n]{{1,300}})`", re.IGNORECASE
)
_NUMBERS = re.compile(
    rf"(?im)^[\s>*•-]{{0,8}}(?:(?:for|e\.g\.|for\s+example|example|input|the\s+input|z\.\s?b\."
    rf"|par\s+exemple|por\s+ejemplo|например)[,:]?[ \t]+)?"
    rf"([-\d][-\d. ]{{0,200}}?)[ \t]+(?:{_VERB}|gives|prints"
    rf"|outputs)[ \t]*:?[ \t]*([-\d][-\d. ]{{0,200}}?)[.;,]?[ \t]*$"
)
_INTRODUCES = re.compile(
    rf"(?i)\b(?:{_VERB}|gives|prints|outputs|output|result|expect\w*|answer|get|ausgabe|sortie|salida"
    rf"|sa[ií]da|вывод|ответ)\b"
)
_BLOCK = re.compile(
    r"(?m)(?:^(?: {4}|\t)[^\n]*\n(?:[ \t]*\n(?= {4}|\t))?)+"
    r"|^ {0,3}```\w{0,12}[ \t]*\n(.*?)^ {0,3}```[^\n]*\n?",
    re.DOTALL,
)
_MOST_CHARS = 60_000
_MOST_LINES = 1_000


def find_loose_samples(text: str) -> Found:
    """The samples of `text` that no heading marks; transcripts that cannot be told apart are faults."""
    text = _unquote(text[:_MOST_CHARS])
    found = Found()
    samples = list(_read_transcripts(text, found.faults))
    form = "console transcripts"
    if not samples and not found.faults:
        samples, form = list(_read_blocks(text)), "prose"
    if not samples and not found.faults:
        samples = [(f"{a.strip()}\n", f"{b.strip()}\n") for a, b in _QUOTED.findall(text)]
        samples += [(f"{a.strip()}\n", f"{b.strip(' .')}\n") for a, b in _NUMBERS.findall(text)]
    found.samples = list(dict.fromkeys(samples))
    found.form = form if samples else ""
    return found


def _unquote(text: str) -> str:
    """A quoted e-mail without its marks."""
    lines = text.split("\n")
    quoted = sum(line.startswith("> ") or line == ">" for line in lines)
    if quoted * 2 < sum(bool(line.strip()) for line in lines):
        return text
    return "\n".join(line[2:] if line.startswith("> ") else line.removeprefix(">") for line in lines)


def _read_transcripts(text: str, faults: list[str]) -> Iterator[Sample]:
    lines = text.split("\n")
    place = 0
    while place < len(lines):
        command = _SHELL.fullmatch(lines[place].rstrip())
        place += 1
        if command is None:
            continue
        given, place = _given_to(command[1], lines, place)
        output: list[str] = []
        while place < len(lines) and lines[place].strip() and not _SHELL.match(lines[place]):
            if lines[place].strip().startswith("```"):
                break
            output.append(lines[place].strip())
            place += 1
        if given is not None and output:
            yield given, "\n".join(output) + "\n"
        elif given is None and output and _RUNS.match(command[1]):
            faults.append("a console transcript, where input and output cannot be told apart")


def _given_to(command: str, lines: list[str], place: int) -> tuple[str | None, int]:
    """What the command gives the program on standard input, and the place of the line behind it."""
    piped = _PIPED.fullmatch(command)
    if piped:
        return _echoed(piped[1], piped[2]), place
    text = _HERE_TEXT.fullmatch(command)
    if text:
        return _echoed("echo", text[2]), place
    here = _HERE.fullmatch(command)
    if here is None:
        return None, place
    end = next(
        (row for row in range(place, min(len(lines), place + _MOST_LINES)) if lines[row].strip() == here[2]),
        None,
    )
    if end is None:
        return None, place
    return "\n".join(line.strip() for line in lines[place:end]) + "\n", end + 1


def _echoed(command: str, source: str) -> str | None:
    try:
        words = shlex.split(source)
    except ValueError:
        return None
    escaped = command == "printf" or words[:1] in (["-e"], ["-ne"], ["-en"])
    words = words[1:] if words and re.fullmatch(r"-[ne]{1,2}", words[0]) else words
    text = " ".join(words)
    if "$" in text or (command == "printf" and "%" in text):
        return None
    text = text.replace("\\n", "\n") if escaped else text
    return text.rstrip("\n") + "\n"


def _read_blocks(text: str) -> Iterator[Sample]:
    """Two blocks of text, and between them a line that says that the second is the output."""
    blocks = list(_BLOCK.finditer(text))
    for first, second in pairwise(blocks):
        between = text[first.end() : second.start()].strip()
        if len(between) < 200 and between.endswith((":", "：")) and _INTRODUCES.search(between):
            before = text[: first.start()].rstrip()[-200:].split("\n")[-1]
            if before.endswith((":", "：", "prints", "input")):
                yield _block_text(first), _block_text(second)


def _block_text(block: re.Match[str]) -> str:
    lines = (block[1] if block[1] is not None else block[0]).strip("\n").split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:].rstrip() for line in lines).strip("\n") + "\n"
