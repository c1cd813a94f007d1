"""Test-time preference optimisation, on known programs."""

from __future__ import annotations

import pytest

from sstar_code.agent.models.request import CallError
from tests.agent.strategies.known import KnownModel, grow

pytestmark = pytest.mark.anyio
TEXTS = {
    "0.1 critique": "The first reads all numbers.",
    "0.1 changes": "1. Read all.",
    "0.2 critique": "Nearly.",
    "0.2 changes": "1. Mind zero.",
}
TABLE = {"0.0": "1000", "1.0": "1100", "2.0": "0000", "0.1": "1110", "1.1": "1111", "0.2": "1111", **TEXTS}


async def test_the_best_and_the_worst_of_all_so_far_are_contrasted():
    """A step: a critique of both with a test on which they differ, changes, programs from the best."""
    model = KnownModel(TABLE)
    samples = await grow(model, "tpo:samples=2", n=3, rounds=2)
    assert model.visits == [
        *(("0.0", None), ("1.0", None), ("2.0", None)),
        *(("0.1 critique", None), ("0.1 changes", None), ("0.1", "1.0"), ("1.1", "1.0")),
        *(("0.2 critique", None), ("0.2 changes", None), ("0.2", "1.1"), ("2.1", "1.1")),
    ]
    critique, changes, rewrite = (request.messages[-1].content for request in model.requests[3:6])
    assert '"1100"  # 1.0' in critique.partition("# Program 2")[0]
    assert '"0000"  # 2.0' in critique.partition("# Program 2")[2]
    assert "Program 1 (passes):\n\n```\nright 0\n```\n\nProgram 2 (fails):\n\n```\nwrong 0\n```" in critique
    assert TEXTS["0.1 critique"] in changes
    assert TEXTS["0.1 changes"] in rewrite
    assert [sample.best.passed for sample in samples] == [4, 4, 0]


async def test_ends_where_the_samples_agree():
    """More than half pass and do the same: nothing more is asked."""
    model = KnownModel({"0.0": "1111", "1.0": "1111", "2.0": "0000"})
    await grow(model, "tpo", n=3, rounds=2)
    assert len(model.requests) == 3


@pytest.mark.parametrize("failing", ["0.1 critique", "0.1 changes"])
async def test_without_advice_it_ends(failing):
    """A call that fails ends the steps, and what was made is kept."""
    samples = await grow(KnownModel({**TABLE, failing: CallError("refused")}), "tpo", n=3, rounds=2)
    assert [len(sample.rounds) for sample in samples] == [1, 1, 1]
    assert samples[1].best.passed == 2


async def test_one_program_is_reviewed_alone():
    """Where all programs are the same there is nothing to contrast it with."""
    model = KnownModel({**TEXTS, "1.1": "1111"}, "1000")
    await grow(model, "tpo", n=2, rounds=1)
    assert "# Program 2" not in model.requests[2].messages[-1].content
