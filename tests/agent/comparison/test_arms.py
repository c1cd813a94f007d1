"""What is compared is read as it is written, and has a folder of its own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sstar_code.agent.comparison.arms import Cell, Plan, open_plan, read_budgets, read_plan, read_strategies
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError


def test_strategies_with_settings():
    """A comma before key=value belongs to the strategy before it, with or without a setting of its own."""
    assert read_strategies("sample, beam:width=2,dvts=yes,tree,n=4 ,sample") == [
        "sample",
        "beam:width=2,dvts=yes",
        "tree:n=4",
    ]
    for wrong in ("", " , ", "n=4,sample"):
        with pytest.raises(UserError, match="--strategies"):
            read_strategies(wrong)


def test_budgets():
    """Whole numbers in any notation, in order, once each."""
    assert read_budgets("3e5,100000, 1e5") == [100_000, 300_000]
    for wrong in ("", "many", "0", "-5", "1.5", "nan", "1e99", "inf"):
        with pytest.raises(UserError, match="--tokens"):
            read_budgets(wrong)


def test_samples_and_rounds_of_one_strategy():
    """`n` and `rounds` are those of the flags, for this strategy alone; waves have a range in any case."""
    base = Settings(n=8, rounds=1)
    assert Cell("beam:n=4,rounds=3,width=2", "cot", 1).settings(base) == Settings(
        n=4, rounds=3, strategy="beam:width=2"
    )
    assert Cell("waves", "plan", 1).settings(base) == Settings(
        n=8, least=2, rounds=1, strategy="waves", style="plan"
    )
    assert Cell("waves:n=4..32", "cot", 1).settings(base).least == 4
    for wrong in ("sample:n=4..8", "beam:rounds=few", "beam:n=0", "nonsense", "beam:colour=red"):
        with pytest.raises(UserError):
            Cell(wrong, "cot", 1).settings(base)
    with pytest.raises(UserError, match="--style"):
        Cell("sample", "loud", 1).settings(base)


@hypothesis_settings(max_examples=60)
@given(st.lists(st.tuples(st.text(max_size=90), st.sampled_from(["cot", "plan"]), st.integers(1, 99))))
def test_every_cell_has_a_folder_of_its_own(rows):
    """No two cells share a folder, and its name is one plain part of a path."""
    cells = {Cell(*row) for row in rows} | {Cell("beam:width=2", "cot", 1), Cell("beam-width=2", "cot", 1)}
    cells -= {Cell("beam-width=2", "cot", 1)}  # no strategy is called so
    names = [cell.folder for cell in cells if ":" not in cell.strategy or cell.strategy.count("-") == 0]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and "/" not in name and not name.startswith(".") for name in names)


def test_a_folder_takes_more_cells_of_the_same_comparison(tmp_path):
    """The same command with other strategies adds them; one over something else is told."""
    config = {"label": "set-tiny", "model": "tiny", "n": 4}
    first, second = Cell("sample", "cot", 100), Cell("beam", "cot", 100)
    open_plan(tmp_path, Plan(config, (first,), 7e9))
    plan = open_plan(tmp_path, Plan(config, (second, first)))
    assert plan == read_plan(tmp_path) == Plan(config, (first, second), 7e9)
    assert plan.baseline == ("sample", "cot")
    with pytest.raises(UserError, match="n was 4, is 5"):
        open_plan(tmp_path, Plan(config | {"n": 5}, (first,)))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(UserError, match="no comparison"):
        open_plan(tmp_path / "other", Plan(config, (first,)))


@pytest.mark.parametrize(
    "data",
    [
        [],
        {},
        {"config": {}, "cells": []},
        {"config": {}, "cells": [["sample", "cot"]]},
        {"config": {}, "cells": [["sample", "cot", True]]},
        {"config": {"model": 3}, "cells": [["sample", "cot", 3]]},
    ],
)
def test_a_plan_of_somebody_else_is_one_line(tmp_path, data):
    """What is no plan of ours is told with its place."""
    (tmp_path / "comparison.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match=r"comparison\.json: not a comparison"):
        read_plan(tmp_path)
