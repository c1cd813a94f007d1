"""A run as the report sees it, with its problems found again in their set."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.jobs.merge_runs import asked_for
from sstar_code.agent.run.bounds import refuse_traps
from sstar_code.agent.run.folder import read_summary
from sstar_code.agent.run.history.added import split_work
from sstar_code.agent.run.history.kinds import name_set, read_run
from sstar_code.agent.run.history.which_set import WhichSet, read_which_set, tell_preset
from sstar_code.agent.run.outcomes import (
    ProblemOutcome,
    RoundOutcome,
    SampleOutcome,
    StageCount,
    add_stages,
    mean_score,
    read_record,
    tell_score,
)
from sstar_code.agent.run.store import Store
from sstar_code.agent.run.summary import ChoiceCost, Count, cost_choice
from sstar_code.agent.thinking.underthinking import Underthinking, measure_underthinking
from sstar_code.problems import UserError
from sstar_code.problems.bounds import LineReader, has_surrogate, open_file, parse_json

if TYPE_CHECKING:
    from sstar_code.problems import Problem


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice of a method for a problem: a `Selection` without its evidence."""

    chosen: int | None
    confidence: float | None
    """0..1; None where it is not known."""
    clusters: tuple[tuple[int, ...], ...] = ()
    calls: int = 0
    tokens: int = 0
    executions: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """Everything of a run but prompts, answers and evidence, which `store` has."""

    folder: Path
    kind: str
    """The command that wrote it: `eval`, `solve`, `select` or `grade`."""
    manifest: Mapping[str, Any]
    count: Count
    """The problems asked for, in their order, what became of them and what each scored."""
    rounds: Mapping[str, Sequence[RoundOutcome]]
    """Rounds of each finished problem, in order of samples and rounds."""
    choices: Mapping[str, Mapping[str, Choice]]
    """Choices by problem and method."""
    stages: Mapping[str, Mapping[str, StageCount]]
    """Work by problem and stage."""
    added: Mapping[str, StageCount]
    """Work by stage of methods that were added to the run later; it is not in `stages`."""
    problems: Mapping[str, Problem]
    """Those whose set could be read; statements, tests and metadata come from there."""
    summary: Mapping[str, Any]
    """`summary.json`; empty while the first start is going on."""
    store: Store
    """One snapshot; nothing can be written to it."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration that the manifest says was asked for."""
        config: Mapping[str, Any] = self.manifest["config"]
        return config

    @property
    def label(self) -> str:
        """The name of the run where it has one, else that of its folder."""
        return str(self.config.get("label", self.folder.resolve().name))

    @property
    def select(self) -> str:
        """The method whose choice is the answer; empty for `grade` of samples that no method chose."""
        return str(self.config.get("select", ""))

    @property
    def set_name(self) -> str:
        """The problem set; of `solve` the id of its problem."""
        return name_set(self.manifest)

    @property
    def which_set(self) -> WhichSet:
        """The problems asked for: release, window, number, digest."""
        return read_which_set(self.manifest)

    @property
    def preset(self) -> Mapping[str, Any]:
        """Name, source and departures of `--preset`; empty without one."""
        return self.manifest.get("preset") or {}

    @property
    def choice_cost(self) -> ChoiceCost | None:
        """What `selected@1` took; None where nothing was chosen."""
        if self.kind == "grade" or not self.select:
            return None
        return cost_choice(self.count, self.select, self.total.values())

    @property
    def about(self) -> list[str]:
        """What belongs beside every number of the run, in lines: set, preset, what the choice took."""
        lines = [f"set: {self.which_set}"]
        lines += [f"preset: {tell_preset(self.preset)}"] if self.preset else []
        lines += [str(self.choice_cost)] if self.choice_cost else []
        score = tell_score(mean_score(self.count.ended, "" if self.kind == "grade" else self.select))
        lines += [score] if score else []
        return [*lines, str(self.underthinking)] if self.underthinking else lines

    @property
    def underthinking(self) -> Underthinking | None:
        """What the thinking of the answers held; None where none is known."""
        return measure_underthinking(self.outcomes.values())

    @property
    def model(self) -> str:
        """The model that was asked, or whose samples these are; empty where none is known."""
        return str(self.config.get("model") or ", ".join(self.manifest.get("sources", [])))

    @property
    def total(self) -> dict[str, StageCount]:
        """The work of all problems, by stage."""
        return add_stages(self.stages.values())

    @property
    def outcomes(self) -> Mapping[str, ProblemOutcome]:
        """The outcomes of finished problems by id."""
        return self.count.outcomes

    @property
    def problem_ids(self) -> Sequence[str]:
        """The problems asked for, in their order."""
        return self.count.problem_ids

    def choice(self, problem_id: str) -> Choice | None:
        """The choice that is the answer; None where there is none."""
        return self.choices.get(problem_id, {}).get(self.select)


