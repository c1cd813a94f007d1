"""`sstar merge`: one run folder of several, as one run would have written it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sstar_code.agent.cli.build import put_json, say
from sstar_code.agent.cli.display.summary import print_summary
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options.arguments import FreshOpt, JsonOpt
from sstar_code.agent.run.outcomes import Prices


@grouped
def command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Run folder to make, or to bring up to date.")],
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders of `sstar eval`, like its shards.")
    ],
    *,
    prices: Prices,
    fresh: FreshOpt = False,
    json_: JsonOpt = False,
) -> int:
    """Make one run folder of shards, or of runs of one configuration over different problems.

    Example: sstar merge runs/whole runs/shard-*
    """
    from sstar_code.agent.jobs.merge_runs import merge_runs, plan_merge
    from sstar_code.agent.report.data.run import find_problems
    from sstar_code.agent.report.render.page import write_page

    plan = plan_merge(runs)
    if plan.missing:
        say(f"sstar: missing: shard {', '.join(plan.missing)}; their problems count as unfinished")
    summary = merge_runs(plan, out, prices, fresh=fresh)
    say(f"sstar: {len(plan.parts)} runs in {out}")
    if json_:
        put_json(summary.headline())
    else:
        print_summary(summary)
    say(f"sstar: page {write_page(out, find_problems(plan.manifest, None, say))}")
    unfinished = summary.count.unfinished
    if unfinished:
        say(
            f"sstar: {len(unfinished)} of {len(summary.count.problem_ids)} problems are unfinished: "
            "finish their runs and merge again"
        )
    return 3 if summary.count.errors or unfinished else 0
