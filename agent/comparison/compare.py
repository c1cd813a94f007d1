"""The work of `sstar compare`: every cell a run of its own, in a folder of its own, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.comparison.shares import first_shares, is_finished, read_shares, share_on
from sstar_code.agent.jobs.estimate import count_questions
from sstar_code.agent.jobs.evaluate import evaluate_run
from sstar_code.agent.jobs.session import make_asked, make_config, open_session
from sstar_code.agent.run.folder import open_folder, versions
from sstar_code.agent.run.store import Store

if TYPE_CHECKING:
    from sstar_code.agent.comparison.arms import Cell
    from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch
    from sstar_code.agent.models import Model
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.run.outcomes import Prices
    from sstar_code.agent.run.summary import Summary
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Comparison:
    """What all cells have in common."""

    folder: Path
    problems: Sequence[Problem]
    set_revision: str
    label: str
    endpoint: Endpoint
    settings: Settings
    """Those of each cell, but for its strategy and style."""
    prompts: Prompts
    sandbox: SandboxChoice | Sandbox
    prices: Prices
    watch: Watch
    say: Callable[[str], None]
    quiet: bool = False
    about: dict[str, Any] = field(default_factory=dict)
    """What stands in each manifest beside the configuration."""

    @property
    def config(self) -> dict[str, Any]:
        """What a folder of comparisons is of; the cells may be others each time."""
        own = self.settings.as_json()
        return make_config(
            self.label,
            self.endpoint,
            self.prompts,
            set=self.set_revision,
            problems=[problem.id for problem in self.problems],
            **{name: value for name, value in own.items() if name not in ("strategy", "style")},
        )


async def compare(
    comparison: Comparison, cells: Sequence[Cell], on_cell: Callable[[Cell], None] = lambda _: None
) -> int:
    """Run the cells that are not finished yet, and go on with one that was broken off; problems with errors.

    A server that has to be started is started once. `on_cell` hears of each cell that has ended.

    Raises:
        As `evaluate_run`.
    """
    errors, all_settings = 0, [cell.settings(comparison.settings) for cell in cells]
    async with _served(comparison) as served:
        for number, (cell, settings) in enumerate(zip(cells, all_settings, strict=True), start=1):
            share = cell.tokens // len(comparison.problems)
            comparison.say(
                f"sstar: {number} of {len(cells)}: {cell.strategy}, style {cell.style}, "
                f"{cell.tokens:,} tokens ({share:,} a problem)"
            )
            if not _is_over(comparison, cell):
                errors += len((await _run_cell(comparison, served, cell, settings)).errors)
            on_cell(cell)
    return errors


def _is_over(comparison: Comparison, cell: Cell) -> bool:
    """Whether nothing of the cell is left to do, problems with errors among it."""
    folder = comparison.folder / cell.folder
    if not is_finished(folder):
        return False
    with closing(Store(folder / "run.db", read_only=True)) as store:
        outcomes = store.read_outcomes()
    return all(one.id in outcomes and outcomes[one.id].error is None for one in comparison.problems)


async def _run_cell(
    comparison: Comparison, served: Endpoint | Model, cell: Cell, settings: Settings
) -> Summary:
    """One pass after the other, until the tokens are spent or nobody wants more."""
    folder = comparison.folder / cell.folder
    ids = [problem.id for problem in comparison.problems]
    config = make_config(
        comparison.label,
        comparison.endpoint,
        comparison.prompts,
        set=comparison.set_revision,
        problems=ids,
        **settings.as_json(),
        tokens=cell.tokens,
    )
    open_folder(folder, {"config": config, "versions": versions(), **comparison.about}, fresh=False)
    keeps = count_questions(settings.select, settings.n) > 0
    shares = read_shares(folder, first_shares(cell.tokens, ids, keeps=keeps))
    while True:
        opening = open_session(
            folder,
            comparison.sandbox,
            comparison.say,
            endpoint=served,
            budget=Budget(caps=shares.caps, choosing=shares.choosing),
            watch=comparison.watch,
            quiet=comparison.quiet,
        )
        summary = await evaluate_run(
            opening,
            comparison.problems,
            settings,
            comparison.prompts,
            prices=comparison.prices,
            methods=(settings.select,) if shares.is_choosing else (),
        )
        if shares.is_done:
            return summary
        shares = share_on(folder, shares)
        if shares.is_done:
            return summary


@asynccontextmanager
async def _served(comparison: Comparison) -> AsyncIterator[Endpoint | Model]:
    """What is asked. A model that has to be served is started once, where all calls go to it alike."""
    from sstar_code.agent.models.vllm.server import ManagedModel

    endpoint = comparison.endpoint
    alike = not endpoint.roles and endpoint.max_thinking is None
    served = endpoint.require_model().startswith("vllm:") and alike
    model = make_asked(endpoint, comparison.say) if served else None
    if not isinstance(model, ManagedModel):
        yield endpoint
        return
    model.log = comparison.folder / "vllm.log"
    async with model:
        await model.check()
        yield model
