"""Several endpoints of one model: who is asked, and what happens when one dies."""

from __future__ import annotations

import json
import socket
from collections import Counter
from contextlib import ExitStack

import anyio
import pytest

from sstar_code.agent.models import (
    CallError,
    Message,
    ModelError,
    ModelUserError,
    OpenAIModel,
    Purpose,
    Request,
    RetryPolicy,
    Stage,
    make_model,
)
from sstar_code.agent.models.endpoint_pool import EndpointPool
from sstar_code.agent.testing.server import Reply, ServerDouble, chat, failure
from tests.support.client import make_client

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(attempts=3, first_wait_s=0.01, max_wait_s=0.02)
PAGE = "vllm:num_requests_running{} 2\nvllm:num_requests_waiting{} 1\n"


def make_request(problem: str = "p", sample: int = 0) -> Request:
    return Request((Message("user", "x"),), Purpose(problem, Stage.GENERATE, sample), seed=sample)


def make_pool(*urls: str, said: list[str] | None = None, **options) -> EndpointPool:
    heard = [] if said is None else said
    models = [
        OpenAIModel("tiny", base_url=url, retry_policy=QUICK, on_retry=heard.append, api_key="k")
        for url in urls
    ]
    return EndpointPool(models, retry_policy=QUICK, on_retry=heard.append, first_rest_s=0.01, **options)


def free_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


@pytest.fixture
def two():
    """Two servers that answer at once."""
    with ExitStack() as stack:
        yield [stack.enter_context(ServerDouble(lambda _: chat("ok"))) for _ in range(2)]


async def ask_all(pool: EndpointPool, requests: list[Request]) -> None:
    async with anyio.create_task_group() as group:
        for request in requests:
            group.start_soon(pool.ask, request)


async def test_a_problem_stays_where_its_prompt_is_known(two):
    """Calls of one problem, one after another, all go to one endpoint; problems spread over both."""
    async with make_pool(*(server.base_url for server in two)) as pool:
        for number in range(40):
            before = [len(server.received) for server in two]
            for sample in range(3):
                await pool.ask(make_request(f"p{number}", sample))
            after = [len(server.received) for server in two]
            assert sorted(new - old for new, old in zip(after, before, strict=True)) == [0, 3]
    shares = [len(server.received) for server in two]
    assert min(shares) >= 30  # of 120; the hash is fixed per port, so the bound is wide


async def test_a_crowd_is_spread_evenly():
    """Many calls of one problem at once fill both endpoints, the favourite hardly more."""
    with ExitStack() as stack:
        servers = [stack.enter_context(ServerDouble(lambda _: chat("ok", delay_s=0.5))) for _ in range(2)]
        async with make_pool(*(server.base_url for server in servers)) as pool:
            await ask_all(pool, [make_request("p", sample) for sample in range(40)])
        shares = sorted(len(server.received) for server in servers)
    assert sum(shares) == 40
    assert shares[0] >= 14


async def test_calls_move_away_from_an_endpoint_that_dies(two):
    """The calls of one that has gone are answered by the other, without an error."""
    said: list[str] = []
    with ServerDouble(lambda _: chat("ok")) as other:
        async with make_pool(two[0].base_url, other.base_url, said=said) as pool:
            await ask_all(pool, [make_request(f"p{number}") for number in range(20)])
            other.__exit__()
            await ask_all(pool, [make_request(f"q{number}") for number in range(20)])
    assert Counter(line.partition(" is out for now")[0] for line in said if "is out" in line) == {
        other.base_url: 1
    }


async def test_a_server_error_moves_the_call_too(two):
    """An endpoint whose engine is dead answers 500; the other answers."""
    two[0].respond = lambda _: failure(500, "EngineCore encountered an issue")
    async with make_pool(*(server.base_url for server in two)) as pool:
        for number in range(10):
            assert (await pool.ask(make_request(f"p{number}"))).text == "ok"
    assert len(two[0].received) < 10


