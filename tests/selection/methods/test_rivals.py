"""Methods without a model that others have published, and answering only what is sure."""

from __future__ import annotations

import pytest

from sstar_code.selection import METHODS, Candidate, Selection
from sstar_code.selection.pool import withhold

pytestmark = pytest.mark.anyio

EXACT = "import math\ndef f(n):\n    return n >= 0 and math.isqrt(n) ** 2 == n"
OTHER = (
    "import math as m\ndef f(number):\n    root = m.isqrt(max(0, number))\n    return number == root * root"
)
NEVER = "def f(n):\n    return n == 16"


@pytest.mark.parametrize("name", ["functional", "diffcode"])
async def test_the_largest_cluster_is_taken_and_nothing_asked(make_pool, scripted_ask, name):
    """Three programs of equal behaviour against two, also with a model at hand."""
    ask = scripted_ask(inputs="```json\n[[4]]\n```")
    codes = [NEVER, NEVER + "\nx = 0", EXACT, EXACT + "\nx = 0", OTHER]
    selection = await METHODS[name](make_pool(codes, ask))
    assert selection.method == name
    assert selection.chosen in (2, 3)
    assert (ask.asked, selection.calls) == ([], 0)


async def test_confidence_counts_those_that_fail_public_tests(make_pool):
    """Two of two survivors agree, of four that were written: half. An empty program was not written."""
    failing = [Candidate(NEVER + f"\nx = {place}", 1, 2) for place in range(2)]
    candidates = [EXACT, OTHER, *failing, Candidate("", 0, 2)]
    assert (await METHODS["functional"](make_pool(candidates))).confidence == 0.5
    assert (await METHODS["majority"](make_pool(candidates))).confidence == 1.0


async def test_the_medoid_is_the_text_most_like_the_others(make_pool):
    """The one that shares most words with two others that behave alike is taken, not the first."""
    codes = [OTHER, EXACT + "\nunused = 0", EXACT]
    assert (await METHODS["diffcode"](make_pool(codes))).chosen in (1, 2)


@pytest.mark.parametrize(
    ("confidence", "least", "chosen"),
    [(0.7, None, 3), (None, None, 3), (0.7, 0.7, 3), (0.69, 0.7, None), (None, 0.0, None), (0.0, 0.0, 3)],
)
def test_an_unsure_choice_is_withheld(confidence, least, chosen):
    """Below the confidence asked for, or where it is not known, nothing is chosen, and a note says so."""
    made = withhold(Selection("m", 3, confidence, notes=("seen",)), least)
    assert made.chosen == chosen
    assert made.notes[0] == "seen"
    assert ("no answer" in made.notes[-1]) is (chosen is None)
