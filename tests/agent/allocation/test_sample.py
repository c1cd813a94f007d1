"""A set sampled in waves: stops early, gives up, spends where it is worth most, resumes; a scripted model."""

from __future__ import annotations

from contextlib import closing

import anyio
import pytest

from sstar_code.agent.allocation.plan import DecisionLog, plan_allocation
from sstar_code.agent.calls.budget import Budget, BudgetSpentError
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.jobs.evaluate import evaluate
from sstar_code.agent.models import Answer, Stage, Usage, request_key
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.fake import FakeSandbox

pytestmark = pytest.mark.anyio
SETTINGS = Settings(n=24, least=2, rounds=2, select="first")
COST = 100


@pytest.fixture(autouse=True)
def _no_baselines(monkeypatch):
    """Only the method asked for: what `majority` finds out has nothing to do with waves."""
    monkeypatch.setattr("sstar_code.agent.jobs.evaluate.BASELINES", ())


class KilledError(BaseException):
    """Stands for kill -9: nothing after it is written, and no part of the product catches it."""


class Scripted:
    """Writes what `write(problem_id, stage, sample)` says; dies at the call number `dies_at`."""

    name = "scripted"

    def __init__(self, write, dies_at=None) -> None:
        self.asked = []
        self._write, self._dies_at = write, dies_at

    async def ask(self, request):
        self.asked.append(request)
        if len(self.asked) == self._dies_at:
            raise KilledError
        purpose = request.purpose
        await anyio.sleep(0.0001 * (purpose.sample % 3))
        text = self._write(purpose.problem_id, purpose.stage, purpose.sample)
        program = f"NAME = {text!r}\n"
        return Answer(f"```python\n{program}```", usage=Usage(prompt=COST // 2, output=COST // 2))


def make_problem(name: str) -> Problem:
    return Problem(name, f"Task {name}: print a number.", Kind.STDIN, public_tests=(Test("1 2\n", "right"),))


def happen(program, text):
    """A program does what its name says: passes the public test or not, else prints its last word."""
    verdict, _, behaviour = program.code.split("'")[1].partition(" ")
    return verdict if text == "1 2\n" else behaviour


def write(problem_id, stage, sample):
    """By name: `easy` agrees, `split` never, `hopeless` never passes, `mendable` only when repaired."""
    if problem_id.startswith("easy"):
        return "right same"
    if problem_id.startswith("split"):
        return f"right {sample % 2}"
    return "right same" if problem_id.startswith("mendable") and stage is Stage.DEBUG else "wrong same"


async def run_set(names, model, store, *, budget=None, settings=SETTINGS):
    """Evaluate; the outcomes by id, and what each problem's samples cost."""
    budget, problems = budget or Budget(), [make_problem(name) for name in names]
    stored = StoredModel(model, store, budget, max_in_flight=8)
    allocation = plan_allocation(settings, budget, store, len(problems))
    model.stored = stored
    outcomes = await evaluate(
        problems,
        SolveContext(stored, FakeSandbox(happen), Prompts(None), settings, allocation=allocation),
        store,
        most_open=lambda: 8,
        wait_for_capacity=stored.wait_for_capacity,
        on_problem=lambda _, **__: None,
    )
    return {outcome.problem_id: outcome for outcome in outcomes}


async def test_stops_early_gives_up_mends_and_goes_on():
    """Few samples where they agree, all where they do not, repairs where these pass; ends have reasons."""
    store = Store()
    names = ["easy", "split", "hopeless", "mendable-a", "mendable-b"]
    found = await run_set(names, Scripted(write), store, settings=SETTINGS)
    drawn = {name: len(outcome.samples) for name, outcome in found.items()}
    assert drawn["easy"] <= 6
    assert drawn["split"] == 24
    assert drawn["mendable-a"] < 24
    assert found["mendable-a"].solved
    ends = {name: DecisionLog(store).of(name)[-1] for name in names}
    assert all(end.kind == "stop" for end in ends.values())
    assert "survivors agree" in ends["easy"].why
    assert "none of" in ends["hopeless"].why


async def test_hopeless_problems_are_given_up():
    """Where little passes, the end comes long before the most that was asked for, with the reason."""
    store, settings = Store(), Settings(n=100, least=2, rounds=0, select="first")
    found = await run_set(
        [f"hopeless-{number}" for number in range(8)], Scripted(write), store, settings=settings
    )
    assert max(len(outcome.samples) for outcome in found.values()) <= 60
    assert "none of" in DecisionLog(store).of("hopeless-0")[-1].why


async def test_what_settles_the_wave_withdraws_the_rest():
    """The late ones of a wave are not waited for when those that are in agree; the log says which."""

    class Late(Scripted):
        async def ask(self, request):
            if request.purpose.sample == 9:
                await anyio.sleep(3_600)
            return await super().ask(request)

    def turn(_problem_id, _stage, sample):
        return f"right {sample % 2}" if sample < 8 else "right 0"

    with closing(Store()) as store:
        with anyio.fail_after(180):
            settings = Settings(n=24, least=8, rounds=0, select="first")
            found = await run_set(["turning"], Late(turn), store, settings=settings)
        steps = DecisionLog(store).of("turning")
    samples = [sample.sample for sample in found["turning"].samples]
    assert 9 not in samples
    assert (steps[-1].kind, 9 in steps[-1].dropped) == ("stop", True)
    assert found["turning"].chosen["first"] == 0


async def test_scarce_tokens_go_where_they_are_worth_most():
    """With a total that is too small for all, the disputed get what the settled leave; the total holds."""
    names = [*[f"easy-{number}" for number in range(6)], "split-a", "split-b"]
    total = (8 * 2 + 20 + 8 * 2) * COST
    model = Scripted(write)
    settings = Settings(n=24, least=2, rounds=0, select="first")
    found = await run_set(names, model, Store(), budget=Budget(max_tokens_total=total), settings=settings)
    drawn = {name: len(outcome.samples) for name, outcome in found.items()}
    assert len(model.asked) * COST <= total
    assert min(drawn["split-a"], drawn["split-b"]) > max(drawn[f"easy-{number}"] for number in range(6))
    assert sum(drawn.values()) > 8 * 2


async def test_a_problem_keeps_to_its_cap():
    """The cap of a problem ends its waves, and holds with a fixed number of samples too."""
    for settings in (SETTINGS, Settings(n=12, rounds=0, select="first")):
        model = Scripted(write)
        found = await run_set(
            ["split"], model, Store(), budget=Budget(max_tokens_problem=700), settings=settings
        )
        # in flight at the end: eight calls, for a fixed number
        assert len(model.asked) <= 7 + (0 if settings.least else 8)
        assert found["split"].solved


async def test_seconds_end_a_run_of_waves():
    """When the time is over no wave is begun; what is finished stays."""
    with pytest.raises(BaseExceptionGroup) as ended:
        await run_set(["split"], Scripted(write), Store(), budget=Budget(max_seconds=0.0))
    assert ended.group_contains(BudgetSpentError)


@pytest.mark.parametrize("dies_at", [1, 3, 8, 13, 21, 34])
async def test_kill_and_resume_gives_the_same_and_asks_nothing_twice(tmp_path, dies_at):
    """Killed anywhere and started again, a run keeps its steps and answers and comes to the same choices."""
    names = ["easy", "split", "mendable-a", "mendable-b"]
    with closing(Store()) as whole:
        expected = await run_set(names, Scripted(write), whole)
    model = Scripted(write, dies_at)
    with closing(Store(tmp_path / "run.db")) as store:
        with pytest.raises(BaseExceptionGroup) as ended:
            await run_set(names, model, store)
        assert ended.group_contains(KilledError)
    with closing(Store(tmp_path / "run.db")) as store:
        before, answered = (
            {name: list(DecisionLog(store).of(name)) for name in names},
            len(list(store.answers())),
        )
        again = Scripted(write)
        found = await run_set(names, again, store)
        kept = {name: DecisionLog(store).of(name)[: len(steps)] for name, steps in before.items()}
        assert len(list(store.answers())) == answered + len(again.asked) - again.stored.withdrawn
    assert kept == before
    asked = [request_key(request) for request in again.asked]
    assert len(set(asked)) == len(asked)
    assert {name: (outcome.solved, outcome.chosen["first"]) for name, outcome in found.items()} == {
        name: (outcome.solved, outcome.chosen["first"]) for name, outcome in expected.items()
    }
    with closing(Store(tmp_path / "run.db")) as store:
        third = Scripted(write)
        assert await run_set(names, third, store) == found
        assert third.asked == []


async def test_stored_steps_decide_alone(tmp_path):
    """A run whose answers and steps are kept but whose problem is not finished takes the same steps again."""
    with closing(Store(tmp_path / "run.db")) as store:
        found = await run_set(["split", "easy"], Scripted(write), store)
        steps = {name: list(DecisionLog(store).of(name)) for name in ("split", "easy")}
        store.reopen(["split"])
        model = Scripted(write)
        assert (await run_set(["split", "easy"], model, store))["split"] == found["split"]
        assert model.asked == []
        assert {name: DecisionLog(store).of(name) for name in ("split", "easy")} == steps
