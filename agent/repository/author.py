"""Writes one open function: asks for candidates, proves them, chooses one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.assess import why_impossible
from sstar_code.agent.repository.find.stubs import find_function
from sstar_code.agent.repository.findings import Finding
from sstar_code.agent.repository.pose.checks import Checks, Survey, find_checks, mark_open, survey
from sstar_code.agent.repository.pose.problem import is_called_plainly, pose
from sstar_code.agent.repository.write.splice import MisfitError, put_candidate
from sstar_code.agent.solving.solve import candidates_of, sample
from sstar_code.agent.telemetry.work import working_on
from sstar_code.selection.judging.question import show_input
from sstar_code.selection.methods.registry import select_all
from sstar_code.selection.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.repository.find.source import Source
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.findings import Outcome
    from sstar_code.agent.repository.pose.problem import Posed
    from sstar_code.agent.repository.prove.candidate_sandbox import Stand
    from sstar_code.agent.repository.prove.runner import Workshop
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.selection.protocols import Candidate, Derived, Selection

    Settle = Callable[
        [Posed, Sequence[Candidate], Selection], Awaitable[tuple[Selection, tuple[Derived, ...]]]
    ]

__all__ = ["Author", "Fixed", "refuse"]

_MOST_DIFFERENCES = 3


@dataclass(frozen=True, slots=True)
class Fixed:
    """What came of one open function."""

    stub: Stub
    finding: Finding
    why: tuple[str, ...] = ()
    """Lines for a person."""
    code: str = ""
    """The chosen candidate; empty where there is none that is proved."""
    posed: Posed | None = None
    derived: tuple[Derived, ...] = ()
    """Inputs whose right output was found out."""
    waits_for: frozenset[str] = frozenset()
    """Labels of open functions that have to be written first."""
    unproved: frozenset[str] = frozenset()
    """Texts of checks that wait for other functions: the proof is complete when those are written."""


@dataclass(slots=True)
class Author:
    """Writes functions of one repository, one at a time."""

    root: Path
    workshop: Workshop
    stand: Stand
    """Behind the context's sandbox, which may remember what it ran."""
    context: SolveContext
    tests: Sequence[str] = ()
    """Arguments of pytest that name the tests; empty: those that mention the function."""
    settle: Settle | None = None
    """Asks a person where candidates still differ."""
    say: Callable[[str], None] = lambda _: None
    sources: dict[Path, Source] = field(default_factory=dict)
    """Each file as it is so far: with the functions that are written."""
    blocked: dict[str, frozenset[str]] = field(default_factory=dict)
    """Label -> texts of its checks that need other open functions."""
    seen: Survey = field(default_factory=lambda: Survey({}))
    _seen_with: frozenset[str] | None = None
    """What was written without full proof when `seen` was made: after more of it tests get further."""
    _provisional: set[str] = field(default_factory=set)

    async def write(self, stub: Stub, others: Sequence[Stub], *, provisional: bool = False) -> Fixed:
        """Write `stub` while `others` are open; where it is proved, `sources` hold it from then on.

        With `provisional` the checks that need one of the others are put off: they are the caller's to run.

        Raises:
            BudgetSpentError: nothing is left to spend.
            InfrastructureError: the endpoint or the sandbox broke.
        """
        obstacle = why_impossible(stub)
        if obstacle:
            return refuse(self.root, stub, obstacle, rule="cannot-be-written")
        own = self._present(stub, self.sources[stub.source.path])
        await self._look_around([stub, *others])
        marked = self._mark(stub, others)
        checks = find_checks(marked, self.seen, self.root, is_alone=is_called_plainly(own, self.root))
        put_off = self.blocked.get(stub.label, frozenset()) if provisional else frozenset()
        if not checks.count and not put_off:
            nothing = "no example and no test reaches it, so nothing could prove it; add one"
            waits_for = frozenset(item.label for item in others)
            return replace(refuse(self.root, stub, nothing, rule="cannot-be-written"), waits_for=waits_for)
        unproved = frozenset(checks.texts) & put_off
        posed = pose(own, _without(checks, put_off), self.root, self._state(), all_checks=checks)
        posed = replace(posed, task=replace(posed.task, stub=marked))
        self.stand.add(posed.task)
        self.say(f"sstar: {stub.qualname}: {_describe(posed.task.checks)}")
        lineages = await sample(posed.writing, self.context, lambda _: None)
        self.blocked[stub.label] = self.blocked.get(stub.label, frozenset()) | posed.task.blocked
        candidates = candidates_of(posed.writing, lineages)
        if not any(lineage.survives for lineage in lineages):
            waits_for = frozenset(posed.task.reached & {item.label for item in others})
            return replace(self._unsolved(stub, lineages), waits_for=waits_for)
        selection, derived = await self._select(posed, candidates)
        result = self._accept(own, posed, candidates, selection)
        if unproved and result.code:
            self._provisional.add(stub.label)
        return replace(result, derived=derived if result.code else (), unproved=unproved)

    async def _look_around(self, stubs: Sequence[Stub]) -> None:
        """See which tests call which of `stubs`; once, and again for one that was out of reach before."""
        now = frozenset(self._provisional)
        if self._seen_with is None or (stubs[0].label not in self.seen.reached and self._seen_with != now):
            self._mark(stubs[0], stubs)
            found = await survey(stubs, self.workshop, self.tests)
            for note in set(found.notes) - set(self.seen.notes):
                self.say(f"sstar: {note}")
            self.seen, self._seen_with = replace(found, reached={**found.reached, **self.seen.reached}), now

    async def _select(
        self, posed: Posed, candidates: Sequence[Candidate]
    ) -> tuple[Selection, tuple[Derived, ...]]:
        problem = posed.choosing or replace(posed.writing, starter_code="", public_tests=())
        settings = self.context.settings
        with working_on(problem.id, "select"):
            pool = Pool(
                problem, tuple(candidates), self.context.sandbox, ask=self.context.ask, seed=settings.seed
            )
            selection = (await select_all(pool, [settings.select]))[settings.select]
        derived = selection.derived
        if self.settle is not None and len(selection.clusters) > 1 and posed.choosing is not None:
            selection, more = await self.settle(posed, candidates, selection)
            derived = (*more, *derived)
        return selection, derived

    def _accept(
        self, stub: Stub, posed: Posed, candidates: Sequence[Candidate], selection: Selection
    ) -> Fixed:
        chosen = selection.chosen
        if chosen is None or not candidates[chosen].survives:
            return refuse(self.root, stub, "no candidate that passes its tests was chosen")
        code = candidates[chosen].code
        try:
            self.sources[stub.source.path] = put_candidate(stub, code).source
        except MisfitError as error:
            return refuse(self.root, stub, f"the chosen candidate does not fit: {error}")
        survivors = sum(item.survives for item in candidates)
        message = f"written: {survivors} of {len(candidates)} candidates pass {_describe(posed.task.checks)}"
        if len(selection.clusters) > 1:
            message += f" and behave in {len(selection.clusters)} ways"
        why = [f"{stub.qualname}: {message}; confidence {selection.confidence:.2f}"]
        why += [f"  {line}" for line in _differences(posed, selection)]
        finding = _finding(self.root, stub, "function-written", "passed", message)
        return Fixed(stub, finding, tuple(why), code, posed)

    def _unsolved(self, stub: Stub, lineages: Sequence[Lineage]) -> Fixed:
        best = max(lineages, key=lambda item: (item.code is not None, item.best.passed), default=None)
        failed = [item.rounds[-1].error for item in lineages if item.rounds[-1].error]
        if best is None or best.code is None:
            why = f" ({failed[0]})" if failed else ""
            return refuse(self.root, stub, f"no answer held a program{why}")
        notes = best.best.failures
        said = f"; it fails so: {_one_line(notes[0])}" if notes else ""
        passed = f"{best.best.passed} of {best.best.total} checks"
        message = f"the best of {len(lineages)} candidates passes {passed}{said}"
        return refuse(self.root, stub, message)

    def _present(self, stub: Stub, source: Source) -> Stub:
        found = find_function(source, stub.qualname)
        assert found is not None
        return replace(found, why=stub.why)

    def _mark(self, stub: Stub, others: Sequence[Stub]) -> Stub:
        """`stub` as it stands while the `others` report that they are called."""
        marked = dict(self.sources)
        for other in others:
            found = find_function(marked[other.source.path], other.qualname)
            if found is not None and not found.is_nested:
                marked[other.source.path] = mark_open(found).source
        self.workshop.texts = {path: source.data for path, source in marked.items()}
        return self._present(stub, marked[stub.source.path])

    def _state(self) -> str:
        content = hashlib.sha256(self.workshop.digest.encode())
        for path, data in sorted(self.workshop.texts.items()):
            content.update(f"{path}\0".encode("utf-8", "surrogateescape") + data)
        return content.hexdigest()[:16]


