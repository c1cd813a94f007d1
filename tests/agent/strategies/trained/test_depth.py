"""`--strategy depth`: which of several models of one family each program is asked of."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.models import ModelUserError, OpenAIModel
from sstar_code.agent.run.store import Store
from sstar_code.agent.strategies.trained.depth import Depth
from sstar_code.agent.testing.server import chat
from tests.agent.conftest import RIGHT, WRONG
from tests.agent.strategies.known import KnownModel, grow

pytestmark = pytest.mark.anyio


def list_asked(model):
    """(round, the model's name) of every call, each once, in order."""
    return sorted({(request.purpose.round, request.extra["model"]) for request in model.requests})


@pytest.mark.parametrize(
    ("own", "strategy", "expected"),
    [
        ("coder", "depth", ["coder-r4"] * 3),
        ("coder-r1", "depth:r=8", ["coder-r8"] * 3),
        ("maker/coder-r16", "depth:r=2", ["maker/coder-r2"] * 3),
        ("judge", "depth:r=8,first=1,name=coder", ["coder-r1", "coder-r2", "coder-r4"]),
        ("coder-r1", "depth:r=3,first=2", ["coder-r2", "coder-r3", "coder-r3"]),
    ],
)
async def test_programs_are_asked_of_the_depth_that_was_chosen(own, strategy, expected):
    """NAME-rR for all rounds, or twice the depth with each repair, never over the most."""
    model = KnownModel({})
    model.name = own
    samples = await grow(model, strategy, n=2, rounds=2)
    assert list_asked(model) == list(enumerate(expected))
    assert [len(sample.rounds) for sample in samples] == [3, 3]


async def test_the_depths_do_not_share_answers():
    """The store of a run at one depth holds nothing for another: each is asked anew."""
    store, asked = Store(), []
    for strategy in ("depth:r=1", "depth:r=2", "depth:r=1"):
        model = KnownModel({"0.0": "1111"})
        await grow(model, strategy, n=1, rounds=0, store=store)
        asked.append(len(model.requests))
    assert asked == [1, 1, 0]


async def test_a_depth_that_is_not_served_is_told_in_one_line(serve):
    """The name that was asked for, and those that there are; one call, no retry."""
    server = serve(models=("coder-r1", "coder-r2"))
    async with OpenAIModel("coder-r1", base_url=server.base_url) as model:
        with pytest.raises(ExceptionGroup) as raised:
            await grow(model, "depth:r=4", n=1, rounds=0)
    (error,) = raised.value.exceptions
    assert isinstance(error, ModelUserError)
    assert str(error) == f"{server.base_url} does not serve 'coder-r4'; it serves: coder-r1, coder-r2"
    assert [call.body["model"] for call in server.received] == ["coder-r4"]


def test_a_run_at_several_depths(sstar, serve, write_set, isolated, folder):
    """First samples of the shallow model, a repair of the deeper one; what a depth lacks ends with exit 2."""
    server = serve(models=("coder-r1", "coder-r2"))
    server.respond = lambda body: server_says(body["model"])
    words = ["eval", write_set(), "-m", "coder-r1", "--base-url", server.base_url, "--n", "1", *isolated]
    ended = sstar(*words, "--strategy", "depth:r=2,first=1", "--rounds", "1", "--json", "--out", "run")
    assert (ended.code, ended.json["selected@1"]) == (0, 1.0), ended.err
    assert [call.body["model"] for call in server.received][:2] == ["coder-r1", "coder-r2"]
    assert json.loads((folder / "run" / "summary.json").read_text())["strategy"] == "depth:r=2,first=1"
    ended = sstar(*words, "--strategy", "depth:r=4", "--out", "other")
    assert ended.code == 2
    (line,) = [line for line in ended.err.splitlines() if "does not serve" in line]
    assert "'coder-r4'; it serves: coder-r1, coder-r2" in line


def server_says(name):
    """The shallow model is wrong, the deeper one right."""
    return chat(RIGHT if name == "coder-r2" else WRONG)


def test_a_roles_own_model_and_a_depth_do_not_go_together(sstar, serve, write_set):
    """Which of the two writes the programs would be unclear: one line, exit 2, nothing is asked."""
    server = serve(models=("coder", "pen"))
    words = ["eval", write_set(), "-m", "coder", "--base-url", server.base_url, "--strategy", "depth"]
    ended = sstar(*words, "--role-model", "editor=pen")
    assert ended.code == 2
    assert "--role-model editor=...: --strategy depth needs one model for all programs" in ended.err
    assert server.received == []


def test_the_loops_of_a_round():
    """From the first on twice as many, up to the most."""
    assert [Depth(r=8, first=1).loops(index) for index in range(5)] == [1, 2, 4, 8, 8]
    assert [Depth(r=6).loops(index) for index in range(2)] == [6, 6]
