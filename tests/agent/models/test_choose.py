"""Which model a name stands for, and where the key may go."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sstar_code.agent.models import (
    Answer,
    Message,
    OpenAIModel,
    Purpose,
    ReplayModel,
    Request,
    Stage,
    make_model,
)
from sstar_code.agent.models.recorded import Call, write_call
from sstar_code.problems import UserError
from tests.support import ROOT

CALL = Call(Request((Message("user", "x"),), Purpose("p", Stage.GENERATE)), Answer("y"))
ENVIRONMENT = {"OPENAI_API_KEY": "sk-1"}


@pytest.fixture
def settings(monkeypatch):
    """Set variables of the environment: `settings({...})`, those not named are not set."""

    def apply(environment):
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    apply({})
    return apply


def test_a_name_is_a_model_at_the_local_server(settings):
    """Without an address the server on this machine is meant, and the key is not sent there."""
    settings(ENVIRONMENT)
    model = make_model("org/name")
    assert isinstance(model, OpenAIModel)
    assert (model.name, model.base_url, model._key) == ("org/name", "http://localhost:8000/v1", "")


@pytest.mark.parametrize(
    ("given", "environment", "url", "key"),
    [
        ("https://api.openai.com/v1/", ENVIRONMENT, "https://api.openai.com/v1", "sk-1"),
        ("http://gpu-node:8000/v1", ENVIRONMENT, "http://gpu-node:8000/v1", "sk-1"),
        ("http://10.0.0.7:8000/v1", ENVIRONMENT, "http://10.0.0.7:8000/v1", "sk-1"),
        ("http://8.8.8.8/v1", {}, "http://8.8.8.8/v1", ""),
        (None, {**ENVIRONMENT, "OPENAI_BASE_URL": "https://a.example/v1"}, "https://a.example/v1", "sk-1"),
        ("https://b.example/v1", {"OPENAI_BASE_URL": "https://a.example/v1"}, "https://b.example/v1", ""),
    ],
)
def test_the_key_goes_to_the_address_that_was_given(settings, given, environment, url, key):
    """The flag wins over the environment's address, and an address that the user chose gets the key."""
    settings(environment)
    model = make_model("m", base_url=given)
    assert isinstance(model, OpenAIModel)
    assert (model.base_url, model._key) == (url, key)


def test_the_key_is_not_sent_in_clear_text_to_the_world(settings):
    """A public address without encryption is refused as long as a key would go there by itself."""
    settings(ENVIRONMENT)
    with pytest.raises(UserError, match=r"http://example\.com/v1 is a public address without encryption"):
        make_model("m", base_url="http://example.com/v1")
    settings({})
    assert isinstance(make_model("m", base_url="http://example.com/v1"), OpenAIModel)


def test_replay_names_a_file(tmp_path):
    """`replay:FILE` answers from the file and needs neither address nor key."""
    path = tmp_path / "calls.jsonl"
    path.write_text(write_call(CALL, "m"))
    assert isinstance(make_model(f"replay:{path}"), ReplayModel)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("vllm:org/name", "`pip install 'vllm>=0.26'`, or name the one of another environment"),
        ("vllm:", "give vllm:NAME or vllm:FOLDER"),
        ("replay:", "give replay:FILE"),
        ("replay:nowhere.jsonl", "nowhere.jsonl: no such recording"),
        ("  ", "-m is empty"),
    ],
)
def test_a_name_that_cannot_be_used_says_why(spec, words, monkeypatch, settings):
    """What is not there yet, not named or not found is one line with what to do."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError) as caught:
        make_model(spec)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_tag_after_a_colon_belongs_to_the_name(settings):
    """Names like `qwen:7b` are whole names."""
    assert make_model("qwen:7b").name == "qwen:7b"


def test_importing_models_loads_no_sdk():
    """`--help` must not pay for the SDK."""
    code = (
        "import sys, sstar_code.agent.models\n"
        "print([m for m in ('openai', 'httpx2', 'tenacity') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_example_of_the_page_runs():
    """The Python example of docs/operating/models.md does what it says."""
    page = (ROOT / "docs" / "operating" / "models.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "HELLO\n"
