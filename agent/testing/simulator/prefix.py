"""The KV cache as scheduling sees it: shared prompt blocks, private tails, least recently used out first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

CHARS_PER_TOKEN = 4
"""The simulator's tokenizer; a rule of thumb for English text and code."""


def count_tokens(text: str) -> int:
    """Tokens of `text`, at least one."""
    return max(1, -(-len(text) // CHARS_PER_TOKEN))


def cut_blocks(prompt: str, block_tokens: int) -> tuple[int, ...]:
    """A number for each whole block of `prompt` that is the same for equal beginnings."""
    size = block_tokens * CHARS_PER_TOKEN
    digest = hashlib.blake2b(digest_size=8)
    numbers: list[int] = []
    for end in range(size, len(prompt) + 1, size):
        digest.update(prompt[end - size : end].encode("utf-8", "surrogatepass"))
        numbers.append(int.from_bytes(digest.digest(), "big"))
    return tuple(numbers)


class PrefixCache:
    """Which blocks are in memory, which of those are in use, and how many tokens that takes."""

    def __init__(self, kv_tokens: int, block_tokens: int) -> None:
        self.kv_tokens = kv_tokens
        self.block_tokens = block_tokens
        self.queries = 0
        """Prompt tokens looked up."""
        self.hits = 0
        """Prompt tokens found in the cache."""
        self._users: dict[int, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._private = 0

    @property
    def used(self) -> int:
        """Tokens in use by running sequences; idle blocks make room when it is needed."""
        return len(self._users) * self.block_tokens + self._private

    @property
    def free(self) -> int:
        """Tokens that running sequences can still take."""
        return self.kv_tokens - self.used

    def find(self, blocks: tuple[int, ...], tokens: int) -> int:
        """How many of a prompt's first tokens are here; the last is always computed, as vLLM does."""
        found = 0
        for number in blocks:
            if number not in self._users and number not in self._idle:
                break
            found += self.block_tokens
        return found if found < tokens else max(0, found - self.block_tokens)

    def take(self, blocks: tuple[int, ...], tokens: int) -> int:
        """Hold `blocks` and the rest of a prompt's `tokens`; how many were here already.

        Blocks can be shared from the moment that they are scheduled, as in vLLM.
        """
        cached = self.find(blocks, tokens)
        self.queries += tokens
        self.hits += cached
        for number in blocks:
            self._idle.pop(number, None)
            self._users[number] = self._users.get(number, 0) + 1
        self._private += tokens - len(blocks) * self.block_tokens
        self._make_room()
        return cached

    def grow(self, tokens: int) -> None:
        """Count `tokens` more that sequences have written."""
        self._private += tokens
        self._make_room()

    def release(self, blocks: tuple[int, ...], tokens: int) -> None:
        """Let go of a sequence of `tokens` in all; its prompt stays until the room is needed."""
        for number in reversed(blocks):
            self._users[number] -= 1
            if not self._users[number]:
                del self._users[number]
                self._idle[number] = None
        self._private -= tokens - len(blocks) * self.block_tokens

    def _make_room(self) -> None:
        while self._idle and self.used + len(self._idle) * self.block_tokens > self.kv_tokens:
            self._idle.popitem(last=False)
