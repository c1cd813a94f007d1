"""Writes one open function: asks for candidates, verifies them, chooses one."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.generation.lineage import explain_lack as explain_no_program
from sstar_code.agent.repository.choose import READING, choose_candidate
from sstar_code.agent.repository.find.assess import why_impossible
from sstar_code.agent.repository.find.stubs import find_again, is_open_body
from sstar_code.agent.repository.findings import Finding, about_function
from sstar_code.agent.repository.task.checks import (
    Survey,
    explain_lack,
    find_checks,
    find_regressions,
    mark_called,
    mark_open,
    survey,
)
from sstar_code.agent.repository.task.problem import make_task
from sstar_code.agent.repository.write.changes import normalise_change
from sstar_code.agent.repository.write.splice import NO_FIT, MisfitError, put_candidate
from sstar_code.agent.solving.solve import candidates_of, lead_thinking
from sstar_code.agent.strategies.table import choose_strategy
from sstar_code.agent.thinking.drafts import add_drafts
from sstar_code.sandbox.grade import assemble
from sstar_code.selection import Candidate
from sstar_code.selection.judging.question import show_input

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.repository.find.project_files import Source
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.task.problem import Task
    from sstar_code.agent.repository.verify.candidate_sandbox import CandidateSandbox
    from sstar_code.agent.repository.verify.runner import RepositoryRunner
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.selection.protocols import Derived, Selection

    Settle = Callable[
        [Task, Sequence[Candidate], Selection], Awaitable[tuple[Selection, tuple[Derived, ...]]]
    ]

_MOST_DIFFERENCES = 3


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The outcome for one open function."""

    stub: Stub
    finding: Finding
    why: tuple[str, ...] = ()
    """Lines for a person; empty where the finding says everything."""
    code: str = ""
    """The chosen candidate, whole; empty where there is none that is verified."""
    confidence: float | None = None
    """How sure the choice is, from 0 to 1; None: unknown."""
    task: Task | None = None
    derived: tuple[Derived, ...] = ()
    """Inputs whose right output was found out."""
    waits_for: frozenset[str] = frozenset()
    """Labels of open functions that have to be written first."""
    unverified: frozenset[str] = frozenset()
    """Texts of checks that wait for other functions: only with them the result is verified."""
    tried: tuple[str, ...] = ()
    """Candidates that fit into the file and differ there, the likeliest first: what to take where the chosen
    one does not get on with another function."""


@dataclass(slots=True)
class RepositoryState:
    """How far the work on a repository is: what is written, and what was seen while it was."""

    sources: dict[Path, Source] = field(default_factory=dict)
    """Each file as it is so far: with the functions that are written."""
    blocked: dict[str, frozenset[str]] = field(default_factory=dict)
    """Label of a function -> texts of its checks that need other open functions."""
    tried: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Label of a function -> its candidates so far, as `WriteResult.tried`."""
    sampled: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The same with each as often as it was sampled; where a check got as far as another open function with
    some, these alone."""
    survey: Survey = field(default_factory=lambda: Survey({}))
    surveyed_with: dict[Path, str] | None = None
    """The text of each file when the survey was made: the more is written, the further tests get."""


