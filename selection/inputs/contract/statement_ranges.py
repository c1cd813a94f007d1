"""Reads from a statement which values its variables may have: `1 <= n <= 10^5`, `-10^9 ≤ a_i ≤ 10^9`."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Stated", "read_stated"]

_MAX_CHARS = 30_000
_SPELLINGS = (
    (re.compile(r"(?m)^[ \t]*[-*•][ \t]+"), ""),
    (re.compile(r"\\(?:leqslant|leqq|leq|le)(?![a-zA-Z])|&le;|≤|⩽|≦|=<"), "<="),
    (re.compile(r"\\lt(?![a-zA-Z])|&lt;"), "<"),
    (re.compile(r"\\(?:times|cdot)(?![a-zA-Z])|\u00d7|·|⋅"), "*"),
    (re.compile(r"\\l?r?vert(?![a-zA-Z])|\\\|"), "|"),
    (re.compile(r"\\(?:left|right|mathrm|text|mathit|rm|,|;|!)(?![a-zA-Z])"), ""),
    (re.compile(r"_\{(\w+),\s*(\w+)\}"), r"_\1\2"),
    (re.compile(r"[${}`~\\]"), ""),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"(?<=\d)[, ](?=\d{3}(?!\d))"), ""),
    (re.compile(r"(?<=[\d*])\s*\*\s*(?=\d)|(?<=\d)\s*\^\s*(?=\d)"), lambda match: match[0].strip()),
)
_GAP = "[ \\t]?"
_POWER = r"\d{1,30}(?:\^\d{1,3}|e\d{1,2})?"
_NUMBER = rf"-?{_GAP}{_POWER}(?:\*{_POWER})?(?:{_GAP}[+-]{_GAP}{_POWER})?(?!\w|\.\d)"
_NAME = r"(?:len\(\w+\)|\|?[A-Za-z]\w{0,30}(?:\[[^\]\n]{0,12}\]){0,2}(?:\.(?:length|size\(\)|size))?\|?)"
_TERM = rf"(?:{_NUMBER}|{_NAME}(?:{_GAP},{_GAP}{_NAME})*)"
_CHAIN = re.compile(rf"{_TERM}(?:{_GAP}<=?{_GAP}{_TERM})+")
_LINK = re.compile(rf"{_GAP}(<=?){_GAP}")
_PARTS = re.compile(
    r"(?:len\()?\|?(?P<name>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]{3,})*)"
    r"(?P<below>_[a-z]{1,2}|_\d)?(?P<index>(?:\[[^\]]*\])*)(?P<rest>.*)"
)


@dataclass(frozen=True, slots=True)
class Stated:
    """What a statement says about one variable."""

    name: str
    depth: int = 0
    """0: of the variable; 1: of its items; 2: of the items of its items."""
    of_length: bool = False
    low: int | None = None
    high: int | None = None
    bound: str | None = None
    """The variable that it may not exceed."""


def read_stated(statement: str) -> list[Stated]:
    """All ranges that `statement` gives in the form of inequalities, in its order, each once."""
    text = statement[:_MAX_CHARS]
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    found: dict[Stated, None] = {}
    for chain in _CHAIN.finditer(text):
        pieces = _LINK.split(chain[0])
        found.update(dict.fromkeys(_read_chain(pieces[::2], pieces[1::2])))
    return list(found)


def _read_chain(terms: list[str], links: list[str]) -> list[Stated]:
    numbers = [_value(term) for term in terms]
    found = []
    for place, term in enumerate(terms):
        if numbers[place] is not None:
            continue
        low = high = None
        for left in range(place - 1, -1, -1):
            if (number := numbers[left]) is not None:
                low = number + ("<" in links[left:place])
                break
        for right in range(place + 1, len(terms)):
            if (number := numbers[right]) is not None:
                high = number - ("<" in links[place:right])
                break
        bound = terms[place + 1] if place + 1 < len(terms) and numbers[place + 1] is None else None
        found += [_stated(name.strip(), low, high, bound) for name in term.split(",")]
    return [item for item in found if item.low is not None or item.high is not None]


def _stated(term: str, low: int | None, high: int | None, bound: str | None) -> Stated:
    parts = _PARTS.match(term)
    if parts is None:
        return Stated(term)
    depth = len(re.findall(r"\[", parts["index"])) + bool(parts["below"]) + (len(parts["below"] or "") == 3)
    of_length = term.startswith(("|", "len(")) or "." in parts["rest"]
    return Stated(parts["name"], min(depth, 2), of_length, low, high, bound)


def _value(term: str) -> int | None:
    """The number that `term` writes; None: it is a name."""
    if not re.match(rf"-?{_GAP}\d", term):
        return None
    total = 0
    for sign, product in re.findall(rf"([+-]?){_GAP}({_POWER}(?:\*{_POWER})?)", term):
        value = 1
        for factor in product.split("*"):
            base, _, power = factor.replace("e", "*10^").partition("^")
            if "*" in base:
                digits, _, ten = base.partition("*")
                value *= int(digits) * int(ten) ** int(power)
            else:
                value *= int(base) ** int(power or 1)
        total += -value if sign == "-" else value
    return total
