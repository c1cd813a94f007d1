"""Error against answered problems."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sstar_code.agent.report.data.curves import thin_out, trace_abstention
from sstar_code.agent.report.render.abstention import abstention_as_markdown, abstention_rows


def make_run(choices):
    """A run of graded problems; `choices` are (confidence, whether the choice is right)."""
    names = [f"p{number}" for number in range(len(choices))]
    return SimpleNamespace(
        select="adaptive",
        count=SimpleNamespace(graded=names),
        choices={
            name: {"adaptive": SimpleNamespace(confidence=sure, chosen=int(right))}
            for name, (sure, right) in zip(names, choices, strict=True)
        },
        outcomes={name: SimpleNamespace(is_right=bool) for name in names},
    )


def test_the_surest_are_answered_first():
    """Equal confidences are answered together, unknown ones last; the last row answers all."""
    rows = trace_abstention(
        make_run([(0.9, True), (0.5, False), (0.9, True), (None, False), (0.5, True)]), "adaptive"
    )
    assert [row.confidence for row in rows] == [0.9, 0.5, None]
    assert [row.answered.value for row in rows] == pytest.approx([0.4, 0.8, 1.0])
    assert [row.wrong.value for row in rows] == pytest.approx([0.0, 0.25, 0.4])


def test_a_table_has_a_row_for_every_tenth():
    """However many confidences there are: eleven rows at most, the last for all problems."""
    run = make_run([(number / 100, number > 40) for number in range(100)])
    assert len(trace_abstention(run, "adaptive")) == 100
    rows = thin_out(trace_abstention(run, "adaptive"))
    assert len(rows) <= 11
    assert rows[-1].answered.value == 1.0
    assert "at least 0.00" in "".join(abstention_as_markdown(run))


@pytest.mark.parametrize("choices", [[], [(None, True)] * 3, [(0.5, False)] * 4])
def test_no_table_where_all_are_equally_sure(choices):
    """Nothing to tell apart: no row."""
    assert abstention_rows(make_run(choices)) == []
