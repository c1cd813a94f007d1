"""`sstar compare`: strategies at equal tokens, one table and one figure; the same command again goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.cli.build import equip, load_problems, note_set, put_json, run_async, say
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import DataOptions, OutputOptions
from sstar_code.agent.cli.options.arguments import PromptsOpt, SetArg
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch, serve_for
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.comparison.arms import Plan


@grouped
def command(
    problem_set: SetArg,
    *,
    strategies: Annotated[
        str,
        typer.Option(
            "--strategies",
            metavar="NAME,...",
            help="What is compared, like sample,beam:width=2,tree; the keys n and rounds are --n and "
            "--rounds for that strategy alone.",
        ),
    ] = "sample,beam,tree,allocate",
    styles: Annotated[
        str,
        typer.Option(
            "--styles", metavar="NAME,...", help="Each strategy with each of them: cot,direct,draft,plan."
        ),
    ] = "cot",
    tokens: Annotated[
        str,
        typer.Option(
            "--tokens",
            metavar="N,...",
            help="Budgets: tokens (prompt and output) for all problems together, like 1e5,3e5,1e6.",
        ),
    ] = "",
    parameters: Annotated[
        float | None,
        typer.Option(
            "--parameters",
            metavar="N",
            min=1.0,
            help="Parameters of the model, like 7e9, to tell TFLOP. (default: what its name says)",
        ),
    ] = None,
    templates: PromptsOpt = None,
    endpoint: Endpoint,
    prices: Prices,
    settings: Annotated[Settings, "-strategy", "-style", "-greedy", "-lessons"],
    data: DataOptions,
    sandbox: SandboxChoice,
    output: Annotated[OutputOptions, "-fresh"],
    watch: Watch,
) -> int:
    """Run strategies on a set at equal tokens: one table, one figure; the same command again goes on.

    Example: sstar compare examples -m replay:examples --strategies sample --tokens 2e4,6e4
    """
    from sstar_code.agent.comparison.arms import Plan, list_cells, open_plan, read_budgets, read_strategies
    from sstar_code.agent.comparison.compare import Comparison, compare
    from sstar_code.agent.run.folder import default_folder
    from sstar_code.agent.run.prices import choose_prices
    from sstar_code.agent.solving.presets import choose_prompts

    names = [name.strip() for name in styles.split(",") if name.strip()]
    cells = list_cells(read_strategies(strategies), names, read_budgets(tokens))
    if not cells:
        raise UserError("--styles: none is named; give some like cot,plan")
    # what is wrong is told before anything is opened
    endpoint = serve_for(endpoint, *(cell.settings(settings) for cell in cells))
    label = endpoint.require_model()
    whole, problems = load_problems(problem_set, data)
    if cells[0].tokens < len(problems):
        raise UserError(
            f"--tokens {cells[0].tokens}: less than a token for each of {len(problems)} problems; give more"
        )
    comparison = Comparison(
        folder=output.out or Path(),
        problems=problems,
        set_revision=whole.revision,
        label=f"{whole.name}-{label}",
        endpoint=endpoint,
        settings=settings,
        prompts=choose_prompts(templates, None, endpoint.model),
        sandbox=equip(sandbox, problems),
        prices=choose_prices(prices, label),
        watch=watch,
        say=_Once(),
        quiet=output.json_,
        about={**note_set(whole, problems, data), "base_url": list(endpoint.base_urls)},
    )
    folder = output.out or default_folder("compare", comparison.config)
    plan = open_plan(folder, Plan(comparison.config, tuple(cells), parameters))
    say(f"sstar: comparing in {folder}")
    work = replace(comparison, folder=folder)
    errors = run_async(lambda: compare(work, cells, lambda _: _write(folder, plan)))
    show_comparison(folder, "json" if output.json_ else "")
    return 3 if errors else 0


class _Once:
    """Says each line once: every run of a comparison begins with the same ones."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            say(line)


def _write(folder: Path, plan: Plan) -> None:
    """The table in Markdown and JSON and the figure, beside the runs."""
    from sstar_code.agent.report.data.comparison import read_table
    from sstar_code.agent.report.render.comparison import comparison_as_markdown, draw_comparison
    from sstar_code.agent.run.files import write_json, write_text

    table = read_table(folder, plan)
    write_text(folder / "comparison.svg", draw_comparison(table))
    write_text(folder / "comparison.md", comparison_as_markdown(table, "comparison.svg"))
    write_json(folder / "results.json", table.as_json())


def show_comparison(folder: Path, format_: str = "") -> None:
    """Write the files of the comparison in `folder` anew and print it: a table, `md` or `json`.

    Raises:
        UserError: it is no comparison, or a run in it is damaged.
    """
    from sstar_code.agent.cli.build import put, tell
    from sstar_code.agent.cli.display.table import put_table
    from sstar_code.agent.comparison.arms import read_plan
    from sstar_code.agent.report.data.comparison import read_table
    from sstar_code.agent.report.render.comparison import (
        comparison_as_markdown,
        list_cells,
        list_heads,
        list_notes,
    )

    plan = read_plan(folder)
    table = read_table(folder, plan)
    _write(folder, plan)
    if format_ == "json":
        put_json(table.as_json())
    elif format_ == "md":
        put(comparison_as_markdown(table, "comparison.svg").removesuffix("\n"))
    else:
        heads = list_heads(table)
        if table.rows:
            put_table(heads, list_cells(table), right=heads[1:-1])
        for line in list_notes(table):
            tell(line)
    say(f"sstar: figure {folder / 'comparison.svg'}, table {folder / 'comparison.md'}")
