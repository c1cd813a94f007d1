"""Inputs made of words: of the statement and the programs, and of texts without a layout.

A program that treats 7, 100 or "and" in its own way does so only on inputs that hold them (the dictionaries
of coverage-guided fuzzers rest on this).
"""

from __future__ import annotations

import ast
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sstar_code.problems.python_source import parse_python, walk_tree

_MAX_EACH = 30
_MAX_TEXT = 24
_MAX_NUMBER = 10**7
_QUOTED = re.compile(r"[`'\"\u2018\u201c]([^`'\"\u2019\u201d\n]{1,24})[`'\"\u2019\u201d]")
_NUMBERS = re.compile(r"(?<![\w.^])-?\d{1,7}(?!\w|[.^]\d)")


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Numbers and texts, the most telling ones first."""

    numbers: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()


def read_dictionary(statement: str, codes: Iterable[str]) -> Dictionary:
    """The numbers and texts that the literals of the programs and the statement name.

    Values that few programs know come first, since they may set them apart; those that all of them know, and
    those of the statement, come last. 0 and 1 are left out, as are docstrings.
    """
    counts: Counter[int | str] = Counter()
    for code in codes:
        counts.update(dict.fromkeys(_literals(code), 1))
    counts.update({int(number) for number in _NUMBERS.findall(statement)[:200]})
    counts.update(dict.fromkeys(_QUOTED.findall(statement)[:200], 1))
    ordered = sorted(counts, key=lambda value: (counts[value], str(value)))
    numbers = [value for value in ordered if isinstance(value, int) and abs(value) > 1]
    texts = [value for value in ordered if isinstance(value, str)]
    return Dictionary(tuple(numbers[:_MAX_EACH]), tuple(texts[:_MAX_EACH]))


def _literals(code: str) -> Iterable[int | str]:
    if (tree := parse_python(code)) is None:
        return
    lone = {id(node.value) for node in walk_tree(tree) if isinstance(node, ast.Expr)}
    for node in walk_tree(tree):
        if not isinstance(node, ast.Constant) or id(node) in lone:
            continue
        value = node.value
        if isinstance(value, str):
            fits = 0 < len(value) <= _MAX_TEXT
        else:
            fits = type(value) is int and abs(value) <= _MAX_NUMBER
        if fits and isinstance(value, int | str):
            yield value


def quoted_signs(statement: str) -> str:
    """Single signs, no letters or digits, that the statement puts in quotes, each once."""
    found = [text for text in _QUOTED.findall(statement) if len(text) == 1 and not text.isalnum()]
    return "".join(dict.fromkeys(found))


_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?\d{1,18}\.\d{1,18}")


def mutate_text(text: str, rng: random.Random) -> str | None:
    """`text` with one or two tokens changed, or one counted list made longer or shorter with its count.

    None where it has no token.
    """
    rows = [line.split() for line in text.splitlines()]
    if not any(rows):
        return None
    for _ in range(rng.choice((1, 1, 2))):
        rows = _mutate_rows(rows, rng)
    return _join(rows)


def enlarge_text(text: str, number: int) -> Iterator[str]:
    """`text` with one integer that counts nothing replaced by `number`."""
    rows = [line.split() for line in text.splitlines()]
    counts = _counts(rows)
    for line, row in enumerate(rows):
        for place, word in enumerate(row):
            if _INTEGER.fullmatch(word) and (line, place) not in counts:
                yield _join([*rows[:line], [*row[:place], str(number), *row[place + 1 :]], *rows[line + 1 :]])


def _join(rows: list[list[str]]) -> str:
    return "\n".join(map(" ".join, rows)) + "\n"


def _counts(rows: list[list[str]]) -> dict[tuple[int, int], int]:
    """Integers that announce the tokens of the next line (its number) or the lines that follow (-1)."""
    found = {}
    for line, row in enumerate(rows):
        for place, word in enumerate(row):
            if not _INTEGER.fullmatch(word) or int(word) < 1:
                continue
            if line + 1 < len(rows) and len(rows[line + 1]) == int(word) and (len(row) == 1 or int(word) > 1):
                found[line, place] = line + 1
            elif int(word) in (len(rows) - line - 1, (len(rows) - line - 1) / 2):
                found[line, place] = -1
    return found


def _mutate_rows(rows: list[list[str]], rng: random.Random) -> list[list[str]]:
    rows = [list(row) for row in rows]
    counts = _counts(rows)
    lists = [(where, line) for where, line in counts.items() if line >= 0]
    if lists and rng.random() < 0.3:
        (count_line, count_place), line = rng.choice(lists)
        rows[line] = _resize(rows[line], rng)
        rows[count_line][count_place] = str(len(rows[line]))
        return rows
    filled = [line for line, row in enumerate(rows) if len(row) > 1]
    if filled and rng.random() < 0.15:
        line = rng.choice(filled)
        if not any((line, place) in counts for place in range(len(rows[line]))):
            rng.shuffle(rows[line])
            return rows
    free = [
        (line, place)
        for line, row in enumerate(rows)
        for place in range(len(row))
        if (line, place) not in counts
    ]
    if free:
        line, place = rng.choice(free)
        rows[line][place] = _mutate_word(rows[line][place], rows[line], rng)
    return rows


def _resize(row: list[str], rng: random.Random) -> list[str]:
    place = rng.randrange(len(row))
    if len(row) > 1 and rng.random() < 0.5:
        return rng.choice((row[:place] + row[place + 1 :], row[:1]))
    return [*row[:place], rng.choice(row), *row[place:]]


def _mutate_word(word: str, row: list[str], rng: random.Random) -> str:
    if _INTEGER.fullmatch(word):
        value = int(word)
        other = next((item for item in rng.sample(row, len(row)) if _INTEGER.fullmatch(item)), word)
        number = rng.choice(
            (value + 1, value - 1, value * 2, value // 2, 1, 0, value + rng.randint(2, 20), int(other))
        )
        return str(abs(number) if value >= 0 else number)
    if _NUMBER.fullmatch(word):
        value_f = float(word)
        return repr(rng.choice((value_f + 1, value_f * 2, value_f / 2, value_f + 0.5)))
    place = rng.randrange(len(word))
    choices = [
        word[:place] + rng.choice(word) + word[place + 1 :],
        word[:place] + rng.choice(word) + word[place:],
        word[::-1],
        word[:place] + word[place].swapcase() + word[place + 1 :],
    ]
    if len(word) > 1:
        choices.append(word[:place] + word[place + 1 :])
    return rng.choice(choices)