@dataclass(frozen=True, slots=True)
class FunctionWriter:
    """Writes functions of one repository, one at a time."""

    runner: RepositoryRunner
    sandbox: CandidateSandbox
    """The context's sandbox, without the memory of earlier runs that may be in front of it."""
    context: SolveContext
    tests: Sequence[str] = ()
    """Arguments of pytest that name the tests; empty: those that mention the function."""
    keeps_passing: bool = True
    """Whether other tests than those named, which pass now, have to go on passing, where there is a body."""
    settle: Settle | None = None
    """Asks a person where candidates still differ."""
    say: Callable[[str], None] = lambda _: None
    state: RepositoryState = field(default_factory=RepositoryState)

    @property
    def root(self) -> Path:
        """The repository's folder."""
        return self.runner.root

    async def write(self, stub: Stub, others: Sequence[Stub], *, provisional: bool = False) -> WriteResult:
        """Write `stub` while `others` are open; where it is verified, the state's sources hold it then.

        With `provisional` the checks that need one of the others are put off: they are the caller's to run.

        Raises:
            BudgetSpentError: nothing is left to spend.
            InfrastructureError: the endpoint or the sandbox broke.
        """
        obstacle = why_impossible(stub)
        if obstacle:
            return refuse(self.root, stub, obstacle, rule="cannot-be-written")
        state = self.state
        own = _find_present(stub, state.sources)
        await self._survey([stub, *others])
        await self._find_regressions(stub, others)
        marked = _find_present(stub, self._mark_open(others))
        checks = find_checks(marked, state.survey, self.root)
        put_off = state.blocked.get(stub.label, frozenset()) if provisional else frozenset()
        if not checks.count and not put_off:
            nothing = explain_lack(marked, state.survey, self.root)
            waits_for = frozenset(item.label for item in others)
            return replace(refuse(self.root, stub, nothing, rule="cannot-be-written"), waits_for=waits_for)
        task = make_task(own, checks.without(put_off), self.root, self._hash_texts(), all_checks=checks)
        task = replace(task, stub=marked)
        self.sandbox.add(task)
        if put_off and not task.checks.count:  # whatever could fail waits: no answer would be a better one
            tried = state.tried.get(stub.label, ())
            candidates = [Candidate(code, 0, 0) for code in state.sampled.get(stub.label, ())]
        else:
            self.say(f"sstar: {stub.qualname}: {task.checks.summary}")
            context = lead_thinking(task.writing, self.context)
            lineages = await choose_strategy(context.settings)(task.writing, context, lambda _: None)
            lineages = await add_drafts(lineages, task.writing, context)
            found = candidates_of(task.writing, lineages)
            state.blocked[stub.label] = state.blocked.get(stub.label, frozenset()) | task.blocked
            codes = [item.code and assemble(task.writing, item.code) for item in found]
            candidates = [
                replace(item, code=self.sandbox.find_first(task.mark, code))
                for item, code in zip(found, codes, strict=True)
            ]
            best_first = sorted(
                candidates, key=lambda item: (item.code not in task.got_far, -item.public_passed)
            )
            tried = state.tried[stub.label] = list_fitting(own, [item.code for item in best_first])
            fitting = [item.code for item in candidates if not why_unfit(own, item.code)]
            far = [code for code in fitting if code in task.got_far]
            state.sampled[stub.label] = tuple(far or fitting)
            if not any(lineage.survives for lineage in lineages):
                waits_for = frozenset(task.reached & {item.label for item in others})
                failed = self._explain_failure(stub, lineages)
                return replace(failed, waits_for=waits_for, task=task, tried=tried)
        selection, derived = await self._choose(task, candidates)
        result = self._accept(own, task, candidates, selection)
        unverified = frozenset(checks.texts) & put_off
        if unverified and result.code:
            result = replace(result, tried=list_fitting(own, [*result.tried, *tried]))
        return replace(result, derived=derived if result.code else (), unverified=unverified)

    async def _survey(self, stubs: Sequence[Stub]) -> None:
        """See which tests call which of `stubs`; once, and again for one that was out of reach before."""
        state = self.state
        is_out_of_reach = stubs[0].label not in state.survey.reached
        texts = {path: source.text for path, source in state.sources.items()}
        if state.surveyed_with is None or (is_out_of_reach and state.surveyed_with != texts):
            self._mark_open(stubs)
            found = await survey(stubs, self.runner, self.tests)
            for note in set(found.notes) - set(state.survey.notes):
                self.say(f"sstar: {note}")
            state.survey = replace(
                found, reached={**found.reached, **state.survey.reached}, regressions=state.survey.regressions
            )
            state.surveyed_with = texts

    async def _find_regressions(self, stub: Stub, others: Sequence[Stub]) -> None:
        """See which tests besides those named pass now; once, and not of an open function: it breaks them."""
        state = self.state
        is_asked = bool(self.tests) and self.keeps_passing and not is_open_body(stub.node)
        if not is_asked or stub.label in state.survey.regressions:
            return
        self._mark_open(others, noted=stub)
        named = {name for _, name in state.survey.reached.get(stub.label, ())}
        found = await find_regressions(stub, self.runner, named)
        known = {**state.survey.regressions, stub.label: found}
        state.survey = replace(state.survey, regressions=known)

    async def _choose(
        self, task: Task, candidates: Sequence[Candidate]
    ) -> tuple[Selection, tuple[Derived, ...]]:
        selection = await choose_candidate(task, candidates, self.context)
        derived = selection.derived
        if self.settle is not None and len(selection.clusters) > 1 and task.choosing is not None:
            selection, more = await self.settle(task, candidates, selection)
            derived = (*more, *derived)
        return selection, derived

    def _accept(
        self, stub: Stub, task: Task, candidates: Sequence[Candidate], selection: Selection
    ) -> WriteResult:
        chosen = selection.chosen
        if chosen is None or not candidates[chosen].survives:
            return refuse(self.root, stub, "no candidate that passes its tests was chosen")
        own = next((group for group in selection.clusters if chosen in group), (chosen,))
        alike = [index for index in (chosen, *own) if candidates[index].survives]
        others = [index for group in selection.clusters for index in group if candidates[index].survives]
        fitting = list_fitting(stub, [candidates[index].code for index in alike])
        if not fitting:
            misfit = why_unfit(stub, candidates[chosen].code)
            return refuse(self.root, stub, f"the chosen candidate does not fit: {misfit}")
        code = fitting[0]
        self.state.sources[stub.source.path] = put_candidate(stub, code).source
        survivors = [item.code for item in candidates if item.survives]
        changes = len(set(survivors))
        message = f"written: {len(survivors)} of {len(candidates)} candidates pass {task.checks.summary}"
        more = [f"make {changes} different changes"] if 1 < changes < len(survivors) else []
        if len(selection.clusters) > 1 and task.choosing is not None:
            more.append(f"behave in {len(selection.clusters)} ways")
        message = " and ".join([message, *more]) if len(more) < 2 else f"{message}, {' and '.join(more)}"
        why = [f"{stub.qualname}: {message}; confidence {selection.confidence_in_words}"]
        why += [f"  {line}" for line in (*_list_differences(task, selection), *_list_notes(task, selection))]
        finding = about_function(stub, self.root, "function-written", "passed", message)
        tried = list_fitting(stub, [code, *(candidates[index].code for index in others)])
        return WriteResult(stub, finding, tuple(why), code, selection.confidence, task, tried=tried)

    def _explain_failure(self, stub: Stub, lineages: Sequence[Lineage]) -> WriteResult:
        best = max(lineages, key=lambda item: (item.code is not None, item.best.passed), default=None)
        if best is None or best.code is None:
            errors = [item.rounds[-1].error for item in lineages if item.rounds[-1].error]
            reasons = explain_no_program(lineages)
            why = f" ({errors[0]})" if errors else f": {reasons}" if reasons else ""
            return refuse(self.root, stub, f"no answer held a program{why}")
        failure = ""
        for note in best.best.failures[:1]:
            error = "" if note.error == NO_FIT else note.error
            words = ": ".join(" ".join(part.split()) for part in (note.call, error, note.message) if part)
            failure = f"; it fails so: {words[:200]}"
        passed = f"{best.best.passed} of {best.best.total} checks"
        return refuse(self.root, stub, f"the best of {len(lineages)} candidates passes {passed}{failure}")

    def _mark_open(self, stubs: Sequence[Stub], noted: Stub | None = None) -> dict[Path, Source]:
        """Give the runner the files in which each of `stubs` reports that it is called; they are returned.

        `noted` does as well, and then what it does.
        """
        marked = dict(self.state.sources)
        if noted is not None:
            marked[noted.source.path] = mark_called(_find_present(noted, marked)).source
        for stub in stubs:
            found = find_again(marked[stub.source.path], stub)
            if found is not None and not found.is_nested:
                marked[stub.source.path] = mark_open(found).source
        self.runner.texts = {path: source.data for path, source in marked.items()}
        return marked

    def _hash_texts(self) -> str:
        content = hashlib.sha256(self.runner.digest.encode())
        for path, data in sorted(self.runner.texts.items()):
            content.update(f"{path}\0".encode("utf-8", "surrogateescape") + data)
        return content.hexdigest()[:16]


