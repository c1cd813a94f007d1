"""The schedule as a whole, on the simulated engine: saturated, urgent first, nothing lost, repeatable."""

from __future__ import annotations

import re

import anyio
import pytest

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.jobs.evaluate import evaluate
from sstar_code.agent.models import Message, OpenAIModel, Purpose, Request, RetryPolicy, Stage
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.sample import Sample
from sstar_code.agent.testing.simulator import (
    Engine,
    EngineSpec,
    Planned,
    SimulatedModel,
    Simulator,
    run_virtual,
)
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.fake import FakeSandbox

SPEC = EngineSpec(base_s=0.01, per_sequence_s=0.0005, per_prompt_token_s=0.0, max_num_seqs=16)


def make_problem(number: int) -> Problem:
    return Problem(
        id=f"p{number:02d}",
        statement=f"Problem {number}: print twice the integer.",
        kind=Kind.STDIN,
        public_tests=(Test(input="2\n", output="4"),),
    )


def make_request(number: int) -> Request:
    return Request((Message("user", f"Task {number}"),), Purpose(f"p{number}", Stage.GENERATE), seed=number)


class Logged:
    """Passes on to a simulated model, and remembers the purposes in order."""

    def __init__(self, model: SimulatedModel) -> None:
        self.name = model.name
        self.order: list[Purpose] = []
        self._model = model

    async def ask(self, request):
        self.order.append(request.purpose)
        return await self._model.ask(request)


def run_set(problems: int, n: int) -> tuple[list[Purpose], Engine, float]:
    """Evaluate on the leaping clock, the width learnt; what was asked in order, the engine, the makespan."""

    def plan(request):
        purpose = request.purpose
        dice = hash((int(purpose.problem_id[1:]), purpose.sample, purpose.round)) % 97
        kind = "right" if dice % 3 == 0 else "wrong"
        return Planned(f"```python\nKIND = '{kind} {dice}'\nprint(4)\n```", 20 + dice)

    async def main():
        engine = Engine(SPEC)
        async with SimulatedModel(engine, plan) as model, anyio.create_task_group() as group:
            logged = Logged(model)
            stored = StoredModel(logged, Store(), Budget())
            group.start_soon(stored.watch_load, model.read_load)
            await evaluate(
                [make_problem(number) for number in range(problems)],
                SolveContext(
                    stored,
                    FakeSandbox(lambda program, _: "4" if "right" in program.code else "5"),
                    Prompts(None),
                    Settings(n=n, rounds=2, select="first"),
                ),
                Store(),
                most_open=lambda: 1_000,
                wait_for_capacity=stored.wait_for_capacity,
                on_problem=lambda _, **__: None,
            )
            group.cancel_scope.cancel()
        return logged.order, engine, anyio.current_time()

    return run_virtual(main)


def test_the_engine_is_full_and_old_problems_are_repaired_first():
    """Near the engine's limit until the tail; the first problem is mended before the last is begun."""
    order, engine, makespan_s = run_set(24, 8)
    assert sum(purpose.stage is Stage.GENERATE for purpose in order) == 192
    assert makespan_s < 1.4 * engine.written_tokens / SPEC.tokens_per_s
    assert engine.running_seconds / makespan_s > 0.75 * SPEC.max_num_seqs
    repairs = [
        place
        for place, purpose in enumerate(order)
        if (purpose.problem_id, purpose.stage) == ("p00", Stage.DEBUG)
    ]
    assert repairs
    assert max(repairs) < max(place for place, item in enumerate(order) if item.stage is Stage.GENERATE)


def test_the_same_run_asks_in_the_same_order():
    """Nothing in the schedule is left to chance."""
    assert run_set(6, 4)[0] == run_set(6, 4)[0]


@pytest.mark.anyio
async def test_a_server_that_refuses_gets_every_call_in_the_end():
    """With a short line that answers 503, the width shrinks to what fits and no call is lost."""
    spec = EngineSpec(0.001, 0.0001, 0.0, max_num_seqs=8, max_num_queued_reqs=4)
    policy = RetryPolicy(attempts=4, first_wait_s=0.02, max_busy_wait_s=0.1)
    with Simulator(spec, lambda _: Planned("x" * 40, 20)) as server:
        model = OpenAIModel("tiny", base_url=server.base_url, retry_policy=policy, on_retry=lambda _: None)
        async with model, anyio.create_task_group() as group:
            stored = StoredModel(model, Store(), Budget())
            model.on_busy = lambda: stored.concurrency.refuse(anyio.current_time())
            group.start_soon(stored.watch_load, model.read_load)
            async with anyio.create_task_group() as asking:
                for number in range(120):
                    asking.start_soon(stored.ask, make_request(number))
            group.cancel_scope.cancel()
        assert stored.asked == 120
        assert len({str(received.body) for received in server.received}) == 120
        assert stored.concurrency.is_settled
        assert stored.concurrency.width < 64


@pytest.mark.anyio
async def test_a_program_runs_while_other_answers_are_being_written():
    """The first answer's program is in the sandbox long before the last answer has its last token."""
    ran: list[int] = []

    def plan(body):
        text = f"```python\nSEED = {body['seed']}\nprint(4)\n```"
        return Planned(text, 10 if body["seed"] == 2 else 60)

    def happen(program, _):
        ran.append(int(re.search(r"SEED = (\d+)", program.code).group(1)))
        running.append(len(server.engine.running))
        return "4"

    running: list[int] = []
    with Simulator(SPEC, plan) as server:
        async with OpenAIModel("tiny", base_url=server.base_url) as model:
            context = SolveContext(model, FakeSandbox(happen), Prompts(None), Settings(n=4, rounds=0))
            await Sample()(make_problem(0), context, lambda _: None)
    assert (ran[0], sorted(ran)) == (2, [0, 1, 2, 3])
    assert running[0] == 3, "the others were still being written"


@pytest.mark.anyio
async def test_a_withdrawn_call_stops_the_servers_writing():
    """The server learns that nobody waits any more, and writes no further."""
    with Simulator(SPEC, lambda _: Planned("x" * 40_000, 10_000)) as server:
        async with OpenAIModel("tiny", base_url=server.base_url) as model, anyio.create_task_group() as group:
            stored = StoredModel(model, Store(), Budget(), max_in_flight=4)

            async def ask(number):
                with pytest.raises(Exception, match="withdrawn"):
                    await stored.ask(make_request(number))

            group.start_soon(ask, 0)
            with anyio.fail_after(180):
                while not server.engine.running:  # noqa: ASYNC110 - of another thread
                    await anyio.sleep(0.01)
                assert stored.cancel("p0") == 1
                while server.engine.running:  # noqa: ASYNC110 - of another thread
                    await anyio.sleep(0.01)
