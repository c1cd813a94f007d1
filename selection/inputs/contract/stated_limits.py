"""Narrows the domains of an input by what the statement says.

That is ranges of its variables (`1 <= n <= 10^5`, `-10^9 ≤ a_i ≤ 10^9`), and single words like "distinct".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sstar_code.selection.inputs.contract.domain import Domain, all_distinct, is_sorted, letters_of
from sstar_code.selection.inputs.strategies.plain_text import quoted_signs

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
    """The range that a statement gives for one variable."""

    name: str
    depth: int = 0
    """0: the variable itself; 1: its items; 2: the items of its items."""
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


_LEAST_ITEMS = 3


def narrow_call(domain: Domain, names: Sequence[str], statement: str) -> Domain:
    """The arguments' domain with the ranges that the statement gives for the parameters' names."""
    parts = list(domain.parts)
    for stated in read_stated(statement):
        for place, name in enumerate(names[: len(parts)]):
            if name.lower() == stated.name.lower():
                parts[place] = _narrow(parts[place], stated, stated.depth)
    return replace(domain, parts=tuple(parts))


def _narrow(domain: Domain, stated: Stated, depth: int) -> Domain:
    if domain.kind in ("list", "record") and depth:
        if domain.kind == "list" and domain.parts[0].kind == "record":  # the rows of a table are no level
            return replace(domain, parts=(_narrow(domain.parts[0], stated, depth),))
        return replace(domain, parts=tuple(_narrow(part, stated, depth - 1) for part in domain.parts))
    if depth and not (stated.of_length and domain.kind in ("list", "text")):
        return domain
    return _limit(domain, stated)


def _limit(domain: Domain, stated: Stated) -> Domain:
    """The domain with the stated range of its lengths or values, unless an example breaks it."""
    return _with_length(domain, stated) if stated.of_length else _with_range(domain, stated)


def _with_length(domain: Domain, stated: Stated) -> Domain:
    if domain.kind not in ("list", "text"):
        return domain
    sizes = [len(value) for value in domain.seen]
    if (stated.low or 0) > min(sizes, default=10**9) or _exceeds(max(sizes, default=0), stated.high):
        return domain  # it speaks of something else
    return replace(domain, fewest=max(0, stated.low or 0), most=stated.high)


def _with_range(domain: Domain, stated: Stated) -> Domain:
    if domain.kind not in ("int", "float"):
        return domain
    low = domain.low if stated.low is None else stated.low
    if any((low is not None and value < low) or _exceeds(value, stated.high) for value in domain.seen):
        return domain
    return replace(domain, low=low, high=domain.high if stated.high is None else stated.high)


def _exceeds(value: float, high: int | None) -> bool:
    return high is not None and value > high


def _apply(domain: Domain, rule: Callable[[Domain], Domain]) -> Domain:
    return rule(replace(domain, parts=tuple(_apply(part, rule) for part in domain.parts)))


def _tells(domain: Domain) -> bool:
    return domain.kind == "list" and sum(map(len, domain.seen)) >= _LEAST_ITEMS


def _signed(domain: Domain, *, signs: str) -> Domain:
    """Signs that the statement quotes belong to texts that hold another of them, or signs only."""
    if domain.kind != "text" or domain.shape or not set(signs) & set(letters_of(domain.seen)):
        return domain
    letters = letters_of([domain.letters, signs]) if domain.letters else ""
    return replace(domain, signs=signs, letters=letters)


def _distinct(domain: Domain) -> Domain:
    return (
        replace(domain, distinct=True) if _tells(domain) and all(map(all_distinct, domain.seen)) else domain
    )


def _ordered(domain: Domain) -> Domain:
    return replace(domain, ordered=True) if _tells(domain) and all(map(is_sorted, domain.seen)) else domain


def _dense(domain: Domain) -> Domain:
    if not _tells(domain) or domain.parts[0].kind != "int":
        return domain
    for low in (1, 0):
        if all(sorted(value) == list(range(low, low + len(value))) for value in domain.seen):
            item = replace(domain.parts[0], low=low)
            return replace(domain, dense=True, distinct=True, parts=(item,), low=low)
    return domain


def _positive(domain: Domain) -> Domain:
    is_whole = domain.kind in ("int", "float") and domain.low == 0
    return replace(domain, low=1) if is_whole and min(domain.seen, default=1) >= 1 else domain


def _filled(domain: Domain) -> Domain:
    is_filled = domain.kind in ("list", "text") and all(map(len, domain.seen))
    return replace(domain, fewest=max(1, domain.fewest)) if is_filled else domain


_WORDS = (
    (re.compile(r"distinct|different|unique|permutation|no duplicate", re.IGNORECASE), _distinct),
    (re.compile(r"sorted|ascending|non-?decreasing|increasing", re.IGNORECASE), _ordered),
    (re.compile(r"permutation", re.IGNORECASE), _dense),
    (re.compile(r"positive (?:integer|int\b|number)|natural number", re.IGNORECASE), _positive),
    (re.compile(r"non-?empty|at least one", re.IGNORECASE), _filled),
)


def narrow_words(domain: Domain, statement: str) -> Domain:
    """The domain with what single words of the statement say and all examples keep to."""
    for pattern, rule in _WORDS:
        if pattern.search(statement):
            domain = _apply(domain, rule)
    if signs := quoted_signs(statement):
        domain = _apply(domain, partial(_signed, signs=signs))
    return domain


def narrow_layout(domain: Domain, statement: str) -> Domain:
    """The domain of a layout with the ranges of the statement, matched in their order.

    A standard input has no names; but statements give the ranges in the order in which the input has the
    values, and say of which they hold for single values and of which for items. Ranges that an
    example breaks are passed over.
    """
    stated = [item for item in read_stated(statement) if not item.of_length or item.depth == 0]
    fields = list(_fields(domain, in_list=False))
    pairs = _align(fields, stated)
    chosen = {id(fields[place][0]): stated[number] for place, number in pairs}
    return _rebuild(domain, chosen)


def _fields(domain: Domain, *, in_list: bool) -> Iterator[tuple[Domain, bool]]:
    """The numbers and texts in order, and whether there are many of them."""
    if domain.kind in ("int", "float", "text"):
        yield domain, in_list
    for part in domain.parts:
        yield from _fields(part, in_list=in_list or domain.kind == "list")


def _align(fields: Sequence[tuple[Domain, bool]], stated: Sequence[Stated]) -> list[tuple[int, int]]:
    """Pairs (field, range), both ascending, that together fit best."""
    best: dict[tuple[int, int], tuple[float, tuple[tuple[int, int], ...]]] = {}

    def solve(place: int, number: int) -> tuple[float, tuple[tuple[int, int], ...]]:
        if place == len(fields) or number == len(stated):
            return 0.0, ()
        if (place, number) not in best:
            options = [solve(place + 1, number), solve(place, number + 1)]
            if (gain := _fit(*fields[place], stated[number])) > 0:
                rest = solve(place + 1, number + 1)
                options.append((rest[0] + gain, ((place, number), *rest[1])))
            best[place, number] = max(options, key=lambda option: option[0])
        return best[place, number]

    return list(solve(0, 0)[1]) if len(fields) * len(stated) < 2_000 else []


def _fit(domain: Domain, in_list: bool, stated: Stated) -> float:
    if (domain.kind == "text") != stated.of_length:
        return 0.0
    if _limit(domain, stated) == domain:
        return 0.0
    return 2.0 if in_list == bool(stated.depth) else 0.6


def _rebuild(domain: Domain, chosen: dict[int, Stated]) -> Domain:
    if (stated := chosen.get(id(domain))) is not None:
        return _limit(domain, stated)
    return replace(domain, parts=tuple(_rebuild(part, chosen) for part in domain.parts))
