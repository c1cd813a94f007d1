"""Why one program was chosen, in a sentence: an input, the outputs on it, who gave them, what decided."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.problems import Kind
from sstar_code.problems.values import decode
from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.fingerprint import fingerprint
from sstar_code.selection.judging.question import HOW_FAILED, LETTERS, clip, show_input
from sstar_code.selection.pool import tier

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection import Candidate, Selection
    from sstar_code.selection.protocols import Asked

TERMS = {
    "agreement": ("agreement", "how much of the programs does nearly the same; more is better"),
    "failures": ("failures", "inputs on which it fails and others do not"),
    "size": ("size", "how many different programs are in the cluster, against all"),
    "trust": ("reliability", "how often its writers pass public tests, against the others"),
    "brute force": ("brute force", "outputs equal to those of a brute force that the model wrote"),
    "audit": ("audit", "outputs equal to those of tests that the model wrote against the likeliest program"),
    "rules": ("rules", "outputs that break a rule of the statement, as the model wrote it down"),
}
"""Name of a kind of evidence in a `Selection` -> its name and meaning for a reader."""
_IN_FAVOUR = {"failures": "fewer failures", "rules": "fewer broken rules"}
"""Kinds of evidence of which less is better, as what speaks for a program."""
_WITHOUT_CLUSTERS = {"random": "it was drawn by the seed from", "first": "it is the earliest of"}
_BY_TESTS = {
    "tests": "pass as many of the model's tests, the most of all",
    "codet": "pass the same tests of the model, and so many programs and tests together are the most of all",
    "b4": "pass the same tests of the model, and are the likeliest to be right with them",
}
_BY_SIZE = ("majority", "functional", "sstar")
_DECIDED = {
    "mbr": "most of the candidates give the outputs of its cluster, input by input",
    "diffcode": "its text is the nearest to the others in the largest cluster",
}
_REFUSALS = {
    "neither": "that none of the outputs is right",
    "several": "that several of the outputs are right",
    "invalid": "that the statement does not allow this input",
    "flips": "another output when the order was swapped",
    "failed": "nothing",
    "unreadable": "nothing that can be read",
}
_FAILED = re.compile(r"<(RE|TLE|MLE|OLE|CE)(?:: (\w{1,80}))?>")
_NO_OUTPUT = re.compile(
    rf"no output: (?:{'|'.join(map(re.escape, HOW_FAILED.values()))})(?: \(\w{{1,80}}\))?"
)
_MAX_SHOWN_CHARS = 80
_MAX_SAMPLES = 4
_MAX_OUTPUTS = 3
_TIE = 0.0005
"""Probabilities that look the same with three digits."""


def show_output(problem: Problem | None, text: str) -> str:
    """What a program gave as a person would write it: a function's value as Python, all else as it is."""
    if problem is None or problem.kind is Kind.STDIN:
        return text
    try:
        return repr(decode(text))
    except (ValueError, RecursionError):
        return text


def _show_behaviour(problem: Problem | None, text: str) -> str:
    """As `show_output`; how a program failed in words, as a judge is told it, with the exception's name."""
    failed = _FAILED.fullmatch(text)
    if failed is None:
        return show_output(problem, text)
    status = Status[failed[1]]
    why = f" ({failed[2]})" if failed[2] and status is Status.RE else ""
    return f"no output: {HOW_FAILED[status]}{why}"


def explain_choice(
    problem_id: str,
    selection: Selection,
    *,
    problem: Problem | None = None,
    candidates: Sequence[Candidate] = (),
) -> str:
    """The choice in one sentence: what was chosen, how sure that is, and why.

    `problem` and `candidates`, where they are known, let it say more: an input as a call, and how many
    candidates there were.
    """
    chosen, withheld = selection.chosen, selection.withheld
    if chosen is None and withheld is None:
        return f"{problem_id}: there is nothing to choose from."
    cost = f"{count_nouns(selection.calls, 'call')}, {count_nouns(selection.executions, 'run')}"
    sure = selection.confidence_in_words
    what = f"sample {chosen}, confidence {sure}"
    if chosen is None:
        what = f"none, since the confidence in sample {withheld} is {sure}, less than was asked for"
    return f"Chosen: {what} ({cost}): {give_reason(selection, problem=problem, candidates=candidates)}."


