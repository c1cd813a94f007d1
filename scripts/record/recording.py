"""Makes a bundled recording: runs the method on a set, by several ways to choose, and packs every call."""

from __future__ import annotations

import gzip
import json
import tempfile
from contextlib import closing
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.jobs.evaluate import evaluate
from sstar_code.agent.models.recorded import Recorder
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.context import SEVERAL, SolveContext
from sstar_code.problems.sets.load import load_set
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.memo import MemoSandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.models.request import Model
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem

__all__ = ["METHODS", "record"]

METHODS = ("adaptive", "sstar")
"""One after the other on the same samples, so that both can be replayed."""
MAX_IN_FLIGHT = 64


def batched_few(problems: Sequence[Problem]) -> list[Sequence[Problem]]:
    """The problems in parts so small that each measures the judge by itself, as where few are chosen."""
    size = SEVERAL - 1
    return [problems[start : start + size] for start in range(0, len(problems), size)]


async def record(
    name: str,
    model: Model,
    *,
    prompts: Prompts,
    settings: Settings,
    about: dict[str, Any],
    sandbox: str = "auto",
) -> None:
    """Record the answers of `model` on the bundled set `name`; `about` says who answered.

    The set's folder gets `calls.jsonl.gz`, and `recording.json` with `about` and how it was recorded.
    """
    whole = load_set(name)
    folder = Path(str(resources.files("sstar_code.problems") / "bundled" / name))
    with tempfile.TemporaryDirectory() as scratch:
        calls = Path(scratch) / "calls.jsonl"
        with Recorder(model, calls) as recorder, closing(Store()) as answers:
            asked = StoredModel(recorder, answers, Budget(), max_in_flight=MAX_IN_FLIGHT)
            async with MemoSandbox(make_sandbox(sandbox, say=print)) as opened:
                for method in METHODS:
                    context = SolveContext(asked, opened, prompts, replace(settings, select=method))
                    for part in (whole.problems, *batched_few(whole.problems)):
                        with closing(Store()) as outcomes:
                            await evaluate(
                                part,
                                context,
                                outcomes,
                                most_open=lambda: 8,
                                wait_for_capacity=asked.wait_for_capacity,
                                on_problem=lambda outcome, **_: print(outcome.problem_id),
                            )
        rows = [json.loads(line) for line in calls.read_text(encoding="utf-8").splitlines()]
    rows.sort(key=lambda row: [str(value) for value in row["request"]["purpose"].values()])
    with (folder / "calls.jsonl.gz").open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    how = {
        "set": whole.revision,
        "prompts": prompts.digest,
        "settings": {key: value for key, value in asdict(settings).items() if key != "select"},
        "methods": METHODS,
        "calls": len(rows),
    }
    (folder / "recording.json").write_text(json.dumps(about | how, indent=2) + "\n", encoding="utf-8")
    print(f"{len(rows)} calls in {folder}")
