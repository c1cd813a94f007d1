"""What a run cost, by stage and problem, in tokens, runs and money; what is not known is not zero."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.models import Answer, Usage
from sstar_code.agent.models.load import LoadWatch, read_load
from sstar_code.agent.run.outcomes import Prices, StageCount
from sstar_code.agent.run.prices import read_price_list
from sstar_code.agent.telemetry.events import current_work, working_on
from sstar_code.agent.testing.server import chat
from sstar_code.problems import UserError

RIGHT = "```python\nprint(int(input()) * 2)\n```"
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
PAGE = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 5.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",reason="x"} 9.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.2
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.6
vllm:prefix_cache_queries_total{engine="0",model_name="m"} %d
vllm:prefix_cache_hits_total{engine="0",model_name="m"} %d
"""


def test_prices_that_are_unknown_make_no_sum():
    """A price that was not given, or a call without counts, leaves the cost unknown and says why."""
    counts = [StageCount(calls=1, prompt=1_000_000, output=500_000)]
    assert Prices(2.0, 10.0).cost(counts) == 7.0
    assert Prices(0.0, 0.0).cost(counts) == 0.0
    assert Prices(2.0).cost(counts) is None
    assert Prices(2.0).why_unknown(counts) == "no --price-output given"
    counts[0].unknown = 3
    assert Prices(2.0, 10.0).as_json(counts)["total"] is None
    assert Prices(2.0, 10.0).why_unknown(counts) == "3 calls came without token counts"


@pytest.mark.parametrize("price", [10**400, float("nan"), float("inf"), -1, "1", None])
def test_a_price_that_is_none(tmp_path, price):
    """A number that no price can be is no price, as if it were not there."""
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"models": {"m": {"prompt": price, "output": 1}}}))
    with pytest.raises(UserError, match="no price is there"):
        read_price_list(file)


def test_counts_that_never_came_are_not_zero():
    """Cached and thinking tokens stay unknown until a server tells some."""
    count = StageCount()
    count.add_answer(Answer("x", usage=Usage(10, None, 5, None)))
    assert (count.cached, count.reasoning) == (None, None)
    count.add_answer(Answer("", reasoning="hm", finish_reason="length", usage=Usage(10, 0, 5, 5)))
    assert (count.cached, count.reasoning, count.cut, count.cut_thinking) == (0, 5, 1, 1)


def test_work_is_named_for_what_begins_inside():
    """Outside of a named work nothing is claimed."""
    assert current_work() == ("", "other")
    with working_on("p", "debug"):
        assert current_work() == ("p", "debug")
    assert current_work() == ("", "other")


def test_metrics_of_all_engines_together():
    """Requests add up over engines, the cache's use is their mean; a page of another server is none."""
    load = read_load(PAGE % (100, 40))
    assert load is not None
    assert (load.running, load.waiting, load.kv_use) == (8.0, 2.0, pytest.approx(0.4))
    assert read_load("<html>not found</html>") is None
    assert read_load("vllm:num_requests_running{} nonsense") is None


@pytest.mark.anyio
async def test_the_watch_keeps_mean_and_peak():
    """The hit rate counts what this run asked, and a server that begins anew takes nothing away."""
    pages = [PAGE % (100, 40), PAGE % (200, 120), PAGE % (50, 10)]

    async def read():
        return read_load(pages.pop(0)) if pages else None

    watch = LoadWatch(read)
    assert (watch.line(), watch.as_json()) == ("", None)
    load = await watch.read_load()
    assert load is not None
    assert (load.running, load.waiting) == (8, 2)
    await watch.read_load()
    assert watch.line() == "8 running, 2 waiting, KV 40%, prefix hits 80%"
    await watch.read_load()
    assert watch.hit_rate == pytest.approx((80 + 10) / (100 + 50))
    assert await watch.read_load() is None
    shown = watch.as_json()
    assert shown is not None
    assert shown["running"] == {"mean": 8.0, "peak": 8.0}
    assert not watch.absent


def test_a_run_tells_what_each_problem_cost(sstar, serve, write_set, isolated, folder):
    """Tokens, calls and runs by stage and problem; without prices the cost is unknown, not nothing."""
    page = PAGE % (100, 40)
    server = serve(lambda _: chat(RIGHT, usage=USAGE), pages={"/metrics": page})
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--out", "run"]
    ended = sstar(*words, "--select", "first", *isolated)
    assert ended.code == 0
    assert "cost unknown (no --price-prompt and no --price-output given)" in ended.out
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["cost"]["total"] is None
    assert (summary["tokens"]["cached"], summary["tokens"]["reasoning"]) == (128, 40)
    stages = summary["by_problem"]["double"]
    assert (stages["generate"]["calls"], stages["generate"]["executions"]) == (2, 1)  # one program, run once
    assert stages["grade"]["executions"] == 1
    assert summary["server_load"]["running"]["peak"] == 8.0
    priced = sstar(*words, "--select", "first", "--price-prompt", "1", "--price-output", "2", *isolated)
    assert f"cost {(200 * 1 + 100 * 2) / 1e6:.4g}" in priced.out
    assert json.loads((folder / "run" / "summary.json").read_text())["cost"]["total"] == pytest.approx(0.0004)


def test_a_server_without_metrics_is_noted_once(sstar, serve, write_set, isolated, folder):
    """Nothing is shown while running, and the summary says why there is no load."""
    words = ["eval", write_set(), "-m", "tiny", "--base-url", serve(RIGHT).base_url, "--n", "1"]
    ended = sstar(*words, "--out", "run", *isolated)
    assert "metrics" not in ended.err
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["server_load"] == {"note": "the server shows no /metrics of vLLM"}
