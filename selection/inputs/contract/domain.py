"""The values that an argument may have, also by its annotation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

_MAX_SEEN = 40
_LEAST_ORDERED = 4
"""Records from which on it is no chance that the numbers of each ascend."""
_CLOSED = 4
"""Letters of an alphabet that shows by itself: `01`, `()`, `.#`."""
_LEAST_SINGLE = 8
"""Words from which on it is no chance that each has one letter."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The values that one place of an input takes."""

    kind: str
    """bool, int, float, text, list, record (a fixed number of different places), mapping, mixed or other."""
    seen: tuple[Any, ...] = ()
    """Values of the examples, each once."""
    low: int | None = None
    high: int | None = None
    """Least and greatest number; None: not known."""
    fewest: int = 0
    most: int | None = None
    """Least and greatest count of items or letters; None: not known."""
    parts: tuple[Domain, ...] = ()
    """The item of a list, the places of a record, key and value of a mapping, the options of a mixture."""
    make: type[Any] = list
    letters: str = ""
    """All that a text may consist of; empty: more than was seen."""
    signs: str = ""
    """Signs that a text may hold though no example does."""
    shape: str = ""
    """Regular expression of texts that all have one form, like 08:30; empty: they do not."""
    single: bool = False
    """Whether each word of a text has one letter, like `a b c`."""
    distinct: bool = False
    ordered: bool = False
    dense: bool = False
    """Whether the items are a permutation of consecutive integers from `low`."""
    level: bool = False
    """Whether the items have one length (a matrix, a grid)."""

    def admits(self, value: Any) -> bool:  # noqa: PLR0911 - one branch a kind
        """Whether `value` could be here."""
        if self.kind == "mixed":
            return any(part.admits(value) for part in self.parts)
        if self.kind in ("int", "float"):
            fits = type(value) is int or (self.kind == "float" and isinstance(value, float))
            return fits and not (self.low is not None and value < self.low) and not self._is_above(value)
        if self.kind == "text":
            return isinstance(value, str) and self._admits_text(value)
        if self.kind == "bool":
            return isinstance(value, bool)
        if self.kind == "mapping":
            if not isinstance(value, dict) or not self._admits_length(value):
                return False
            key, item = self.parts
            return all(key.admits(name) and item.admits(entry) for name, entry in value.items())
        if self.kind in ("list", "record"):
            return isinstance(value, self.make) and self._admits_items(value)
        return any(type(value) is type(known) and value == known for known in self.seen)

    def forbids(self, value: Any) -> bool:
        """Whether `value` surely cannot be here: it breaks a rule that the examples leave no doubt about."""
        if self.kind == "text":
            return self.single and isinstance(value, str) and any(len(word) > 1 for word in value.split())
        if self.kind == "record" and isinstance(value, list | tuple) and len(value) == len(self.parts):
            return any(map(Domain.forbids, self.parts, value))
        if self.kind == "list" and isinstance(value, list | tuple | set | frozenset):
            return any(map(self.parts[0].forbids, value))
        return False

    def _is_above(self, value: float) -> bool:
        return self.high is not None and value > self.high

    def _admits_length(self, value: Any) -> bool:
        return len(value) >= self.fewest and (self.most is None or len(value) <= self.most)

    def _admits_text(self, value: str) -> bool:
        if not self._admits_length(value) or (self.shape and not re.fullmatch(self.shape, value)):
            return False
        if self.forbids(value):
            return False
        if self.letters:
            return set(value) <= set(self.letters)
        return set(map(_sort_of, value)) <= {*_sorts(self.seen), *self.signs}

    def _admits_items(self, value: Any) -> bool:
        if self.kind == "record":
            fits = len(value) == len(self.parts) and all(map(Domain.admits, self.parts, value))
            return fits and not (self.ordered and not is_sorted(value))
        if not self._admits_length(value) or not all(map(self.parts[0].admits, value)):
            return False
        if self.distinct and not all_distinct(value):
            return False
        if self.dense and sorted(value) != list(range(self.low or 0, (self.low or 0) + len(value))):
            return False
        if self.ordered and not is_sorted(value):
            return False
        return not self.level or len({len(item) for item in value if hasattr(item, "__len__")}) <= 1


ANYTHING = Domain("other")


def all_distinct(items: Iterable[Any]) -> bool:
    """Whether no two items are equal."""
    texts = list(map(repr, items))
    return len(set(texts)) == len(texts)


def is_sorted(items: Iterable[Any]) -> bool:
    """Whether the items ascend, equal ones allowed; False where they cannot be compared."""
    values = list(items)
    try:
        return all(first <= second for first, second in pairwise(values))
    except TypeError:
        return False


def letters_of(values: Iterable[str]) -> str:
    """The letters of all texts, sorted."""
    return "".join(sorted(set().union(*values)))


def _sort_of(letter: str) -> str:
    """A name for the kind of letter; signs are their own kind."""
    if letter.isascii() and letter.isalnum():
        return "digit" if letter.isdigit() else "upper" if letter.isupper() else "lower"
    return letter


def _sorts(values: Iterable[Any]) -> Iterator[str]:
    return (_sort_of(letter) for value in values if isinstance(value, str) for letter in value)