def refuse(root: Path, stub: Stub, message: str, *, rule: str = "function-not-written") -> Fixed:
    """The result for a function that is not written, and why."""
    finding = _finding(root, stub, rule, "failure", message)
    return Fixed(stub, finding, (f"{stub.qualname}: {message}",))


def _finding(root: Path, stub: Stub, rule: str, outcome: Outcome, message: str) -> Finding:
    path = stub.source.path.relative_to(root).as_posix()
    return Finding(rule, outcome, path, stub.line, stub.qualname, message)


def _without(checks: Checks, put_off: frozenset[str]) -> Checks:
    return replace(
        checks,
        groups=tuple(item for item in checks.groups if item.text not in put_off),
        tests=tuple(item for item in checks.tests if item.text not in put_off),
    )


def _describe(checks: Checks) -> str:
    examples = len(checks.literals) + sum(len(item.examples) for item in checks.groups)
    parts = [f"{examples} example{'s' * (examples != 1)}"] if examples else []
    tests = sum(len(item.ids) for item in checks.tests)
    parts += [f"{tests} test{'s' * (tests != 1)}"] if tests else []
    return " and ".join(parts) or "nothing yet"


def _differences(posed: Posed, selection: Selection) -> list[str]:
    """What told the candidates apart, one line an input."""
    problem = posed.choosing
    lines = []
    for item in selection.distinguishing[:_MOST_DIFFERENCES] if problem is not None else ():
        outputs = list(dict.fromkeys(item.outputs.values()))
        shown = " or ".join(text[:60] for text in outputs[:4])
        assert problem is not None
        lines.append(f"{' '.join(show_input(problem, item.input).split())[:100]}: {shown}")
    return lines


def _one_line(note: object) -> str:
    parts = [str(getattr(note, name, "") or "") for name in ("call", "error", "message")]
    return " ".join(" ".join(parts).split())[:200]
