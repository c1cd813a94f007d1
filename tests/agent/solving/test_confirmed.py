"""A round of repair after the choice: what failed an input with a confirmed output is mended and joins."""

from __future__ import annotations

import re
from dataclasses import asdict

import pytest

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.generation.lineage import Lineage, Round
from sstar_code.agent.jobs.estimate import estimate_run
from sstar_code.agent.jobs.evaluate import keep_solution
from sstar_code.agent.models.request import CallError
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.report.reason import give_reason
from sstar_code.agent.run.outcomes import Prices, ProblemOutcome, count_confirmed
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.confirmed import MOST_REPAIRS, repair_confirmed
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.solving.solve import solve
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Verdict
from sstar_code.selection import Selection
from sstar_code.selection.protocols import Derived

PROBLEM = Problem(
    "distance",
    "Write `distance(n)`: how far n is from 0.",
    Kind.FUNCTION,
    "distance",
    public_tests=(Test("2", "2"), Test("5", "5")),
)
RIGHT = "def distance(n):\n    return abs(n)\n"
WRONG = "def distance(n):\n    return n\n"
OTHER = "def distance(n):\n    return max(n, 0)\n"
MENDED = "def distance(n):\n    return n if n > 0 else -n\n"
SURE = Derived("-3", "3", 0.95, "the judge")


def fence(code):
    return f"```python\n{code}```"


def sample(number, code, *, passed=2):
    verdict = Verdict.AC if passed == 2 else Verdict.WA
    return Lineage(number, (Round(0, code, passed, 2, verdict),))


def choice(*derived, confidence=0.8):
    return Selection("adaptive", 0, confidence, ((0,), (1,), (2,)), derived=derived)


def repair(held, model, lineages, selection):
    """What `repair_confirmed` gives, with a real sandbox and this model."""

    async def run():
        context = SolveContext(model, held.sandbox, Prompts(), Settings(n=3, rounds=0))
        return await repair_confirmed(PROBLEM, context, lineages, selection)

    return held.call(run)


def test_what_fails_a_confirmed_input_is_repaired_and_stands_for_its_sample(sandbox_local):
    """The prompt shows the input as a failing test, and says that no test of the problem's is it."""
    model = ScriptedModel([fence(MENDED)])
    made = repair(sandbox_local, model, (sample(0, RIGHT), sample(1, WRONG)), choice(SURE))
    (request,) = model.requests
    text = request.messages[-1].content
    assert "distance(-3)" in text
    assert "passes its public tests, but not all further ones" in text
    assert "What the tests from 3 on have to give was worked out by hand, and may be wrong." in text
    assert "Public tests:" not in text
    assert (request.purpose.stage.value, request.purpose.sample, request.purpose.round) == ("debug", 1, 1)
    assert (made.tried, made.repaired, made.passed) == (1, 1, (3, 3))
    assert [lineage.code for lineage in made.lineages] == [RIGHT, MENDED]
    best = made.lineages[1].best
    assert (best.passed, best.total, best.confirmed, best.base) == (2, 2, 1, 0)


@pytest.mark.parametrize("answer", [fence(OTHER), fence(WRONG), "no program", CallError("filtered")])
def test_a_repair_that_fails_changes_nothing(sandbox_local, answer):
    """A program that still fails, the same one, none, or a failed call: the sample keeps its program."""
    made = repair(sandbox_local, ScriptedModel([answer]), (sample(0, RIGHT), sample(1, WRONG)), choice(SURE))
    assert (made.tried, made.repaired, made.passed) == (1, 0, (3, 2))
    assert made.lineages[1].code == WRONG
    assert not made.lineages[1].rounds[-1].error


