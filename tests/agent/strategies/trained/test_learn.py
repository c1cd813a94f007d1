"""Learning from feedback, on known programs: what is learnt when, who is tried again, and when it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.jobs.choices import Endpoint, serve_for
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.table import choose_strategy, parse_strategy
from sstar_code.problems import UserError
from sstar_code.sandbox.fake import FakeSandbox
from tests.agent.strategies.known import (
    PROBLEM,
    PROMPTS,
    KnownAdapters,
    KnownModel,
    assert_asked_once,
    grow,
    happen,
)

pytestmark = pytest.mark.anyio
TABLE = {
    "0.0": "1000",
    "1.0": "0100",
    "2.0": "1111",
    "0.1 learnt": "0000",
    "1.1 learnt": "1111",
    "0.2 learnt": "1110",
}


async def test_who_failed_is_asked_the_same_again_of_a_model_that_learnt():
    """A step learns what failed programs did; then each sample that fails asks its first question again."""
    model, adapters = KnownModel(TABLE), KnownAdapters()
    samples = await grow(model, "learn", n=3, rounds=2, adapters=adapters)
    first, learnt, last = model.requests[:3], model.requests[3:5], model.requests[5:]
    assert [request.extra for request in first] == [{}] * 3
    assert [request.extra for request in learnt] == [{"model": adapters.trainings[0].name}] * 2
    assert [request.extra for request in last] == [{"model": adapters.trainings[1].name}]
    assert {request.messages for request in model.requests} == {first[0].messages}
    assert_asked_once(model.requests)
    assert [sample.best.passed for sample in samples] == [3, 4, 4]
    one, two = adapters.trainings
    assert two.steps[:1] == one.steps, "a second step begins where the first one ended"
    assert [len(step) for step in two.steps] == [2, 1]
    (of_first, of_second), (again,) = two.steps
    assert of_first.messages == first[0].messages
    assert "# 0.0\n```" in of_first.answer
    assert "# 1.0" in of_second.answer
    assert "# 0.1" in again.answer, "the last program is the trial, not the best"
    assert of_first.feedback.startswith("Your answer is incorrect.\nPublic tests: 1 passed")
    assert "wrong 0" in of_first.feedback
    assert adapters.open == 0


async def test_the_models_own_program_stays_where_the_changed_model_is_no_better():
    """A changed model's program stands for a sample only where it passes more tests."""
    model = KnownModel({"0.0": "1100", "0.1 learnt": "0011", "0.2 learnt": "0000"})
    (sample,) = await grow(model, "learn", n=1, rounds=2)
    assert sample.best.index == 0
    assert len(sample.rounds) == 3


async def test_it_takes_no_more_steps_than_four_whatever_the_rounds():
    """`rounds` or `steps`, the fewer."""
    for strategy, rounds, steps in (("learn", 9, 4), ("learn", 2, 2), ("learn:steps=1", 9, 1)):
        model, adapters = KnownModel({}), KnownAdapters()
        await grow(model, strategy, n=2, rounds=rounds, adapters=adapters)
        assert len(adapters.trainings) == steps
        assert len(model.requests) == 2 * (1 + steps)
        assert parse_strategy(strategy).most_calls(Settings(n=2, rounds=rounds)) == 2 * (1 + steps)


async def test_a_model_that_sharpens_on_its_mistakes_learns_no_more():
    """Four different failing programs become one: below half of them no further step is taken."""
    same = '```python\nPASSES = "0010"\n```'
    table = {f"{number}.0": f"{number:04b}" for number in range(4)}
    sharp = table | {f"{number}.1 learnt": same for number in range(4)}
    for strategy, trainings in (("learn", 1), ("learn:keep=0.2", 3)):
        adapters = KnownAdapters()
        await grow(KnownModel(sharp), strategy, n=4, rounds=3, adapters=adapters)
        assert len(adapters.trainings) == trainings


