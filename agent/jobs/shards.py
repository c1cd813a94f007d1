"""Parts of a set: each is evaluated by a process of its own, and `sstar merge` makes one run of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sstar_code.problems import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

__all__ = ["Shard", "asked_for"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `of`-th item from place `number`, counted from 1: neighbours are alike, so the parts are.

    The parts of one list are disjoint and together the list; their sizes differ by one at most.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """What `2/8` says.

        Raises:
            UserError: it is not of that form, or there is no such part.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if found is None:
            raise UserError(f"--shard {text!r}: write it like 2/8, the second of eight parts")
        shard = cls(int(found[1]), int(found[2]))
        if not 1 <= shard.number <= shard.of:
            raise UserError(f"--shard {text}: the parts are 1/{shard.of} to {shard.of}/{shard.of}")
        return shard

    def take(self, items: Sequence[T]) -> list[T]:
        """The items of this part, in their order."""
        return list(items[self.number - 1 :: self.of])

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def asked_for(config: Mapping[str, Any]) -> list[str]:
    """The ids of the problems that a run of this configuration is to solve: a shard's are only its part."""
    ids = list(dict.fromkeys(config["problems"]))
    return Shard.parse(config["shard"]).take(ids) if "shard" in config else ids
