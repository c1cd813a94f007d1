"""Writes the files of a run folder from its store: the exports, and the summary last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.run.files import write_json, write_lines
from sstar_code.agent.run.folder import MANIFEST, read_adjustments, read_manifest, read_summary
from sstar_code.agent.run.history.added import split_work
from sstar_code.agent.run.history.which_set import read_which_set
from sstar_code.agent.run.outcomes import add_stages
from sstar_code.agent.run.summary import Count, Summary
from sstar_code.problems.samples import make_evalplus_rows, make_livecodebench_rows
from sstar_code.sandbox.languages.marks import name_language

if TYPE_CHECKING:
    from sstar_code.agent.run.outcomes import Prices, ProblemOutcome
    from sstar_code.agent.run.store import Store


def write_results(
    folder: Path,
    store: Store,
    outcomes: Mapping[str, ProblemOutcome],
    *,
    problem_ids: Sequence[str],
    select: str,
    prices: Prices,
    seconds: float,
    load: Mapping[str, Any] | None = None,
) -> Summary:
    """Write `candidates.jsonl`, `samples.jsonl`, `lcb.json` and, when they are complete, `summary.json`.

    `problem_ids` are those asked for, in the order of the files; `outcomes` those that ended.
    `load` is how busy the server was; None: what an earlier start saw of it.

    Raises:
        InfrastructureError: the folder cannot be written; each file is the old one or the new one.
    """
    chosen: dict[str, list[str]] = {}
    candidates: list[dict[str, str]] = []
    for problem_id in problem_ids:
        outcome = outcomes.get(problem_id)
        if outcome is None or outcome.error is not None:
            continue
        codes = store.candidates(problem_id)
        place = outcome.chosen.get(select)
        chosen[problem_id] = ["" if place is None else codes[place] or ""]
        candidates += [name_language({"task_id": problem_id, "solution": code or ""}) for code in codes]
    write_lines(folder / "candidates.jsonl", candidates)
    write_lines(folder / "samples.jsonl", [name_language(row) for row in make_evalplus_rows(chosen)])
    write_json(folder / "lcb.json", make_livecodebench_rows(chosen))
    manifest = read_manifest(folder) if (folder / MANIFEST).exists() else None
    own, added = split_work(folder, store.count_stages(problem_ids))
    summary = Summary(
        Count(problem_ids, outcomes),
        select,
        seconds,
        by_problem=own,
        added=add_stages(added.values()),
        prices=prices,
        load=load or read_summary(folder).get("server_load"),
        adjustments=read_adjustments(folder),
        ways=store.ways(),
        which_set=None if manifest is None else read_which_set(manifest),
        preset={} if manifest is None else manifest.get("preset") or {},
    )
    write_json(folder / "summary.json", summary.as_json())
    return summary