def give_reason(
    selection: Selection, *, problem: Problem | None = None, candidates: Sequence[Candidate] = ()
) -> str:
    """The second half of `explain_choice`, without the dot; needs a sample that was chosen or withheld."""
    chosen = selection.withheld if selection.chosen is None else selection.chosen
    assert chosen is not None
    reason = _Reason(selection, chosen, problem, tuple(candidates))
    return "; ".join(filter(None, (reason.tell(), reason.confirmed, reason.failing)))


def count_nouns(number: int, noun: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class _Reason:
    selection: Selection
    chosen: int
    problem: Problem | None
    candidates: tuple[Candidate, ...]

    def tell(self) -> str:
        made = self.selection
        if self._cluster is None:
            return self._tell_without_clusters()
        if len(made.clusters) == 1:
            return self._tell_alike()
        if made.method == "judge":
            programs = count_nouns(len(made.clusters), "different program")
            return (
                f"the judge, shown the code of two at a time, preferred it most among {programs}"
                if made.calls
                else f"no model compared the {programs}, so the text written most often is taken"
            )
        if made.method in _BY_TESTS:
            return f"{self._share} {_BY_TESTS[made.method]}"
        return "; ".join(filter(None, (self._tell_split(), self._tell_judge(), self._tell_decision())))

    @property
    def confirmed(self) -> str:
        """The first input that decided who was chosen among at all; empty where none was confirmed."""
        made = self.selection
        if not made.confirmed or not made.derived:
            return ""
        test = made.derived[0]
        shown = test.input if self.problem is None else show_input(self.problem, test.input)
        output = show_output(self.problem, test.output)
        return f"that {self._quote(shown)} gives {self._quote(output)} was confirmed by {test.why}"

    @property
    def failing(self) -> str:
        """What has to be said where the chosen program fails a public test; empty where none is known."""
        if self.chosen >= len(self.candidates) or self.candidates[self.chosen].survives:
            return ""
        mine = self.candidates[self.chosen]
        return f"it passes only {mine.public_passed} of {mine.public_total} public tests"

    @property
    def _cluster(self) -> int | None:
        clusters = self.selection.clusters
        return next((number for number, members in enumerate(clusters) if self.chosen in members), None)

    @property
    def _pool(self) -> str:
        """Those among which there was a choice, like `3 candidates that pass every public test`."""
        made, members = self.selection, sum(map(len, self.selection.clusters))
        if not self.candidates:
            return count_nouns(members, "candidate") if members else "best candidates"
        if made.confirmed:
            verb = "passes" if members == 1 else "pass"
            return f"{count_nouns(members, 'candidate')} that {verb} {self._every}"
        best = tier(self.candidates)
        number, first = count_nouns(len(best), "candidate"), self.candidates[best[0]]
        if not first.public_total:
            return number
        verb = "passes" if len(best) == 1 else "pass"
        return f"{number} that {verb} {'every public test' if first.survives else 'most public tests'}"

    @property
    def _share(self) -> str:
        """How many candidates are in the cluster of the chosen one, of all that there was a choice among."""
        sizes = [len(members) for members in self.selection.clusters]
        return f"{sizes[self._cluster or 0]} of {sum(sizes)} candidates"

    def _tell_without_clusters(self) -> str:
        method = self.selection.method
        if method == "oracle":
            if self.selection.confidence:
                return "it is the earliest that passes the hidden tests"
            return "no candidate is known to be right, so the earliest of the best is taken"
        if method in _WITHOUT_CLUSTERS:
            return f"{_WITHOUT_CLUSTERS[method]} the {self._pool}"
        return f"the method {method} gives no reason"

    def _tell_alike(self) -> str:
        """Why there was nothing to decide: one program, or several that did the same."""
        made = self.selection
        members = made.clusters[0]
        if len(members) == 1:
            if len(self.candidates) == 1:
                return "it is the only candidate, so it was compared with no other program"
            if not self.candidates:
                return "it was compared with no other program"
            return f"it is the only one of {len(self.candidates)} candidates {self._only}"
        known = [self.candidates[index].code for index in members if index < len(self.candidates)]
        if len(set(map(fingerprint, known))) == 1:
            return f"the {self._pool} are one and the same program"
        if made.confidence is None or not made.executions:
            return f"nothing could be found out that tells the {self._pool} apart"
        by_tests = made.method in _BY_TESTS
        did = "pass the same tests of the model" if by_tests else "did the same on every input"
        return f"all of the {self._pool} {did}"

    @property
    def _every(self) -> str:
        confirmed = self.selection.confirmed
        more = f" and {count_nouns(confirmed, 'confirmed input')}" if confirmed else ""
        return f"every public test{more}"

    @property
    def _only(self) -> str:
        survives = self.candidates[self.chosen].survives
        passes = f"passes {self._every}" if survives else "passes so many public tests"
        return f"that {passes}, so it was compared with no other program"

    def _tell_split(self) -> str:
        """The input that counts most, and who gave which output on it; empty where none is known."""
        question = self._question
        if question is not None:
            pairs = list(zip(question.options, question.clusters, strict=True))
            return self._write_split(question.input, pairs)
        best: tuple[int, str, list[tuple[str, tuple[int, ...]]]] | None = None
        mine, rival = str(self._cluster), str(self._rival)
        for item in self.selection.distinguishing:
            groups: dict[str, list[int]] = {}
            for number, output in item.outputs.items():
                groups.setdefault(output, []).append(int(number))
            own = item.outputs.get(mine)
            if own is None or len(groups) < 2:
                continue
            # an input on which the runner-up differs tells more; among those a short one is read sooner
            cost = len(item.input) + (1_000_000 if item.outputs.get(rival, own) == own else 0)
            if best is None or cost < best[0]:
                best = cost, item.input, [(text, tuple(numbers)) for text, numbers in groups.items()]
        if best is None:
            return ""
        shown = best[1] if self.problem is None else show_input(self.problem, best[1])
        return self._write_split(
            shown, [(_show_behaviour(self.problem, text), some) for text, some in best[2]]
        )

    def _write_split(self, shown: str, outputs: Sequence[tuple[str, tuple[int, ...]]]) -> str:
        clusters = self.selection.clusters
        sized = []
        for text, numbers in outputs:
            known = [clusters[number] for number in numbers if number < len(clusters)]
            samples = sorted(index for members in known for index in members)
            sized.append((self._cluster not in numbers, -len(samples), text, samples))
        sized.sort(key=lambda item: item[:3])
        parts = [
            f"{count_nouns(len(samples), 'candidate')} ({_list_samples(samples)}) "
            f"{'gives' if len(samples) == 1 else 'give'} {self._quote(text)}"
            for _, _, text, samples in sized[:_MAX_OUTPUTS]
        ]
        rest = sum(len(members) for members in clusters) + sum(size for _, size, _, _ in sized[:_MAX_OUTPUTS])
        if rest > 0:
            parts.append(f"{rest} something else")
        *first, last = parts
        return f"on {self._quote(shown)} {', '.join(first)} and {last}" if first else ""

    def _quote(self, text: str) -> str:
        """A text on one line; standard input and output in quotes, since they may hold anything."""
        if _NO_OUTPUT.fullmatch(text):
            return text
        text = clip(text.rstrip("\n"), _MAX_SHOWN_CHARS)
        is_call = self.problem is not None and self.problem.kind is not Kind.STDIN
        return text if is_call and text.isprintable() else repr(text)

    @property
    def _question(self) -> Asked | None:
        """The question that the sentence is about: the last that named the chosen output, else the last."""
        mine = [item for item in self.selection.asked if self._named(item)]
        asked = self.selection.asked
        shown = [item for item in asked if any(self._cluster in some for some in item.clusters)]
        return next(iter([*mine[::-1], *shown[::-1]]), None)

    def _named(self, item: Asked) -> bool:
        """Whether the judge named the output of the chosen cluster."""
        return item.answer in tuple(LETTERS) and self._cluster in item.clusters[LETTERS.index(item.answer)]

    def _tell_judge(self) -> str:
        made, question = self.selection, self._question
        if question is None:
            return ""
        said = _REFUSALS.get(question.answer, "nothing")
        if question.answer in tuple(LETTERS):
            said = self._quote(question.options[LETTERS.index(question.answer)])
        named = sum(map(self._named, made.asked))
        of = f" ({self._count_answers(named)})" if len(made.asked) > 1 else ""
        several = len({item.judge for item in made.asked}) > 1
        who = f"judge {question.judge}" if several or question.judge > 1 else "the judge"
        if question.expected is not None:
            return f"{who} worked out {self._quote(question.expected)} before it saw an output{of}"
        sure = "" if question.probability is None else f" with probability {question.probability:.2f}"
        return f"{who} said {said}{sure}{of}"

    def _count_answers(self, named: int) -> str:
        """How many answers name the chosen cluster, and how many name no output at all."""
        asked = self.selection.asked
        none = sum(item.answer not in tuple(LETTERS) for item in asked)
        more = f", {none} {'names' if none == 1 else 'name'} no output" if none else ""
        return f"{named} of {len(asked)} answers {'names' if named == 1 else 'name'} this cluster{more}"

    @property
    def _rival(self) -> int | None:
        """The likeliest of the other clusters or, where nothing was weighed, the largest."""
        made = self.selection
        others = [number for number in range(len(made.clusters)) if number != self._cluster]
        if made.evidence:
            return max(others, key=lambda number: (made.evidence[number].posterior, -number), default=None)
        return max(others, key=lambda number: (len(made.clusters[number]), -number), default=None)

    def _tell_decision(self) -> str:
        made, mine, rival = self.selection, self._cluster, self._rival
        assert mine is not None
        assert rival is not None
        if made.method in _DECIDED:
            return _DECIDED[made.method]
        if made.method == "sstar" and made.calls:
            return "its cluster did best in the matches before the judge"
        if not made.evidence:
            return self._tell_size(len(made.clusters[mine]), len(made.clusters[rival]))
        own, next_ = made.evidence[mine].posterior, made.evidence[rival].posterior
        if abs(own - next_) < _TIE:
            return f"its cluster is as likely as another ({own:.2f} each), and the earlier is taken"
        best = self._best_term
        name = _IN_FAVOUR.get(best) or (TERMS[best][0] if best in TERMS else best)
        by = f", most of all by {name}" if best else ""
        return f"its cluster has probability {own:.2f}, the next {next_:.2f}{by}"

    def _tell_size(self, size: int, other: int) -> str:
        if size > other:
            return f"its cluster is the largest, {self._share}"
        if size == other and self.selection.method in _BY_SIZE:
            return f"its cluster is as large as another, {self._share}, and the earlier is taken"
        return f"its cluster has {self._share}"

    @property
    def _best_term(self) -> str:
        """The kind of free evidence that speaks for the chosen cluster most; empty where none does."""
        evidence = self.selection.evidence
        terms = evidence[self._cluster or 0].terms
        means = {name: sum(item.terms.get(name, 0.0) for item in evidence) / len(evidence) for name in terms}
        best = max(terms, key=lambda name: terms[name] - means[name], default="")
        named = any(map(self._named, self.selection.asked))
        return best if best and not named and terms[best] - means[best] > 0 else ""


def _list_samples(samples: Sequence[int]) -> str:
    shown = ", ".join(map(str, samples[:_MAX_SAMPLES]))
    more = len(samples) - _MAX_SAMPLES
    noun = "sample" if len(samples) == 1 else "samples"
    return f"{noun} {shown}{f' and {more} more' if more > 0 else ''}"