def infer(values: Sequence[Any], *, nested: bool = False) -> Domain:  # noqa: PLR0911 - one branch a type
    """The narrowest domain that holds all `values`, without limits on numbers and lengths.

    `nested`: inside a container, where short tuples and uneven short lists are records.
    """
    seen = tuple({repr(value): value for value in values}.values())[:_MAX_SEEN]
    kinds = {type(value) for value in values}
    if not values:
        return ANYTHING
    if kinds == {bool}:
        return Domain("bool", seen)
    if kinds <= {int, float}:
        kind = "float" if float in kinds else "int"
        return Domain(kind, seen, low=None if any(value < 0 for value in values) else 0)
    if kinds == {str}:
        text = _infer_text(values, seen)
        return replace(text, fewest=1) if nested and all(values) else text
    if kinds == {dict}:
        keys = infer([key for value in values for key in value], nested=True)
        items = infer([item for value in values for item in value.values()], nested=True)
        return Domain("mapping", seen, parts=(keys, items))
    if len(kinds) == 1 and kinds <= {list, tuple, set, frozenset}:
        return _infer_items(values, seen, kinds.pop(), nested=nested)
    if len(kinds) == 1:
        return Domain("other", seen)
    groups: dict[type, list[Any]] = {}
    for value in values:
        groups.setdefault(float if type(value) is int and float in kinds else type(value), []).append(value)
    return Domain("mixed", seen, parts=tuple(infer(group, nested=nested) for group in groups.values()))


def _infer_text(values: Sequence[str], seen: tuple[Any, ...]) -> Domain:
    letters = letters_of(values)
    total = sum(map(len, values))
    is_closed = 1 < len(letters) <= _CLOSED and total >= 2 * len(letters)
    is_closed = is_closed or (bool(letters) and not any(letter.isalnum() for letter in letters))
    words = [word for value in seen for word in value.split()]
    single = len(words) >= _LEAST_SINGLE and all(len(word) == 1 for word in words)
    return Domain("text", seen, letters=letters if is_closed else "", shape=_shape_of(seen), single=single)


def _shape_of(values: Sequence[str]) -> str:
    """The form that all `values` share, where digits are separated by signs: dates, times, addresses."""
    shapes = {re.sub(r"\d", r"\\d", re.escape(value)) for value in values}
    one = next(iter(shapes))
    signs = re.sub(r"[\w\s]", "", "".join(values))
    return one if len(shapes) == 1 and len(values) > 1 and signs and r"\d" in one else ""


def _infer_items(values: Sequence[Any], seen: tuple[Any, ...], make: type, *, nested: bool) -> Domain:
    sizes = {len(value) for value in values}
    size = next(iter(sizes))
    if make in (list, tuple) and len(sizes) == 1 and 1 < size <= 6:
        columns = [infer([value[place] for value in values], nested=True) for place in range(size)]
        differ = len({column.kind for column in columns}) > 1
        if differ or (nested and (make is tuple or size <= 3) and len(values) > 1 and _is_pair(columns)):
            are_numbers = all(column.kind in ("int", "float") for column in columns)
            ordered = are_numbers and len(values) >= _LEAST_ORDERED and all(map(is_sorted, values))
            return Domain("record", seen, parts=tuple(columns), make=make, ordered=ordered)
    items = [item for value in values for item in value]
    domain = Domain("list", seen, parts=(infer(items, nested=True),), make=make)
    if make in (set, frozenset):
        return replace(domain, distinct=True)
    if domain.parts[0].kind not in ("list", "text"):
        return domain
    rows = [value for value in values if len(value) > 1]
    is_level = bool(rows) and all(len({len(item) for item in value}) == 1 for value in rows)
    enough = sum(map(len, rows)) >= 3 or domain.parts[0].kind == "list"
    longest = max((len(item) for item in items), default=0)
    return replace(domain, level=is_level and enough and longest > 1)


def _is_pair(columns: Sequence[Domain]) -> bool:
    return all(column.kind in ("int", "float", "text", "bool") for column in columns)


_CONTAINERS: dict[str, type] = {
    "list": list,
    "sequence": list,
    "iterable": list,
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
}
_NUMBER = Domain("int", seen=(0, 1, 2, 5, 10))
_PLAIN = {
    "int": _NUMBER,
    "float": Domain("float", seen=(0.0, 1.0, 2.5, 10.0)),
    "str": Domain("text", seen=("a", "abc", "Hello world", "12")),
    "bool": Domain("bool"),
    "none": ANYTHING,
}


def read_annotation(node: ast.expr | None) -> Domain:  # noqa: C901, PLR0911 - one branch a form
    """The domain that an annotation names; integers where it names nothing that is known."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return read_annotation(ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            return _NUMBER
    if isinstance(node, ast.Constant):
        return Domain("other", seen=(node.value,))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Domain("mixed", parts=(read_annotation(node.left), read_annotation(node.right)))
    name, inside = _split(node)
    if name in _PLAIN:
        return _PLAIN[name]
    if name == "optional" and inside:
        return Domain("mixed", parts=(read_annotation(inside[0]), Domain("other", seen=(None,))))
    if name == "union" and inside:
        return Domain("mixed", parts=tuple(map(read_annotation, inside)))
    if name in ("dict", "mapping"):
        both = [*inside, None, None][:2]
        return Domain("mapping", parts=tuple(map(read_annotation, both)))
    if name == "tuple" and inside and not _is_ellipsis(inside[-1]):
        return Domain("record", parts=tuple(map(read_annotation, inside)), make=tuple)
    if name in _CONTAINERS:
        make = _CONTAINERS[name]
        item = read_annotation(inside[0] if inside else None)
        return Domain("list", parts=(item,), make=make, distinct=make in (set, frozenset))
    return _NUMBER


def _split(node: ast.expr | None) -> tuple[str, list[ast.expr | None]]:
    """The lowercase name of an annotation, and what its brackets hold."""
    inside: list[ast.expr | None] = []
    if isinstance(node, ast.Subscript):
        inside = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        node = node.value
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.lower(), inside


def _is_ellipsis(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis
