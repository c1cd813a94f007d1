"""Choices for an endpoint: sampling flags, an estimate beforehand, prices, and where a key goes."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.jobs.choices import Endpoint
from sstar_code.agent.models import ModelUserError
from sstar_code.agent.models.scrub import scrub, scrub_values
from sstar_code.agent.run.prices import read_price_list
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.testing.server import Reply, ServerDouble, chat
from sstar_code.problems import UserError
from tests.support.client import KEY, make_client, make_request

RIGHT = "```python\nprint(int(input()) * 2)\n```"
FLAGS = {
    "--top-p": ("0.9", "top_p", 0.9),
    "--top-k": ("20", "top_k", 20),
    "--min-p": ("0.05", "min_p", 0.05),
    "--reasoning-effort": ("high", "reasoning_effort", "high"),
    "--extra-body": (
        '{"chat_template_kwargs": {"thinking": false}}',
        "chat_template_kwargs",
        {"thinking": False},
    ),
}


def test_sampling_flags_reach_every_call_and_the_manifest(sstar, serve, write_set, isolated, folder):
    """They are in each body and in the configuration, and another value is another run."""
    server = serve(RIGHT)
    words = [
        "eval",
        write_set(),
        "-m",
        "tiny",
        "--base-url",
        server.base_url,
        "--n",
        "2",
        "--select",
        "first",
    ]
    words += ["--out", "run", *isolated]
    given = [word for flag, (text, _, _) in FLAGS.items() for word in (flag, text)]
    assert sstar(*words, *given).code == 0
    config = json.loads((folder / "run" / "manifest.json").read_text())["config"]
    for _, name, value in FLAGS.values():
        assert config[name] == value
        assert all(received.body[name] == value for received in server.received)
    other = sstar(*words, *given, "--top-p", "0.5")
    assert (other.code, "top_p was 0.9, is 0.5" in other.err) == (2, True)
    assert "top_p was 0.9, is None" in sstar(*words).err


def test_greedy_is_one_sample_at_temperature_0(sstar, serve, write_set, isolated):
    """Whatever the other settings are."""
    server = serve(RIGHT)
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--greedy", *isolated]
    assert sstar(*words).code == 0
    assert [received.body["temperature"] for received in server.received] == [0.0]
    assert Settings(n=8, least=2, greedy=True).as_json() == Settings(n=1, temperature=0.0).as_json()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "must be a JSON object"),
        ("[1]", "must be a JSON object"),
        ("[" * 100_000, "must be a JSON object"),
        ('{"a": NaN}', "must be a JSON object"),
        (f'{{"a": {"9" * 5_000}}}', "must be a JSON object"),
        ('{"n": 4, "stream": true}', "n, stream cannot be given"),
    ],
)
def test_a_body_that_cannot_be_is_refused(text, why):
    """Before anything is asked, with the flag."""
    with pytest.raises(UserError, match=why) as caught:
        Endpoint(extra_body=text)
    assert "--extra-body" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_dry_run_asks_nothing_and_tells_what_it_assumes(sstar, serve, write_set, folder):
    """Calls, tokens and cost at least, expected and at most; no server is looked at, no folder is made."""
    (folder / "prices.json").write_text(
        '{"date": "2026-01-02", "models": {"tiny": {"prompt": 1, "output": 2}}}'
    )
    words = ["-m", "any/tiny", "--base-url", "http://127.0.0.1:1/v1", "--dry-run", "--prices", "prices.json"]
    found = sstar("eval", write_set(), *words, "--n", "4", "--json").json
    assert [found[name]["calls"] for name in ("least", "expected", "most")] == [4, 10, 20]
    for count in (found["least"], found["expected"], found["most"]):
        assert count["cost"] == pytest.approx((count["prompt"] + 2 * count["output"]) / 1e6)
    shown = sstar("solve", write_set() + "#double", *words)
    assert shown.code == 0
    assert "at most" in shown.out
    assert "assumed: a token is 3.5 bytes" in shown.out
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        ("", 12),
        ("--strategy beam:lookahead=1", 24),
        ("--strategy tree:programs=30", 30),
        ("--strategy tpo:samples=3", 4 + 2 * (2 + 3)),
        ("--strategy depth:r=8,first=2", 12),
        ("--style plan", 13),
    ],
)
def test_a_dry_run_counts_every_call_of_a_strategy(sstar, write_set, words, calls):
    """Four samples and two rounds: at most as many calls as the strategy and the style may make."""
    always = ["-m", "tiny", "--dry-run", "--json", "--n", "4", "--rounds", "2", "--select", "random"]
    found = sstar("eval", write_set(), *always, *words.split()).json
    without = sstar("eval", write_set(), *always, "--rounds", "0").json
    assert found["most"]["calls"] - without["most"]["calls"] == calls - 4
    assert found["least"]["calls"] == 4 + (words == "--style plan")


def test_a_dry_run_without_prices_says_so(sstar, write_set):
    """The list that comes along is dated; a model that is in no list has no cost."""
    assert "give --prices FILE" in sstar("eval", write_set(), "-m", "tiny", "--dry-run").out
    assert (
        "the list that comes with sstar of 20" in sstar("eval", write_set(), "-m", "gpt-5.4", "--dry-run").out
    )


def test_prices_of_a_file_count_in_the_summary(sstar, serve, write_set, isolated, folder):
    """LiteLLM's form too; a model that is not in the file is the user's to add."""
    row = {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}
    (folder / "prices.json").write_text(json.dumps({"openai/tiny": row, "sample_spec": {"mode": "chat"}}))
    server = serve(lambda _: chat(RIGHT, usage={"prompt_tokens": 100, "completion_tokens": 50}))
    words = [
        "eval",
        write_set(),
        "--base-url",
        server.base_url,
        "--n",
        "1",
        "--prices",
        "prices.json",
        *isolated,
    ]
    assert sstar(*words, "-m", "tiny", "--out", "run").code == 0
    assert json.loads((folder / "run" / "summary.json").read_text())["cost"]["total"] == 0.0002
    unknown = sstar(*words, "-m", "small")
    assert (unknown.code, "no price of 'small'" in unknown.err) == (2, True)


@pytest.mark.parametrize("text", ["{", "[]", '{"models": {"a": {"prompt": "2"}}}', None])
def test_a_file_without_prices_is_told(tmp_path, text):
    """With its name and what to write."""
    path = tmp_path / "prices.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match="--prices"):
        read_price_list(path)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.anyio
async def test_a_key_is_not_carried_to_another_address(status):
    """A redirect is told and not followed: the other server hears nothing, of no look and of no call."""
    with ServerDouble(lambda _: chat("ok")) as other:
        heard = []
        other.route = lambda *request: heard.append(request)
        goal = {"location": f"{other.base_url}/chat/completions"}
        with ServerDouble(lambda _: chat("ok"), route=lambda *_: Reply(b"", status, goal)) as server:
            async with make_client(server, api_key=KEY) as model:
                for call in (model.check, lambda: model.ask(make_request())):
                    with pytest.raises(ModelUserError, match="a redirect") as caught:
                        await call()
                    assert other.base_url in str(caught.value)
    assert heard == []


@pytest.mark.parametrize(
    "text",
    [
        "--base-url http://me:hidden-word@host/v1",
        "http://host/v1?api-key=hidden-word&x=1",
        '--extra-body {"api_key": "hidden-word"}',
        "Authorization: Bearer hidden-word",
        "--vllm-args --api-key hidden-word",
        "key sk-hidden-word-hidden-word",
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(text):
    """In words of a command, in addresses, in bodies."""
    assert "hidden-word" not in scrub(text)
    assert "***" in scrub(text)


def test_values_are_blotted_out_by_their_name(monkeypatch):
    """Also the values of headers that the environment gives; ordinary words stay."""
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: hidden-word")
    data = {
        "x-api-key": "12345678",
        "max_tokens": 4096,
        "note": ["tokens: 4096", "hidden-word"],
        "secret": "",
    }
    assert scrub_values(data) == {
        "x-api-key": "***",
        "max_tokens": 4096,
        "note": ["tokens: 4096", "***"],
        "secret": "",
    }


def test_the_manifest_has_no_secret(sstar, serve, write_set, isolated, folder):
    """Neither of the command nor of the body's fields; the same command still goes on in its folder."""
    address = serve(RIGHT).base_url.replace("http://", "http://me:hidden-word@")
    words = ["eval", write_set(), "-m", "tiny", "--base-url", address, "--n", "1", "--out", "run", *isolated]
    words += ["--extra-body", '{"access_token": "hidden-word"}', "--record", "calls.jsonl"]
    assert sstar(*words).code == 0
    assert "going on in" in sstar(*words).err
    written = "".join(path.read_text() for path in (*folder.glob("run/*.json"), folder / "calls.jsonl"))
    assert "hidden-word" not in written