@contextmanager
def open_run(folder: Path, problems: Mapping[str, Problem] | None = None) -> Iterator[Run]:
    """Read `folder`, which may belong to a run that is going on; nothing is written, and no lock is taken.

    `problems` by id, where the caller has them.

    Raises:
        UserError: it is no run folder of eval, solve, select or grade, or its store is not one.
        StoreError: the store cannot be read.
    """
    kind, manifest = read_run(folder)
    path = folder / "run.db"
    if not path.is_file():
        raise UserError(f"{folder}: nothing was run yet (no run.db)")
    try:
        with closing(Store(path, read_only=True)) as store:
            config = manifest["config"]
            select, rate = str(config.get("select", "")), config.get("rate", "pass")
            outcomes = read_verdicts(folder, select) if kind == "grade" else store.read_outcomes()
            summary = read_summary(folder)
            stages, added = split_work(folder, store.count_stages())
            with store.blaming():
                choices = {one: _read_choices(store, outcome) for one, outcome in outcomes.items()}
            yield Run(
                folder=folder,
                kind=kind,
                manifest=manifest,
                count=Count(
                    list_problems(manifest["config"]),
                    outcomes,
                    summary.get("failed", {}),
                    only=None if kind != "grade" else (select,) if select else (f"{rate}@1", "oracle"),
                ),
                rounds=_list_rounds(outcomes) if kind == "grade" else store.rounds(),
                choices=choices,
                stages=stages,
                added=add_stages(added.values()),
                problems=problems or {},
                summary=summary,
                store=store,
            )
    except sqlite3.DatabaseError as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def list_problems(config: Mapping[str, Any]) -> list[str]:
    """The ids of the problems that a run of this configuration is about, in their order."""
    return [str(config["problem"]["id"])] if "problem" in config else asked_for(config)


def read_verdicts(folder: Path, select: str) -> dict[str, ProblemOutcome]:
    """What a run of `grade` found, as the outcomes of problems whose samples have one answer each.

    With `select` the samples are what this method chose, one a problem. A sample that the sandbox lost (IE)
    counts as wrong, as in the summary; a problem that was untested has no verdicts.

    Raises:
        UserError: a line of `verdicts.jsonl` is not one of ours.
    """
    samples: dict[str, list[SampleOutcome]] = {}
    path = folder / "verdicts.jsonl"
    if not os.path.lexists(path):
        return {}
    try:
        refuse_traps(path)
        with open_file(path) as stream:
            for line in LineReader(path, stream):
                row = parse_json(line.data)
                if has_surrogate(row["problem_id"]):
                    raise ValueError("an id holds half of a character")  # noqa: TRY301 - told as the rest is
                verdict = row["verdict"] if row["total_tests"] else None
                mine = samples.setdefault(row["problem_id"], [])
                passed = row["verdict"] == "AC"
                score = row.get("score")
                mine.append(
                    SampleOutcome(len(mine), 1, row["passed_tests"], passed, verdict, verdict, score=score)
                )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read as verdicts ({error}); grade again with --fresh") from error
    chosen = {select: 0} if select else {}
    return {
        one: ProblemOutcome(one, tuple(found), chosen, tuple(range(len(found))))
        for one, found in samples.items()
    }


def _list_rounds(outcomes: Mapping[str, ProblemOutcome]) -> dict[str, list[RoundOutcome]]:
    """The only round of each sample that was graded; its program is in the file of samples."""
    return {
        one: [
            RoundOutcome(item.sample, 0, None, item.public_passed, item.public_passed, True, item.hidden)
            for item in outcome.samples
        ]
        for one, outcome in outcomes.items()
    }


def _read_choices(store: Store, outcome: ProblemOutcome) -> dict[str, Choice]:
    """The choices for a problem by method.

    Raises:
        TypeError: one is no choice.
        ValueError: one names a sample that the problem does not have.
    """
    found = {}
    for method, text in store.selections(outcome.problem_id).items():
        found[method] = choice = read_record(Choice, json.loads(text))
        named = {choice.chosen, *(member for cluster in choice.clusters for member in cluster)} - {None}
        if not named <= set(range(len(outcome.samples))):
            raise ValueError(f"{method} names a sample that {outcome.problem_id} does not have")
    return found


def find_problems(
    manifest: Mapping[str, Any], spec: str | None, say: Callable[[str], None]
) -> dict[str, Problem]:
    """The problems that were asked for, by id, from the set `spec` or from where the run took them.

    Empty, and said so, where `spec` is None and the set is not there any more or is another one by now.

    Raises:
        UserError: `spec` cannot be read.
    """
    from sstar_code.problems.sets.load import BUNDLED, load_set

    config = manifest["config"]
    if "problem" in config:
        from sstar_code.problems.formats.jsonl import read_problem
        from sstar_code.problems.formats.rows import Row

        problem = read_problem(Row(Path("manifest.json"), 1, config["problem"]))
        return {problem.id: problem}
    name = name_set(manifest)
    found = spec or (name if name in BUNDLED else f"{name}:{manifest.get('data', '')}")
    try:
        whole = load_set(found)
    except UserError as error:
        if spec is not None:
            raise
        say(f"sstar: {error}; name the set with --set for statements, difficulty and dates")
        return {}
    if whole.revision != config.get("set"):
        say(f"sstar: {found} is not the revision that the run used ({config.get('set')}); shown all the same")
    wanted = set(config["problems"])
    return {problem.id: problem for problem in whole.problems if problem.id in wanted}
