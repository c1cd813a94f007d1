"""Faults of a server on demand."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

FaultKind = Literal["refuse", "slow", "cut", "garbage", "death"]


@dataclass(slots=True)
class Fault:
    """One kind of trouble, for so many of the requests that come."""

    kind: FaultKind
    """`refuse` answers `status` at once; `slow` waits `seconds` first; `cut` ends the connection after
    `tokens`; `garbage` answers 200 with a page that is no completion; `death` ends the server and every
    connection after `tokens` of this request."""
    times: int | None = 1
    """How many requests it meets; None: all."""
    after: int = 0
    """Requests that pass untouched before the first."""
    share: float = 1.0
    """The share of the requests that it could meet, drawn by a seeded dice."""
    status: int = 503
    retry_after_s: float | None = None
    seconds: float = 0.0
    tokens: int = 0

    def as_json(self) -> dict[str, Any]:
        """The fault as `GET /faults` shows it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Fault:
        """The fault that `data` describes.

        Raises:
            ValueError: no such kind or field.
        """
        unknown = set(data) - {field.name for field in fields(cls)}
        if unknown or data.get("kind") not in get_args(FaultKind):
            raise ValueError(f"no such fault: {data}")
        return cls(**data)


class Faults:
    """The faults to come; each request meets at most one, the first that is due."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.coming = list(faults)
        self.met: list[str] = []
        """Kinds of the faults that happened, in order."""
        self._dice = random.Random(0)
        self._lock = threading.Lock()

    def draw(self) -> Fault | None:
        """The fault that the next request meets."""
        due: Fault | None = None
        with self._lock:
            for fault in list(self.coming):
                if fault.after > 0:
                    fault.after -= 1
                elif due is None and self._dice.random() < fault.share:
                    due = fault
            if due is not None:
                self.met.append(due.kind)
                if due.times is not None:
                    due.times -= 1
                    if due.times <= 0:
                        self.coming.remove(due)
        return due