async def test_the_published_sentence_is_learnt_where_asked_for():
    """With `plain`; a program that two samples wrote is one trial."""
    same, adapters = '```python\nPASSES = "0010"\n```', KnownAdapters()
    model = KnownModel({"0.0": same, "1.0": same, "2.0": "no program"})
    await grow(model, "learn:plain=yes,rate=0.01", n=3, rounds=1, adapters=adapters)
    (training,) = adapters.trainings
    assert [trial.feedback for trial in training.steps[0]] == ["Your answer is incorrect."]
    assert training.rate == 0.01


async def test_a_learned_optimizer_makes_the_steps(tmp_path):
    """With `optimizer`; all else is as without."""
    file, adapters = tmp_path / "optimizer.safetensors", KnownAdapters()
    file.write_bytes(b"weights")
    await grow(KnownModel({}), f"learn:optimizer={file},steps=2", n=1, rounds=4, adapters=adapters)
    assert [training.optimizer for training in adapters.trainings] == [str(file)] * 2
    assert adapters.trainings[0].steps == adapters.trainings[1].steps[:1]


async def test_without_a_program_there_is_nothing_to_learn_from():
    """Samples whose answers held none end as they are."""
    adapters = KnownAdapters()
    model = KnownModel({f"{number}.0": "none" for number in range(2)})
    samples = await grow(model, "learn", n=2, rounds=2, adapters=adapters)
    assert adapters.trainings == []
    assert [sample.code for sample in samples] == [None, None]


@pytest.mark.parametrize("text", ["learn:steps=5", "learn:rate=0", "learn:keep=2", "learn:steps=x"])
def test_settings_that_cannot_be_are_one_line(text):
    """A step more than four, too."""
    with pytest.raises(UserError, match=r"^--strategy learn: .*must be"):
        parse_strategy(text)


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        (Endpoint("replay:calls.jsonl"), "is a recording.*-m vllm:MODEL"),
        (Endpoint("org/m", ("http://127.0.0.1:8000/v1",)), "is served by others.*-m vllm:MODEL"),
        (Endpoint("vllm:org/m", role_models=("editor=other",)), "--role-model editor"),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused_before_it_is_asked(endpoint, told):
    """In one line that says what to do; with other strategies the endpoint is as it was."""
    with pytest.raises(UserError, match=told):
        serve_for(endpoint, Settings(), Settings(strategy="learn"))
    assert serve_for(endpoint, Settings(strategy="sample")) is endpoint


def test_a_model_that_is_served_here_is_served_for_learning():
    """A judge of its own changes nothing of that."""
    endpoint = Endpoint("vllm:org/m", role_models=("selector=judge",))
    made = serve_for(endpoint, Settings(strategy="learn"))
    assert made == replace(endpoint, learns=True)
    assert not made.roles["selector"].learns


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("optimizer=nowhere.safetensors", "optimizer=nowhere.safetensors must be a file that can be read"),
        ("optimizer=.", "optimizer=. must be a file that can be read"),
        ("optimizer=there,rate=1e-3", "optimizer must be given without rate"),
    ],
)
def test_an_optimizer_that_cannot_be_is_one_line(settings, told, sstar, tmp_path, monkeypatch):
    """With exit code 2, before a model is started."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").touch()
    ended = sstar("eval", "lists", "-m", "vllm:org/m", "--strategy", f"learn:{settings}")
    assert ended.code == 2
    assert f"learn: {told}" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("command", ["serve", "mcp"])
def test_a_command_for_many_clients_does_not_learn(command, sstar):
    """One line and exit code 2, before anything is opened."""
    ended = sstar(command, "-m", "vllm:org/m", "--strategy", "learn")
    assert ended.code == 2
    assert f"not with sstar {command}; use sstar solve, eval" in ended.err


async def test_a_command_that_serves_no_adapters_says_so():
    """As `sstar serve`, or a model that was given as an object."""
    settings, model = Settings(strategy="learn"), KnownModel({})
    stored = StoredModel(model, Store(), Budget(), max_in_flight=2)
    context = SolveContext(stored, FakeSandbox(happen), PROMPTS, settings)
    with pytest.raises(UserError, match="it needs a model that is served and trained here: -m vllm:MODEL"):
        await choose_strategy(settings)(PROBLEM, context, lambda _: None)
    assert model.requests == []
