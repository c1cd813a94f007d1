"""Choosing problems by what they say of themselves."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, UserError
from sstar_code.problems.sets.load import filter_problems

PROBLEMS = [
    Problem(
        "a1", "s", Kind.STDIN, metadata={"difficulty": "Hard", "tags": ["dp", "graphs"], "date": "2024-08-03"}
    ),
    Problem("a2", "s", Kind.FUNCTION, "f", metadata={"difficulty": "easy", "tags": [], "date": None}),
    Problem("b1", "s", Kind.STDIN, metadata={"difficulty": "medium", "rating": 1200}),
]


@pytest.mark.parametrize(
    ("terms", "ids"),
    [
        ([], "a1 a2 b1"),
        (["^a"], "a1 a2"),
        (["difficulty=hard"], "a1"),
        (["difficulty=hard,easy"], "a1 a2"),
        (["difficulty!=hard"], "a2 b1"),
        (["kind=stdin", "^a"], "a1"),
        (["tags=GRAPHS"], "a1"),
        (["date=2024-08"], "a1"),
        (["rating=1200"], "b1"),
        (["rating!=1200"], "a1 a2"),
        (["difficulty!=hard,easy,medium"], ""),
    ],
)
def test_terms_choose(terms, ids):
    """Ids by pattern, everything else by key; several terms all hold; letter case does not count."""
    assert [problem.id for problem in filter_problems(PROBLEMS, terms)] == ids.split()


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("(", "not a regular expression"),
        ("dificulty=hard", "no problem says its 'dificulty'; they say date, diff"),
        (
            "difficulty=hrad",
            r"no problem has this difficulty \(did you mean 'Hard'\?\); there are Hard, easy",
        ),
        ("date=2024-09", "no problem has this date; dates go from 2024-08-03 to 2024-08-03"),
        ("tags=trees", "no problem has this tags; there are dp, graphs"),
    ],
)
def test_a_wrong_term_says_what_there_is(term, message):
    """A pattern that is none, and a key that no problem has, are the user's mistakes."""
    with pytest.raises(UserError, match=message):
        filter_problems(PROBLEMS, [term])


def test_a_value_that_the_other_terms_left_none_of():
    """Only what the terms before it left is told, so that it is seen which two exclude each other."""
    with pytest.raises(UserError, match=r"of those left none has this difficulty; there are Hard$"):
        filter_problems(PROBLEMS, ["kind=stdin", "difficulty=hard", "difficulty=easy"])
