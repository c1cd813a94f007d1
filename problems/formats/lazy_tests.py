"""Tests that stay in their file until they are needed: a large set has more than a machine has memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import overload

from sstar_code.problems.problem import Test

_KEPT = 4
"""Problems whose tests are in memory at once: the samples of one problem are mostly run one after another."""

_recent: OrderedDict[int, tuple[Test, ...]] = OrderedDict()
"""Tests by the identity of their `StoredTests`; the least recently used first."""


class StoredTests(Sequence[Test]):
    """At least one test, read again whenever they are asked for; equal to a tuple of the same tests."""

    def __init__(self, read: Callable[[], tuple[Test, ...]], count: int | None = None) -> None:
        """Read with `read`; `count` saves a reading where their number is known."""
        self._read = read
        self._count = count

    def load(self) -> tuple[Test, ...]:
        """All of them.

        Raises:
            ProblemFileError: the file changed or holds tests that cannot be used.
        """
        tests = _recent.get(id(self))
        if tests is None:
            tests = _recent[id(self)] = self._read()
            self._count = len(tests)
            while len(_recent) > _KEPT:
                _recent.popitem(last=False)
        else:
            _recent.move_to_end(id(self))
        return tests

    def __del__(self) -> None:
        _recent.pop(id(self), None)  # another object may get this identity

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self.load()) if self._count is None else self._count

    def __iter__(self) -> Iterator[Test]:
        return iter(self.load())

    @overload
    def __getitem__(self, place: int) -> Test: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Test, ...]: ...
    def __getitem__(self, place: int | slice) -> Test | tuple[Test, ...]:
        return self.load()[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredTests | tuple) and self.load() == tuple(other)

    def __hash__(self) -> int:
        return hash(self.load())