class Clock:
    """The pool's clock, which only the test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s


async def test_one_that_comes_back_is_used_again(two, monkeypatch):
    """During its rest an endpoint is left alone; after it, it is looked at and asked again."""
    clock, said = Clock(), []
    monkeypatch.setattr("sstar_code.agent.models.endpoint_pool.time", clock)
    two[0].respond = lambda _: failure(500, "ill")
    async with make_pool(*(server.base_url for server in two), said=said) as pool:
        await ask_all(pool, [make_request(f"p{number}") for number in range(20)])
        two[0].respond = lambda _: chat("ok")
        before = len(two[0].received)
        await ask_all(pool, [make_request(f"q{number}") for number in range(20)])
        assert len(two[0].received) == before
        clock.now_s += 60.0
        await pool.ask(make_request())
        await ask_all(pool, [make_request(f"q{number}") for number in range(20)])
    assert len(two[0].received) > before
    assert f"{two[0].base_url} answers again" in said


async def test_a_pool_that_only_refuses_is_given_up(two):
    """When no endpoint answers any call, a refusal for load counts as an attempt."""
    for server in two:
        server.respond = lambda _: failure(503, "busy")
    heard: list[int] = []
    async with make_pool(*(server.base_url for server in two)) as pool:
        pool.on_busy = lambda: heard.append(1)
        with pytest.raises(ModelError, match="none of the 2 endpoints answers"):
            await pool.ask(make_request())
    assert sum(len(server.received) for server in two) == 2 * QUICK.attempts
    assert len(heard) == 2 * QUICK.attempts


async def test_all_dead_is_one_error_that_names_them():
    """When none answers the error says so, and what to start."""
    urls = [free_url(), free_url()]
    async with make_pool(*urls) as pool:
        with pytest.raises(ModelError, match="none of the 2 endpoints answers") as caught:
            await pool.check()
        with pytest.raises(ModelError, match="vllm serve tiny"):
            await pool.ask(make_request())
    assert all(url in str(caught.value) for url in urls)


async def test_one_down_at_the_start_is_left_out(two):
    """A run starts with those that answer."""
    said: list[str] = []
    async with make_pool(free_url(), two[0].base_url, said=said) as pool:
        info = await pool.check()
        assert info.url == two[0].base_url
        await pool.ask(make_request())
    assert "is out for now" in said[0]


async def test_all_have_to_serve_the_model(two):
    """An endpoint that serves another model ends the command before anything is paid for."""
    two[1].models = ("other",)
    async with make_pool(*(server.base_url for server in two)) as pool:
        with pytest.raises(ModelUserError, match="does not serve 'tiny'"):
            await pool.check()


async def test_different_versions_are_said_and_described():
    """Endpoints of two versions are used, told, and both in the manifest; the shorter context counts."""
    said: list[str] = []
    with (
        ServerDouble(lambda _: chat("ok"), version="0.32.0", max_model_len=8192) as new,
        ServerDouble(lambda _: chat("ok"), version="0.31.0") as old,
    ):
        async with make_pool(new.base_url, old.base_url, said=said) as pool:
            info = await pool.check()
            assert (info.max_model_len, info.version) == (4096, "vllm 0.31.0 and vllm 0.32.0")
            assert [row["version"] for row in pool.describe()] == ["vllm 0.32.0", "vllm 0.31.0"]
    assert "differ in version" in said[0]


async def test_the_load_of_all_endpoints_adds_up():
    """The metrics of those that show some are read together."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(ServerDouble(lambda _: chat("ok"), pages={"/metrics": PAGE}))
            for _ in range(2)
        ]
        async with make_pool(*(server.base_url for server in servers)) as pool:
            load = await pool.read_load()
    assert load is not None
    assert (load.running, load.waiting) == (4, 2)


def test_several_addresses_make_a_pool(monkeypatch):
    """The same address twice is one; the key goes to every address that was given."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    model = make_model("m", base_url=["http://a:1/v1", "http://b:1/v1", "http://a:1/v1/"])
    assert isinstance(model, EndpointPool)
    assert [place.model.base_url for place in model.places] == ["http://a:1/v1", "http://b:1/v1"]
    assert {place.model._key for place in model.places} == {"sk-1"}
    monkeypatch.setenv("OPENAI_BASE_URL", "http://a:1/v1 http://b:1/v1")
    spaced = make_model("m")
    assert isinstance(spaced, EndpointPool)


def test_a_run_over_two_endpoints(sstar, serve, write_set, isolated, folder):
    """`--base-url` twice: both are asked and in the manifest; a settings file may give one as a string."""
    servers = [serve(), serve()]
    urls = [word for server in servers for word in ("--base-url", server.base_url)]
    words = ["eval", write_set(), "-m", "tiny", *urls, "--n", "16", "--out", "run", *isolated]
    assert sstar(*words).code == 0
    assert all(server.received for server in servers)
    manifest = json.loads((folder / "run" / "manifest.json").read_text())
    assert [row["url"] for row in manifest["servers"]] == [server.base_url for server in servers]
    (folder / "config" / "sstar").mkdir(parents=True)
    text = f'base-url = "{servers[0].base_url}"\nmodel = "tiny"\n'
    (folder / "config" / "sstar" / "sstar.toml").write_text(text)
    assert sstar("eval", "jsonl:problems.jsonl", "--n", "1", "--out", "run2", *isolated).code == 0


@pytest.mark.anyio
async def test_a_call_without_a_completion_at_every_endpoint_fails_alone():
    """Where other calls are answered, it is that call's failure, and not the pool's; notes are passed on."""
    notes: list[str] = []

    def respond(body):
        return Reply(b'{"choices": []}') if body.get("seed") == 7 else chat("ok")

    with ServerDouble(respond) as one, ServerDouble(respond) as two:
        models = [make_client(server) for server in (one, two)]
        async with EndpointPool(models, retry_policy=QUICK, on_retry=lambda _: None) as pool:
            pool.on_note = lambda line, **_: notes.append(line)
            assert (await pool.ask(make_request("p", 1))).text == "ok"
            with pytest.raises(CallError, match="no answer to this call"):
                await pool.ask(make_request("p", 7))
    assert "gives no token counts" in notes[0]
