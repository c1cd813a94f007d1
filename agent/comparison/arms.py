"""What is compared: strategies and styles, each at every budget, and where the run of each is kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sstar_code.agent.run.bounds import read_own_json
from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.folder import check_kinds, describe_changes
from sstar_code.agent.solving.settings import Settings, read_samples
from sstar_code.agent.strategies.table import choose_strategy
from sstar_code.problems import ProblemFileError, UserError
from sstar_code.problems.errors import blame_path

PLAN = "comparison.json"
_LONGEST_NAME = 80
_MOST_TOKENS = 10**15


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One strategy with one style at one budget."""

    strategy: str
    """`NAME[:key=value,...]`; the keys `n` and `rounds` are those of the flags `--n` and `--rounds`."""
    style: str
    tokens: int
    """Tokens, prompt and output, for all problems together."""

    @property
    def arm(self) -> tuple[str, str]:
        """Strategy and style."""
        return self.strategy, self.style

    @property
    def folder(self) -> str:
        """The name of the run folder, which no other cell has."""
        name = f"{self.strategy}-{self.style}-{self.tokens}"
        plain = re.sub(r"[^A-Za-z0-9+.=-]", "-", name)
        is_known = plain == name.replace(":", "-").replace(",", "-") and not plain.startswith(".")
        if is_known and len(plain) <= _LONGEST_NAME:
            return plain
        return f"{plain[:_LONGEST_NAME].lstrip('.')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"

    def settings(self, base: Settings) -> Settings:
        """Those of the run: `base` with this strategy and style.

        Waves need a range of samples; without one they have from two to as many as the others.

        Raises:
            UserError: there is no such strategy or style, or a key has no such value.
        """
        name, _, rest = self.strategy.partition(":")
        parts = [part.strip() for part in rest.split(",") if part.strip()]
        given = dict(_split(part) for part in parts)
        kept = [part for part in parts if _split(part)[0] not in ("n", "rounds")]
        least, n = read_samples(given["n"]) if "n" in given else (base.least, base.n)
        if name != "waves" and "n" not in given:
            least = None
        elif name == "waves" and least is None:
            least = min(2, n)
        rounds = given.get("rounds", str(base.rounds))
        if not rounds.isdecimal():
            raise UserError(f"--strategies {self.strategy}: rounds={rounds!r}: it must be a whole number")
        strategy = f"{name}:{','.join(kept)}" if kept else name
        made = replace(
            base, strategy=strategy, style=self.style, n=n, least=least, rounds=int(rounds), greedy=False
        )
        choose_strategy(made)
        return made


def _split(part: str) -> tuple[str, str]:
    key, _, value = part.partition("=")
    return key.strip(), value.strip()


def read_strategies(text: str) -> list[str]:
    """`sample,beam:width=2,dvts=yes` -> `["sample", "beam:width=2,dvts=yes"]`, without doubles.

    A comma before `key=value` belongs to the strategy before it.

    Raises:
        UserError: nothing is named, or a key stands before any strategy.
    """
    found: list[str] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        if "=" in part.partition(":")[0]:
            if not found:
                raise UserError(f"--strategies {text!r}: {part!r} belongs to no strategy; write NAME:{part}")
            found[-1] += f"{',' if ':' in found[-1] else ':'}{part}"
        else:
            found.append(part)
    if not found:
        raise UserError("--strategies: none is named; give some like sample,beam,tree")
    return list(dict.fromkeys(found))


def read_budgets(text: str) -> list[int]:
    """`1e5,300000` -> `[100000, 300000]`, in ascending order.

    Raises:
        UserError: one is no whole number of tokens.
    """
    found = set()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        try:
            value = float(part)
        except ValueError:
            value = 0.0
        if not 1 <= value <= _MOST_TOKENS or value != int(value):
            raise UserError(f"--tokens {part!r}: it must be a number of tokens like 300000 or 3e5")
        found.add(int(value))
    if not found:
        raise UserError("--tokens: no budget; give some like 1e5,3e5,1e6")
    return sorted(found)


def list_cells(strategies: Sequence[str], styles: Sequence[str], budgets: Sequence[int]) -> list[Cell]:
    """Every strategy with every style at every budget, the smallest budget first."""
    return [
        Cell(strategy, style, tokens) for tokens in budgets for strategy in strategies for style in styles
    ]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a folder compares."""

    config: Mapping[str, Any]
    """What all cells have in common, as `make_config` makes it."""
    cells: tuple[Cell, ...]
    parameters: float | None = None
    """Parameters of the model, where known."""

    @property
    def title(self) -> str:
        """Set and model."""
        return str(self.config.get("label", ""))

    @property
    def baseline(self) -> tuple[str, str]:
        """The arm that the others are compared with: sampling with repair where it is there."""
        plain = [cell.arm for cell in self.cells if cell.strategy == "sample"]
        return [*plain, self.cells[0].arm][0]


def open_plan(folder: Path, plan: Plan) -> Plan:
    """Write `plan` into `folder`, or add its cells to those of the comparison that is there.

    Raises:
        UserError: the folder is of a comparison over something else, or of no comparison.
        InfrastructureError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / PLAN).exists():
            known = read_plan(folder)
            now = json.loads(json.dumps(plan.config, default=str))
            if changed := describe_changes(known.config, now):
                raise UserError(f"{folder}: a comparison of something else ({changed}); use another --out")
            cells = tuple(dict.fromkeys((*known.cells, *plan.cells)))
            plan = Plan(known.config, cells, plan.parameters or known.parameters)
        elif any(item.suffix != ".part" for item in folder.iterdir()):
            raise UserError(f"{folder}: not empty and no comparison; name another with --out")
    except OSError as error:
        place = f"{error.filename or folder}: {error.strerror}"
        raise blame_path(error, f"{place}; name another --out") from error
    rows = [[cell.strategy, cell.style, cell.tokens] for cell in plan.cells]
    write_json(folder / PLAN, {"config": plan.config, "cells": rows, "parameters": plan.parameters})
    return plan


def is_comparison(folder: Path) -> bool:
    """Whether `folder` is one of `sstar compare`."""
    return (folder / PLAN).is_file() and not (folder / "manifest.json").exists()


def read_plan(folder: Path) -> Plan:
    """The plan in `folder`, which may come from anybody.

    Raises:
        UserError: it is no plan of ours.
    """
    path = folder / PLAN
    try:
        data = read_own_json(path)
        check_kinds(data, {"config": dict, "cells": [list], "parameters": (int, float, type(None))})
        check_kinds(data["config"], {"label": str, "model": (str, type(None))})
        first, *others = (Cell(*_check_cell(row)) for row in data["cells"])
        return Plan(data["config"], (first, *others), data.get("parameters"))
    except (ProblemFileError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{path}: not a comparison of ours; name another folder") from error


def _check_cell(row: Sequence[Any]) -> tuple[str, str, int]:
    strategy, style, tokens = row
    if not (isinstance(strategy, str) and isinstance(style, str) and type(tokens) is int):
        raise TypeError("a cell is of another type")
    return strategy, style, tokens
