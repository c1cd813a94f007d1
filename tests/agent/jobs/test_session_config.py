"""What makes two runs the same, which model a name means, and how often a retry is told."""

from __future__ import annotations

import pytest

from sstar_code.agent.jobs.choices import Endpoint
from sstar_code.agent.jobs.session import make_config
from sstar_code.agent.models import OpenAIModel
from sstar_code.agent.models.choose import make_model
from sstar_code.agent.models.endpoint_pool import EndpointPool
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.telemetry import seldom as seldom_module
from sstar_code.agent.telemetry.seldom import Seldom
from sstar_code.problems import UserError


@pytest.mark.parametrize(
    ("endpoint", "more"),
    [
        (None, {"model": None}),
        (Endpoint("m"), {"model": "m"}),
        (
            Endpoint("m", system_role="user", max_thinking=9),
            {"model": "m", "max_thinking": 9, "system_role": "user"},
        ),
        (Endpoint("m", max_in_flight=3, call_timeout_s=1.0), {"model": "m"}),
    ],
)
def test_a_configuration_holds_what_changes_answers(endpoint, more):
    """What is at its default is left out; how calls are made is no part of it."""
    prompts = Prompts()
    config = make_config("label", endpoint, prompts, n=4)
    assert config == {"label": "label", "prompts": prompts.digest, "n": 4} | more


def test_a_retry_is_told_every_ten_seconds(monkeypatch):
    """With how many lines were kept back meanwhile."""
    clock, said = [100.0], []
    monkeypatch.setattr(seldom_module.time, "monotonic", lambda: clock[0])
    seldom = Seldom(said.append)
    for moment in (100.0, 101.0, 109.9, 110.0, 120.0):
        clock[0] = moment
        seldom("down")
    assert said == ["sstar: down", "sstar: down (2 more like it)", "sstar: down"]


def test_a_name_is_a_model_at_one_address_or_several(monkeypatch):
    """By argument, else by the environment, else on this machine; the same address counts once."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    one = make_model("m", base_url="http://10.0.0.1:1/v1")
    assert isinstance(one, OpenAIModel)
    assert (one.url, one._key) == ("http://10.0.0.1:1/v1", "k")
    assert not make_model("m")._key  # nobody gave that address
    assert make_model("m").max_in_flight == 128
    urls = ("http://10.0.0.1:1/v1", "http://10.0.0.1:2/v1", "http://10.0.0.1:1/v1")
    pool = make_model("m", base_url=urls, max_in_flight=7)
    assert isinstance(pool, EndpointPool)
    assert (len(pool.places), pool.max_in_flight) == (2, 7)
    assert repr(pool) == "EndpointPool('m', http://10.0.0.1:1/v1, http://10.0.0.1:2/v1)"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://10.0.0.3:1/v1 http://10.0.0.4:1/v1")
    assert len(make_model("m").places) == 2


@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("replay:", None, "-m replay: names no file; give replay:FILE"),
        (" ", None, "-m is empty; give a model's name at the endpoint, or replay:FILE"),
        (
            "m",
            "http://8.8.8.8/v1",
            "is a public address without encryption, OPENAI_API_KEY is not sent there",
        ),
    ],
)
def test_what_is_no_model(monkeypatch, name, url, words):
    """It is said before anything is asked."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(UserError, match=words):
        make_model(name, base_url=url)


def test_a_key_may_go_to_a_public_address_that_encrypts(monkeypatch):
    """Without a key any address will do."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert make_model("m", base_url="https://8.8.8.8/v1")._key == "k"
    monkeypatch.delenv("OPENAI_API_KEY")
    assert make_model("m", base_url="http://8.8.8.8/v1").url == "http://8.8.8.8/v1"
