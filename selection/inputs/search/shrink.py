"""Makes an input smaller while something about it, such as that two programs differ on it, stays true.

Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002) on records
instead of letters, so that what comes out is still an input: lists and blocks lose chunks, their counts
follow; numbers go towards zero; texts lose words and letters.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.search.shrink_values import list_smaller
from sstar_code.selection.inputs.strategies.streams import Mutations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from sstar_code.problems import Problem

__all__ = ["shrink_input"]

_BATCH = 16
_TINY = 24
"""Fresh small inputs tried first: a long way down by steps may be a short one from below."""
_MAX_CANDIDATES = 1_000
_MAX_CANDIDATE_CHARS = 200_000
"""Of all candidates that are looked at in one step: long inputs are cut in large pieces first."""


async def shrink_input(
    problem: Problem,
    text: str,
    holds: Callable[[Sequence[str]], Awaitable[list[bool]]],
    *,
    max_tries: int,
    contract: Contract | None = None,
) -> str:
    """The smallest input found, `text` itself where there is none, for which `holds` is true.

    `holds` is asked for batches of different inputs, for at most `max_tries` in all, and never for `text`,
    for which it must be true. What comes back keeps to the contract of `problem` if `text` does, and is
    never longer than `text`. Ends where nothing smaller holds.
    """
    shrinking = _Shrinking(contract or Contract.of(problem), text, holds, max_tries)
    if text in await shrinking.try_all(shrinking.tiny(problem)):
        return text
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

    async def try_all(self, texts: Sequence[str]) -> list[str]:
        """Take the smallest of `texts` that holds; those that hold."""
        found = [text for text, held in zip(texts, await self._ask(texts), strict=False) if held]
        self.best = min([self.best, *found], key=_key)
        return found

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
        for smaller in islice(list_smaller(self.contract.domain, record), most):
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
    """Where nothing is known: without some lines, or without some words of a line."""
    lines = text.split("\n")
    for size in (len(lines) // 2, len(lines) // 4, 1):
        for start in range(0, len(lines), size or 1):
            yield "\n".join(lines[:start] + lines[start + (size or 1) :])
    yield "\n".join(line for line in lines if line.strip()) + "\n"
    for place, line in enumerate(lines):
        words = line.split(" ")
        for word in range(len(words)):
            yield "\n".join([*lines[:place], " ".join(words[:word] + words[word + 1 :]), *lines[place + 1 :]])
