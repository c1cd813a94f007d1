"""A run as the report sees it, with its problems found again in their set."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.jobs.merge_runs import asked_for
from sstar_code.agent.run.folder import read_evaluation, read_summary
from sstar_code.agent.run.outcomes import ProblemOutcome, StageCount, add_stages, read_record
from sstar_code.agent.run.store import Store
from sstar_code.agent.run.summary import Count
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.run.outcomes import RoundOutcome
    from sstar_code.problems import Problem


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice of a method for a problem: a `Selection` without its evidence."""

    chosen: int | None
    confidence: float
    clusters: tuple[tuple[int, ...], ...] = ()
    calls: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """Everything of a run but prompts, answers and evidence, which `store` has."""

    folder: Path
    manifest: Mapping[str, Any]
    count: Count
    """The problems asked for, in their order, what became of them and what each scored."""
    rounds: Mapping[str, Sequence[RoundOutcome]]
    """Rounds of each finished problem, in order of samples and rounds."""
    choices: Mapping[str, Mapping[str, Choice]]
    """Choices by problem and method."""
    stages: Mapping[str, Mapping[str, StageCount]]
    """Work by problem and stage."""
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
        """The method whose choice is the answer."""
        return str(self.config["select"])

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
        UserError: it is no run folder of `sstar eval`, or its store is not one.
        StoreError: the store cannot be read.
    """
    manifest = read_evaluation(folder)
    path = folder / "run.db"
    if not path.is_file():
        raise UserError(f"{folder}: nothing was run yet (no run.db)")
    try:
        with closing(Store(path, read_only=True)) as store:
            outcomes = {one: ProblemOutcome.from_json(text) for one, text in store.outcomes().items()}
            summary = read_summary(folder)
            yield Run(
                folder=folder,
                manifest=manifest,
                count=Count(asked_for(manifest["config"]), outcomes, summary.get("failed", {})),
                rounds=store.rounds(),
                choices={
                    one: {
                        method: read_record(Choice, json.loads(text))
                        for method, text in store.selections(one).items()
                    }
                    for one in outcomes
                },
                stages=store.count_stages(),
                problems=problems or {},
                summary=summary,
                store=store,
            )
    except sqlite3.DatabaseError as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


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
    name = str(config.get("label", "")).removesuffix(f"-{config.get('model')}")
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