def refuse(root: Path, stub: Stub, message: str, *, rule: str = "function-not-written") -> WriteResult:
    """The result for a function that is not written, and why."""
    return WriteResult(stub, about_function(stub, root, rule, "failure", message))


def _find_present(stub: Stub, sources: dict[Path, Source]) -> Stub:
    """`stub` as it stands in its file among `sources`."""
    found = find_again(sources[stub.source.path], stub)
    assert found is not None
    return replace(found, why=stub.why)


def list_fitting(stub: Stub, codes: Iterable[str]) -> tuple[str, ...]:
    """Those of `codes` that fit into the file of `stub`, the first of each that change it alike."""
    changes: dict[str, str] = {}
    for code in codes:
        if not why_unfit(stub, code):
            changes.setdefault(normalise_change(stub, code), code)
    return tuple(changes.values())


def why_unfit(stub: Stub, code: str) -> str:
    """Why `code` does not fit into the file of `stub`; empty where it does."""
    try:
        put_candidate(stub, code)
    except MisfitError as error:
        return str(error)
    return ""


def _list_notes(task: Task, selection: Selection) -> tuple[str, ...]:
    """How a function was chosen that cannot be called, where its changes were compared by reading."""
    return selection.notes[:1] if task.choosing is None and selection.method == READING else ()


def _list_differences(task: Task, selection: Selection) -> list[str]:
    """The inputs that told the candidates apart, a line each: what is written gives, and what others do."""
    if task.choosing is None:
        return []
    place = next((str(at) for at, group in enumerate(selection.clusters) if selection.chosen in group), "")
    lines = []
    for item in selection.distinguishing[:_MOST_DIFFERENCES]:
        written = item.outputs.get(place, "")
        others = list(dict.fromkeys(text for text in item.outputs.values() if text != written))
        shown = " or ".join(text[:60] for text in others[:_MOST_DIFFERENCES])
        given = " ".join(show_input(task.choosing, item.input).split())[:100]
        lines.append(
            f"{given}: {written[:60]}, not {shown}" if place in item.outputs else f"{given}: {shown}"
        )
    return lines