@pytest.mark.parametrize(
    ("lineages", "selection"),
    [
        ((sample(0, RIGHT), sample(1, RIGHT)), choice(SURE)),
        ((sample(0, RIGHT), sample(1, WRONG)), choice()),
        ((sample(0, RIGHT), sample(1, WRONG)), choice(Derived("-3", "3", 0.8, "the judge"))),
        ((sample(0, RIGHT), sample(1, WRONG)), choice(SURE, confidence=0.96)),
        ((sample(0, RIGHT), sample(1, WRONG, passed=1), sample(2, "")), choice(SURE)),
    ],
    ids=["nothing fails", "nothing is confirmed", "not sure enough", "the choice is settled", "no survivor"],
)
def test_nothing_is_asked_where_nothing_can_be_won(sandbox_local, lineages, selection):
    """No call where no survivor fails, no output is sure enough, or the choice is settled."""
    model = ScriptedModel([])
    assert repair(sandbox_local, model, lineages, selection) is None
    assert model.requests == []


def test_the_price_is_bounded(sandbox_local):
    """However many samples fail, each program is repaired once, and at most two are."""
    texts = [WRONG, WRONG, OTHER, OTHER.replace("0", "0 + 0"), WRONG.replace("n\n", "n + 0\n")]
    model = ScriptedModel(lambda _: fence(MENDED))
    made = repair(sandbox_local, model, tuple(map(sample, range(5), texts)), choice(SURE))
    assert made.tried == len(model.requests) == MOST_REPAIRS
    assert {request.purpose.sample for request in model.requests} == {0, 2}  # of the clusters, one each


def judge(request):
    """First samples, mended programs, and the right answer to every question about `distance`."""
    purpose, text = request.purpose, request.messages[-1].content
    if purpose.stage == "generate":
        return fence([RIGHT, WRONG, OTHER][purpose.sample])
    if purpose.stage == "debug":
        return fence(MENDED)
    if not purpose.ordinal.startswith("choose"):
        return "nothing"
    shown = re.search(r"distance\((-?\d+)\)", text.partition("# Input")[2])
    outputs = re.findall(r"# Output ([A-D])\n+`+\w*\n(.*?)\n`+", text, re.DOTALL)
    right = [letter for letter, output in outputs if shown and output == str(abs(int(shown[1])))]
    return f"ANSWER: {right[0] if right else 'invalid'}"


def solve_once(held, store, *, on=True):
    """The solution, and how many calls the model answered for it."""

    async def run():
        model = ScriptedModel(judge)
        stored = StoredModel(model, store, Budget(), max_in_flight=4)
        settings = Settings(n=3, rounds=0, repair_confirmed=on)
        context = SolveContext(stored, held.sandbox, Prompts(), settings)
        return await solve(PROBLEM, context, ["adaptive", "first"]), len(model.requests)

    return held.call(run)


def test_the_choice_is_made_anew_and_nothing_is_asked_twice(sandbox_local):
    """Off it is the choice alone; on it repairs, chooses among what passes, and asks nothing when resumed."""
    store = Store()
    plain, asked = solve_once(sandbox_local, store, on=False)
    assert plain.confirmed == (0, 0)
    assert plain.program == RIGHT
    solution, more = solve_once(sandbox_local, store)
    assert asked > 0
    assert 0 < more <= MOST_REPAIRS
    assert solution.confirmed == (more, more)
    assert solution.program in (RIGHT, MENDED)
    assert solution.selection.calls == plain.selection.calls
    assert "confirmed input" in give_reason(
        solution.selection, problem=PROBLEM, candidates=solution.candidates
    )
    assert any(note.startswith(f"repair: {more} of {more} programs") for note in solution.selection.notes)
    again, none = solve_once(sandbox_local, store)
    assert none == 0
    assert asdict(again.selection) == asdict(solution.selection)
    outcome = keep_solution(solution, {}, store, graded=False)
    assert ProblemOutcome.from_json(outcome.to_json()) == outcome
    assert count_confirmed([outcome]) == {"confirmed": {"problems": 1, "repaired": more, "passing": more}}
    assert "confirmed" not in keep_solution(plain, {}, Store(), graded=False).to_json()
    assert count_confirmed([]) == {}


def test_an_estimate_counts_the_repairs():
    """At most two calls a problem more than without."""
    most = [
        estimate_run(
            [PROBLEM],
            Settings(n=4, repair_confirmed=on),
            Prompts(),
            model="m",
            prices=Prices(),
            methods=["adaptive"],
        ).most.calls
        for on in (False, True)
    ]
    assert most[1] - most[0] == MOST_REPAIRS
