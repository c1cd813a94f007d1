"""Groups programs that behave alike on every input.

What a program did on one input is its *behaviour*: the output it gave, or the way it failed. Crash,
time-out, too much memory and too much output are behaviours like any other; two crashes are
alike whatever exception was raised, since no answer was given either time.

Two outputs are alike when the problem's checker accepts either as the answer where the other is expected.
Such a relation need not be transitive (1.0, 1.0000009, 1.0000018 under a tolerance of 1e-6), so its
transitive closure is taken: outputs linked by a chain are alike. It is the only choice that does not
depend on the order of the candidates, and it errs on the side of not splitting.
A checker program would have to be run for every pair, and may reject what it has no proof for: there,
outputs are alike when their text is. So are long outputs: the more different ones there are, the shorter
those that a checker is asked about, since it is asked about every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.problems.checkers import accepts, validate_checker
from sstar_code.sandbox.outcome import Status, is_cut, is_same_output

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.sandbox.outcome import Execution

_MAX_TYPE = 80
_COMPARED_CHARS = 1 << 19
"""Characters of different outputs, pair by pair, that a checker is asked about on one input: 0.5 s."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The behaviour of one program on one input."""

    status: Status
    output: str = ""
    """Standard output or the encoded return value; empty where the run failed."""
    failure: str = ""
    """Exception class or signal of a failed run. Shown, never compared."""

    @property
    def text(self) -> str:
        """The output, or the failure in angle brackets, for reports."""
        if self.status is Status.OK:
            return self.output
        return f"<{self.status.value}: {self.failure}>" if self.failure else f"<{self.status.value}>"


def behaviour_of(execution: Execution) -> Behaviour:
    """The behaviour that `execution` shows."""
    if execution.status is Status.OK:
        return Behaviour(Status.OK, execution.output or "")
    failure = execution.failure.type[:_MAX_TYPE] if execution.failure else ""
    return Behaviour(execution.status, failure=failure)


def compare_with(problem: Problem) -> Callable[[str, str], bool]:
    """Whether two different outputs are the same answer to `problem`; symmetric."""
    checker, kind = problem.checker, problem.kind
    if not isinstance(checker, str):
        return lambda _first, _second: False
    validate_checker(checker, kind)

    def alike(first: str, second: str) -> bool:
        if is_cut(first) or is_cut(second):
            return is_same_output(first, second)
        try:
            return accepts(checker, kind, first, second) or accepts(checker, kind, second, first)
        except (ValueError, RecursionError):  # an output that is no encoded value is like no other
            return False

    return alike


def label(behaviours: Sequence[Behaviour], alike: Callable[[str, str], bool]) -> tuple[int, ...]:
    """A number for each behaviour, equal where they are alike; 0, 1, ... in order of appearance.

    `alike` is asked once for a pair of different outputs that no chain links yet, unless one is too long.
    """
    outputs = list(dict.fromkeys(item.output for item in behaviours if item.status is Status.OK))
    group = dict(zip(outputs, range(len(outputs)), strict=True))
    longest = _COMPARED_CHARS // max(1, len(outputs) * (len(outputs) - 1) // 2)
    asked = [text for text in outputs if len(text) <= longest]
    for place, second in enumerate(asked):
        for first in asked[:place]:
            old, new = group[second], group[first]
            if old != new and alike(first, second):
                group = {text: new if number == old else number for text, number in group.items()}
    keys = [group[item.output] if item.status is Status.OK else item.status.value for item in behaviours]
    order = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return tuple(order[key] for key in keys)


@dataclass(frozen=True, slots=True)
class Clustering:
    """Candidates grouped by what they did on all inputs that count."""

    clusters: tuple[tuple[int, ...], ...]
    """Candidate indices, each in one cluster; clusters and members in ascending order."""
    inputs: tuple[str, ...] = ()
    """The inputs that count, in the order tried."""
    labels: tuple[tuple[int, ...], ...] = ()
    """The labels of the clusters' behaviours on each input: equal where clusters agree."""
    behaviours: tuple[tuple[Behaviour, ...], ...] = ()
    """The behaviours of the clusters' first members on each input."""
    all_failed: int = 0
    """Inputs left out because no candidate survived them: most likely not valid."""
    lost: int = 0
    """Inputs left out because the sandbox failed on them."""

    def splitting(self, first: int, second: int) -> list[int]:
        """Places of the inputs on which two clusters differ, shortest input first."""
        places = [place for place, row in enumerate(self.labels) if row[first] != row[second]]
        return sorted(places, key=lambda place: len(self.inputs[place]))

    def explaining(self) -> list[int]:
        """Places of inputs that together tell all clusters apart, short ones first; at most clusters - 1."""
        known: list[tuple[int, ...]] = [() for _ in self.clusters]
        chosen = []
        for place in sorted(range(len(self.inputs)), key=lambda place: len(self.inputs[place])):
            refined = [(*seen, number) for seen, number in zip(known, self.labels[place], strict=True)]
            if len(set(refined)) > len(set(known)):
                known = refined
                chosen.append(place)
        return chosen


def cluster_programs(
    problem: Problem, inputs: Sequence[str], runs: Mapping[int, Sequence[Execution]]
) -> Clustering:
    """Group the candidates of `runs` (index -> one execution an input) by their whole behaviour.

    An input on which every candidate fails tells nothing about who is right and does not count; one on
    which the sandbox itself failed is unknown and does not count either. Where none counts there is one
    cluster.
    """
    alike = compare_with(problem)
    members = sorted(runs)
    vectors: dict[int, tuple[int, ...]] = dict.fromkeys(members, ())
    kept, lost, all_failed = [], 0, 0
    for place in range(len(inputs)):
        column = [behaviour_of(runs[member][place]) for member in members]
        if any(item.status is Status.IE for item in column):
            lost += 1
        elif all(item.status is not Status.OK for item in column):
            all_failed += 1
        else:
            kept.append(place)
            for member, number in zip(members, label(column, alike), strict=True):
                vectors[member] += (number,)
    groups: dict[tuple[int, ...], list[int]] = {}
    for member in members:
        groups.setdefault(vectors[member], []).append(member)
    firsts = [group[0] for group in groups.values()]
    return Clustering(
        clusters=tuple(tuple(group) for group in groups.values()),
        inputs=tuple(inputs[place] for place in kept),
        labels=tuple(tuple(vectors[first][column] for first in firsts) for column in range(len(kept))),
        behaviours=tuple(tuple(behaviour_of(runs[first][place]) for first in firsts) for place in kept),
        all_failed=all_failed,
        lost=lost,
    )


def find_differences(
    problem: Problem, inputs: Sequence[str], first: Sequence[Execution], second: Sequence[Execution]
) -> list[tuple[str, Behaviour, Behaviour]]:
    """The inputs on which two programs behave differently, each with what the two did.

    An input on which both fail, each in its way, or on which the sandbox failed, is left out.
    """
    alike = compare_with(problem)
    found = []
    for text, one, other in zip(inputs, first, second, strict=True):
        pair = behaviour_of(one), behaviour_of(other)
        statuses = {one.status, other.status}
        if Status.OK in statuses and Status.IE not in statuses and len(set(label(pair, alike))) == 2:
            found.append((text, *pair))
    return found
