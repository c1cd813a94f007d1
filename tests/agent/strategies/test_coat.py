"""Tree search with an associative memory, on known trees."""

from __future__ import annotations

import pytest

from sstar_code.agent.generation.lineage import list_notes
from sstar_code.agent.models.request import CallError
from sstar_code.agent.strategies.search.coat import Coat
from tests.agent.strategies.known import KnownModel, assert_asked_once, grow

pytestmark = pytest.mark.anyio
TABLE = {
    "0.0": "1000",
    "1.0": "1100",
    "1.1 associate": "pitfall: the last one is left out",
    "1.1": "1110",
    "0.1 associate": "Here it is:\n- **bound: 10^5 items allow n log n steps",
    "1.2": "1100",
    "1.3 associate": "algorithm: two pointers, O(n)",
    "1.3": "1111",
}
FIRST = [("0.0", None), ("1.0", None), ("1.1 associate", "1.0"), ("1.1", "1.0")]


def prompts_of(model):
    """Call -> the text of its prompt."""
    names = [name for name, _ in model.visits]
    return dict(zip(names, (request.messages[-1].content for request in model.requests), strict=True))


async def test_visits_by_the_upper_confidence_bound():
    """The root is filled first; then the child of the larger mean + 1.4 * sqrt(ln N / n): by hand."""
    model = KnownModel(TABLE)
    samples = await grow(model, "coat:batch=1,width=2,depth=3", n=2, rounds=3)
    assert model.visits == [
        *FIRST,  # 1.0 has the larger mean
        *(("0.1 associate", "0.0"), ("0.1", "0.0")),  # 0.25 + 1.467 > (0.5 + 0.85) / 2 + 1.038
        *(("1.2 associate", "1.0"), ("1.2", "1.0")),  # 0.125 + 1.166 < 0.675 + 1.166, and there is room
        *(("1.3 associate", "1.1"), ("1.3", "1.1")),  # 1.0 is full; 1.1 is better than 1.2
        *(("0.2 associate", "0.0"), ("0.2", "0.0")),  # sample 1 has passed
        *(("0.3 associate", "0.1"), ("0.3", "0.1")),  # 0.0 is full; the first of equal ones
    ]
    assert [sample.best.passed for sample in samples] == [1, 4]
    assert_asked_once(model.requests)


async def test_an_association_that_helped_counts():
    """With a larger beta the same node is preferred to the one that was visited less."""
    model = KnownModel(TABLE)
    await grow(model, "coat:batch=1,width=2,depth=3,beta=0.2", n=2, rounds=3)
    assert model.visits[4:6] == [("1.2 associate", "1.0"), ("1.2", "1.0")]  # 0.725 + 1.038 > 0.25 + 1.467


async def test_what_helped_is_kept_and_what_did_not_is_not_recalled_again():
    """A repair is told its own line and those that helped; a line that did not is told to the next call."""
    model = KnownModel(TABLE)
    samples = await grow(model, "coat:batch=1,width=2,depth=3", n=2, rounds=3)
    told = prompts_of(model)
    assert (
        "recalled for the program above. Use it where it is right:\n\n```text\npitfall: the last"
        in told["1.1"]
    )
    assert "# What helped" not in told["1.1"]
    assert "- pitfall: the last one is left out" in told["0.1"].partition("# What helped")[2]
    assert "bound: 10^5" in told["0.1"].partition("# What may matter here")[2].partition("# What helped")[0]
    assert "# What did not help" not in told["1.2"]
    assert "- bound: 10^5" in told["1.2 associate"].partition("# What did not help")[2]
    assert [note.text for note in list_notes(samples) if note.helped] == [
        "pitfall: the last one is left out",
        "algorithm: two pointers, O(n)",
    ]
    assert not any("\n\n\n" in text for text in told.values())


@pytest.mark.parametrize("said", [CallError("refused"), "I do not know."])
async def test_without_an_association_it_is_a_repair(said):
    """It is asked all the same, and nothing is kept."""
    model = KnownModel({**TABLE, "1.1 associate": said})
    samples = await grow(model, "coat:batch=1,width=2,depth=3", n=2, rounds=1)
    assert ("1.1", "1.0") in model.visits
    assert "# What may matter here" not in prompts_of(model)["1.1"]
    assert samples[1].rounds[1].note == ""


async def test_a_tree_that_is_full_ends():
    """No node may get a child: `width` and `depth` hold, also within a batch."""
    model = KnownModel({}, "1000")
    samples = await grow(model, "coat:width=2,depth=3", n=1, rounds=30)
    assert sum(len(sample.rounds) for sample in samples) == 1 + 2 + 4
    assert len(model.requests) == 7 + 6


async def test_wrong_settings_are_told():
    """A width of 0 is no tree."""
    for wrong in ({"width": 0}, {"beta": -1.0}, {"c": float("nan")}):
        with pytest.raises(ValueError, match="at least"):
            Coat(**wrong)


async def test_a_first_sample_that_failed_is_not_replaced():
    """There are `n` samples at most; the others get the repairs."""
    model = KnownModel({"0.0": CallError("refused"), "1.0": "1000"})
    samples = await grow(model, "coat:batch=2", n=2, rounds=1)
    assert [len(sample.rounds) for sample in samples] == [1, 3]
