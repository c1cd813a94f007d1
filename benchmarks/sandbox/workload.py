"""What the sandbox benchmarks run: two programs, their inputs, and the right outputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONTEST", "TRIVIAL", "Work", "make_inputs"]

_TRIVIAL_CODE = "import sys\nprint(sum(map(int, sys.stdin.read().split())))\n"

_CONTEST_CODE = """\
import heapq
import sys
from bisect import bisect_left
from collections import defaultdict, deque
from functools import reduce


class Groups:
    def __init__(self, count):
        self.parent = list(range(count))
        self.size = [1] * count

    def find(self, item):
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def join(self, one, other):
        one, other = self.find(one), self.find(other)
        if one == other:
            return
        if self.size[one] < self.size[other]:
            one, other = other, one
        self.parent[other] = one
        self.size[one] += self.size[other]


def shortest(graph, start, count):
    distance = [-1] * count
    heap = [(0, start)]
    while heap:
        length, here = heapq.heappop(heap)
        if distance[here] >= 0:
            continue
        distance[here] = length
        for there, weight in graph[here]:
            if distance[there] < 0:
                heapq.heappush(heap, (length + weight, there))
    return distance


def main():
    numbers = deque(map(int, sys.stdin.buffer.read().split()))
    count, edges = numbers.popleft(), numbers.popleft()
    graph = defaultdict(list)
    groups = Groups(count)
    for _ in range(edges):
        one, other, weight = numbers.popleft() - 1, numbers.popleft() - 1, numbers.popleft()
        graph[one].append((other, weight))
        graph[other].append((one, weight))
        groups.join(one, other)
    distance = shortest(graph, 0, count)
    reached = sorted(length for length in distance if length >= 0)
    print(len({groups.find(item) for item in range(count)}), bisect_left(reached, 500))
    print(reduce(lambda total, length: total * 31 % 1000003 + length, distance, 7), *distance)


main()
"""


@dataclass(frozen=True, slots=True)
class Work:
    """A program, a way to make its inputs, and a way to know the right output."""

    name: str
    code: str
    make_input: Callable[[int], str]

    def make_program(self, number: int) -> str:
        """The program with another text for each number: no cache may know it."""
        return f"{self.code}# {number}\n"


def make_inputs(work: Work, count: int, first: int = 0) -> tuple[list[str], list[str]]:
    """Inputs and, computed here once, the right outputs."""
    return _make_inputs(work, count, first)


@lru_cache
def _make_inputs(work: Work, count: int, first: int) -> tuple[list[str], list[str]]:
    texts = [work.make_input(number) for number in range(first, first + count)]
    return texts, [_expect(work, text) for text in texts]


def _expect(work: Work, text: str) -> str:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-I", "-c", work.code], input=text, capture_output=True, text=True, check=True
    )
    return done.stdout


def _numbers(number: int) -> str:
    random = Random(number)
    return " ".join(str(random.randrange(1000)) for _ in range(5)) + "\n"


def _graph(number: int, nodes: int = 100, edges: int = 300) -> str:
    random = Random(number)
    rows = [
        f"{random.randint(1, nodes)} {random.randint(1, nodes)} {random.randint(1, 1000)}"
        for _ in range(edges)
    ]
    return "\n".join([f"{nodes} {edges}", *rows]) + "\n"


TRIVIAL = Work("trivial", _TRIVIAL_CODE, _numbers)
CONTEST = Work("contest", _CONTEST_CODE, _graph)
