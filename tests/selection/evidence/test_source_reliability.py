from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sstar_code.selection import Candidate
from sstar_code.selection.evidence.weights import measure_reliability

CANDIDATES = st.builds(
    Candidate,
    st.just("x"),
    st.integers(0, 1),
    st.just(1),
    sources=st.lists(st.sampled_from(["a", "b/1", "b/2", "c"]), max_size=2).map(tuple),
)


def test_better_sources_are_trusted_more():
    """The rate of public passes orders the sources; problems without public tests say nothing."""
    good = [Candidate("x", 1, 1, sources=("good",)), Candidate("y", 0, 1, sources=("bad",))]
    rates = measure_reliability([*[good] * 10, [Candidate("z", 0, 0, sources=("bad",))]])
    assert rates["good"] > 0.8
    assert rates["bad"] < 0.2


def test_a_rare_source_is_judged_by_its_model():
    """One candidate says little, so its source is believed to be like others of the same model."""
    many = [[Candidate("x", 1, 1, sources=("m/plain",)), Candidate("y", 0, 1, sources=("n/plain",))]] * 20
    rare = [Candidate("z", 0, 1, sources=("m/rare",)), Candidate("z", 1, 1, sources=("n/rare",))]
    rates = measure_reliability([*many, rare])
    assert rates["m/rare"] > rates["n/rare"]


@given(st.lists(st.lists(CANDIDATES, max_size=4), max_size=6), st.randoms())
def test_trust_is_a_share_and_order_is_nothing(problems, rng):
    """Every source named gets a rate between 0 and 1, whatever the order of problems and candidates."""
    rates = measure_reliability(problems)
    assert set(rates) == {source for one in problems for candidate in one for source in candidate.sources}
    assert all(0 < rate < 1 for rate in rates.values())
    shuffled = [rng.sample(one, len(one)) for one in rng.sample(problems, len(problems))]
    assert measure_reliability(shuffled) == rates
