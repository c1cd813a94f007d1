"""Prices of models: a file that the user names, or the small dated list that comes along, for estimates."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sstar_code.agent.run.outcomes import Prices
from sstar_code.problems import ProblemFileError, UserError
from sstar_code.problems.bounds import read_json
from sstar_code.problems.errors import suggest

_MOST = 1e9
"""The highest price that is believed."""
_VARIANT = re.compile(r"-(?:\d{4}-?\d{2}-?\d{2}|latest|preview)$|:\w+$")


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices by model, with where they are from."""

    origin: str
    models: Mapping[str, Prices]
    """By plain name: no provider before it, no date behind it, `-` for every dot."""

    def find(self, model: str) -> Prices | None:
        """The prices of `model`; None where the list has none."""
        return self.models.get(_plain(model))


def read_price_list(path: Path | None = None) -> PriceList:
    """The list in the file, or the one that comes along.

    The form is ours, `{"date": ..., "source": ..., "models": {NAME: {"prompt": .., "output": ..}}}` per
    million tokens, or LiteLLM's `model_prices_and_context_window.json`, per token.

    Raises:
        UserError: the file cannot be read, or holds no prices.
    """
    bundled = resources.files("sstar_code.agent.run") / "prices.json"
    try:
        data = json.loads(bundled.read_text("utf-8")) if path is None else read_json(path)
    except ProblemFileError as error:
        raise UserError(f"--prices {error}") from error
    rows = data.get("models", data) if isinstance(data, dict) else {}
    rows = rows if isinstance(rows, dict) else {}
    models = {_plain(name): prices for name, row in rows.items() if (prices := _read_row(row)) is not None}
    if not models:
        raise UserError(
            f"--prices {path}: no price is there; write "
            '{"models": {"NAME": {"prompt": 2.5, "output": 10}}}, per million tokens'
        )
    dated = f" of {data['date']}" if isinstance(data.get("date"), str) else ""
    return PriceList(f"the list that comes with sstar{dated}" if path is None else f"{path}{dated}", models)


def _plain(name: str) -> str:
    plain = name.rpartition("/")[2].lower()
    return _VARIANT.sub("", plain).replace(".", "-")


def _read_row(row: Any) -> Prices | None:
    if not isinstance(row, dict):
        return None
    for prompt, output, factor in (
        ("prompt", "output", 1.0),
        ("input_cost_per_token", "output_cost_per_token", 1e6),
    ):
        values: list[Any] = [row.get(prompt), row.get(output)]
        if all(isinstance(value, int | float) and 0 <= value <= _MOST for value in values):
            return Prices(round(values[0] * factor, 6), round(values[1] * factor, 6))
    return None


def choose_prices(given: Prices, model: str) -> Prices:
    """The prices to count with: those given one by one, else those of `--prices`.

    Raises:
        UserError: the file cannot be read, or lacks the model.
    """
    if given.file is None:
        return given
    listed = read_price_list(given.file)
    found = listed.find(model)
    if found is None:
        hint = suggest(_plain(model), set(listed.models)) or ""
        raise UserError(
            f"--prices {given.file}: no price of {model!r}{hint}; give --price-prompt and --price-output"
        )
    return Prices(
        found.prompt if given.prompt is None else given.prompt,
        found.output if given.output is None else given.output,
        given.file,
    )
