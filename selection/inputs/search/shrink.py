"""Makes an input smaller while something about it, such as that two programs differ on it, stays true.

Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002) on records
instead of letters, so that what comes out is still an input: lists and blocks lose chunks, their counts
follow; numbers go towards zero; texts lose words and letters.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.strategies.records import is_of_kind
from sstar_code.selection.inputs.strategies.streams import Mutations

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.inputs.contract.domain import Domain

_BATCH = 16
_TINY = 24
"""Fresh small inputs tried first: a long way down by steps may be a short one from below."""
_MAX_CANDIDATES = 1_000
_MAX_CANDIDATE_CHARS = 200_000
"""Characters of all candidates of one step together: long inputs are cut in large pieces first."""


async def shrink_input(
    problem: Problem, text: str, holds: Callable[[Sequence[str]], Awaitable[list[bool]]], *, max_tries: int
) -> str:
    """The smallest input found, `text` itself where there is none, for which `holds` is true.

    `holds` is asked for batches of different inputs, for at most `max_tries` in all, and never for `text`,
    for which it must be true. What comes back keeps to the contract of `problem` if `text` does, and is
    never longer than `text`. Ends where nothing smaller holds.
    """
    shrinking = _Shrinking(Contract.of(problem), text, holds, max_tries)
    await shrinking.try_all(shrinking.tiny(problem))
    while (smaller := await shrinking.step()) is not None:
        shrinking.best = smaller
    return shrinking.best


def _key(text: str) -> tuple[int, int, str]:
    """Shorter first, then smaller digits and letters. No two are alike, so no order hangs on a hash."""
    return len(text), sum(map(_weight, text)), text


def _weight(letter: str) -> int:
    if letter.isdigit() and letter.isascii():
        return int(letter)
    return 0 if letter in ' \n[](),"' else 10 + ord(letter) - (97 if "a" <= letter <= "z" else 0)


class _Shrinking:
    def __init__(
        self,
        contract: Contract,
        text: str,
        holds: Callable[[Sequence[str]], Awaitable[list[bool]]],
        max_tries: int,
    ) -> None:
        self.contract = contract
        self.best = text
        self._holds = holds
        self._left = max_tries
        self._known = {text}
        self._is_strict = contract.admits(text)
        self._is_read = contract.read(text) is not None

    def tiny(self, problem: Problem) -> list[str]:
        """New small inputs that are smaller than the first."""
        mutations = Mutations(problem, "shrink", self.contract)
        stream = iter(lambda: mutations.take("tiny"), None)
        return [text for text in islice(stream, _TINY) if self._may_be(text)]

    async def try_all(self, texts: Sequence[str]) -> None:
        """Take the smallest of `texts` that holds."""
        found = [text for text, held in zip(texts, await self._ask(texts), strict=False) if held]
        self.best = min([self.best, *found], key=_key)

    async def step(self) -> str | None:
        """Something smaller than the best that holds; None where there is none, or no try is left."""
        candidates = sorted({text for text in self._candidates() if self._may_be(text)}, key=_key)
        waiting = _spread(candidates)
        for start in range(0, len(waiting), _BATCH):
            batch = waiting[start : start + _BATCH]
            held = await self._ask(batch)
            if found := [text for text, is_held in zip(batch, held, strict=False) if is_held]:
                return min(found, key=_key)
            if self._left <= 0:
                break
        return None

    def _may_be(self, text: str) -> bool:
        if text in self._known or _key(text) >= _key(self.best):
            return False
        if self._is_strict:
            return self.contract.admits(text)
        if self._is_read:
            return self.contract.read(text) is not None
        if self.contract.form is not None:  # a known form in another layout: only blanks may go
            return text.split() == self.best.split()
        return bool(text.strip())

    def _candidates(self) -> Iterator[str]:
        record = self.contract.read(self.best)
        if record is None:
            yield from _shorter_text(self.best)
            return
        most = max(20, min(_MAX_CANDIDATES, _MAX_CANDIDATE_CHARS // len(self.best)))
        for smaller in islice(_list_smaller(self.contract.domain, record), most):
            if (text := self.contract.write(smaller)) is not None:
                yield text

    async def _ask(self, texts: Sequence[str]) -> list[bool]:
        """Whether each holds, as far as tries are left."""
        asked = list(texts[: max(0, self._left)])
        self._left -= len(asked)
        self._known.update(asked)
        return list(await self._holds(asked)) if asked else []


def _spread(items: list[str]) -> list[str]:
    """`items` in another order: a few from everywhere, then those between."""
    order: dict[str, None] = {}
    step = max(1, len(items) // _BATCH)
    while True:
        order.update(dict.fromkeys(items[::step]))
        if step == 1:
            return list(order)
        step = max(1, step // 4)


def _shorter_text(text: str) -> Iterator[str]:
    """`text`, of which no form is known, without some lines or without some words of a line."""
    lines = text.split("\n")
    for size in (len(lines) // 2, len(lines) // 4, 1):
        for start in range(0, len(lines), size or 1):
            yield "\n".join(lines[:start] + lines[start + (size or 1) :])
    yield "\n".join(line for line in lines if line.strip()) + "\n"
    for place, line in enumerate(lines):
        words = line.split(" ")
        for word in range(len(words)):
            yield "\n".join([*lines[:place], " ".join(words[:word] + words[word + 1 :]), *lines[place + 1 :]])


_MAX_CHUNKS = 32
_MAX_ITEMS = 40
"""Items of one list that are made smaller one by one."""


def _list_smaller(domain: Domain, value: Any) -> Iterator[Any]:  # noqa: C901 - one branch a kind
    """Values like `value` with one part of it smaller; not all need be in `domain`."""
    if domain.kind == "mixed":
        domain = next((part for part in domain.parts if part.admits(value)), domain)
    if not is_of_kind(domain, value):
        return
    if domain.kind == "int":
        yield from _smaller_int(value, domain.low)
    elif domain.kind == "float":
        yield from _smaller_float(value)
    elif domain.kind == "bool" and value:
        yield False
    elif domain.kind == "text":
        yield from _smaller_text(value, domain)
    elif domain.kind == "mapping":
        yield from ({key: item for key, item in value.items() if key != gone} for gone in value)
        for key, item in value.items():
            yield from ({**value, key: smaller} for smaller in _list_smaller(domain.parts[1], item))
    elif domain.kind == "record":
        for place, part in enumerate(domain.parts):
            yield from (_put(value, place, smaller) for smaller in _list_smaller(part, value[place]))
    elif domain.kind == "list":
        yield from _smaller_list(domain, value)


def _put(value: Any, place: int, item: Any) -> Any:
    items = list(value)
    items[place] = item
    return type(value)(items)


def _without_chunks(value: Any) -> Iterator[Any]:
    """`value` without a chunk, or only a chunk: all, halves, quarters, ..., down to single items or 1/32."""
    size = len(value)
    while size > len(value) // _MAX_CHUNKS:
        for start in range(0, len(value), size):
            yield value[:start] + value[start + size :]
            if size > 1:
                yield value[start : start + size]
        size //= 2


def _smaller_list(domain: Domain, value: Any) -> Iterator[Any]:
    items, make = list(value), type(value)
    part = domain.parts[0]
    yield from map(make, _without_chunks(items))
    if part.kind == "int" and items and all(type(item) is int for item in items):
        ranks = {number: rank for rank, number in enumerate(sorted(set(items)))}
        low = part.low or 0
        yield make(low + ranks[item] for item in items)
        yield make(item // 2 for item in items)
        yield make(item // 10 for item in items)
        yield make(min(items) for _ in items)
    if part.kind == "list" and items and all(isinstance(item, list) for item in items):
        for column in range(min(map(len, items), default=0)):
            yield make([item[:column] + item[column + 1 :] for item in items])
    if make in (list, tuple):
        for place in range(min(len(items), _MAX_ITEMS)):
            yield from (_put(value, place, smaller) for smaller in _list_smaller(part, items[place]))


def _smaller_int(value: int, low: int | None) -> Iterator[int]:
    floor = low if low is not None and low > 0 else 0
    yield from (floor, floor + 1, floor + 2, value // 10, value // 2, value - 1, -value)
    digits = str(abs(value))
    sign = -1 if value < 0 else 1
    for power in range(1, min(len(digits), 30)):
        yield from (sign * 10**power, sign * (10**power + 1))
    for place in range(min(len(digits), 20)):
        if rest := digits[:place] + digits[place + 1 :]:
            yield sign * int(rest)
        if digits[place] not in "01":
            yield sign * int(f"{digits[:place]}1{digits[place + 1 :]}")
            yield sign * int(f"{digits[:place]}0{digits[place + 1 :]}")


def _smaller_float(value: float) -> Iterator[float]:
    yield from (0.0, 1.0, 0.5, 1.5, 2.5)
    if abs(value) < 1e15:  # beyond it every float is whole; also keeps out inf and nan
        yield from (float(int(value)), round(value, 1), round(value, 2), value / 2, -value)


def _smaller_text(value: str, domain: Domain) -> Iterator[str]:
    yield from _without_chunks(value)
    words = value.split(" ")
    if len(words) > 1:
        yield from (" ".join(rest) for rest in _without_chunks(words))
    simplest = domain.letters[:1] or ("a" if value.isascii() else "")
    yield value.lower()
    for place in range(min(len(value), _MAX_ITEMS)):
        digit = "0" if value[place].isdigit() else simplest
        if digit and value[place] != digit:
            yield value[:place] + digit + value[place + 1 :]
