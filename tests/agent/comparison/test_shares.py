"""A budget is shared evenly, what one leaves goes to those that want more, and it is held."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sstar_code.agent.comparison.shares import first_shares, is_finished, next_shares, read_shares
from sstar_code.problems import UserError


def spend(shares, wants, call=10):
    """Every problem makes calls of 10 tokens until its cap is reached or it wants no more."""
    spent = {}
    for one, wanted in wants.items():
        used = 0
        while used < min(shares.caps[one], wanted):
            used += call
        spent[one] = used
    return spent


@hypothesis_settings(max_examples=80)
@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 3_000), min_size=1, max_size=9),
    st.integers(100, 9_000),
)
def test_the_budget_is_spent_and_held(wants, total):
    """Whoever wants more than an even share and has less than another got no chance to have it; none is over.

    The tokens of all are within a call a problem of the budget for candidates, and none of it is left while
    somebody wants more.
    """
    shares = first_shares(total, list(wants))
    limit = total - shares.kept
    while not shares.is_choosing:
        spent = spend(shares, wants)
        before, shares = shares, next_shares(shares, spent, 10.0, set())
        assert all(shares.caps[one] >= cap for one, cap in before.caps.items())
    assert sum(spent.values()) <= limit + 10 * len(wants)
    hungry = [one for one, wanted in wants.items() if spent[one] < wanted]
    if hungry and shares.number <= 6:
        assert sum(spent.values()) >= limit - 0.02 * total - 15 * len(wants)
        most = max(spent[one] for one in hungry)
        assert all(spent[one] >= most - 20 for one in hungry), "those that want more have had alike"
    assert next_shares(shares, spent, 10.0, set()).is_done


def test_what_one_leaves_goes_to_the_other():
    """Two share 1,600 tokens, 1,400 of them for candidates: 100 and 1,300 where the first wants no more."""
    wants = {"a": 100, "b": 9_000}
    shares = first_shares(1_600, list(wants))
    assert (shares.kept, shares.caps) == (200, {"a": 350, "b": 350})
    shares = next_shares(shares, spend(shares, wants), 10.0, set())
    assert (shares.caps, shares.reopened) == ({"a": 350, "b": 1_296}, ("b",))
    assert spend(shares, wants) == {"a": 100, "b": 1_300}


def test_the_choice_has_tokens_where_there_is_one():
    """What is left is for the problems with several candidates; the others are asked nothing more."""
    spent = {"a": 400, "b": 300, "c": 700}
    shares = first_shares(1_600, list(spent))
    shares = next_shares(shares, spent, 10.0, {"a", "c"})
    while not shares.is_choosing:
        shares = next_shares(shares, spent, 10.0, {"a", "c"})
    assert shares.choosing == {"a": 400 + 95, "b": 300, "c": 700 + 95}
    assert shares.reopened == ("a", "b", "c")


def test_nothing_is_kept_for_a_choice_that_asks_nothing():
    """All of the budget is for candidates then."""
    shares = first_shares(1_600, ["a"], keeps=False)
    assert (shares.kept, shares.caps) == (0, {"a": 800})
    over = next_shares(shares, {"a": 1_600}, 10.0, {"a"})
    assert (over.is_choosing, over.choosing) == (True, {"a": 1_600})


def test_shares_of_another_budget_are_told(tmp_path):
    """A folder's shares are for its budget and problems, and what is no such file is told."""
    first = first_shares(100, ["a"])
    assert read_shares(tmp_path, first) == read_shares(tmp_path, first) == first
    assert not is_finished(tmp_path)
    with pytest.raises(UserError, match="another budget"):
        read_shares(tmp_path, first_shares(200, ["a"]))
    for text in ("[]", "{}", "no", '{"total": 3}', '{"caps": {"a": "b"}}'):
        (tmp_path / "shares.json").write_text(text)
        with pytest.raises(UserError, match=r"shares\.json: not written by sstar"):
            read_shares(tmp_path, first)
        assert not is_finished(tmp_path)
