"""The schedule benchmark: the same answers whatever the schedule, and a bound that none can beat."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from benchmarks.charts import draw_running
from benchmarks.scheduling.schedule import WAYS, bound_s, run_way, show
from benchmarks.scheduling.workload import Dice, make_problems
from sstar_code.agent.models import Message, Purpose, Request, Stage
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.testing.simulator import GPU_7B


def test_schedules_do_the_same_work_and_ours_is_faster():
    """Both ask the same calls; neither is faster than the bound; the official one takes longer."""
    settings = Settings(n=4, rounds=1, select="sstar")
    rows = [run_way(way, GPU_7B, make_problems(6), settings, Dice()) for way in (WAYS[1], WAYS[-1])]
    ours, official = rows
    assert (ours.calls, ours.output_tokens) == (official.calls, official.output_tokens)
    assert ours.bound_s < ours.makespan_s < official.makespan_s
    assert "official" in show(rows, GPU_7B)
    ET.fromstring(draw_running([(row.name, row.trace) for row in rows], GPU_7B))


def test_the_bound_is_tokens_over_saturated_throughput():
    """Writing alone takes tokens over throughput; reading comes on top."""
    assert bound_s(GPU_7B, 13_640, 0) == 13_640 / GPU_7B.tokens_per_s
    assert bound_s(GPU_7B, 0, 1_000) == 1_000 * GPU_7B.per_prompt_token_s


def test_answers_depend_on_the_purpose_alone():
    """The same call gets the same length and program, in whatever order; lengths have the mean asked for."""
    dice = Dice(mean_tokens=600)
    calls = [
        Request((Message("user", "x"),), Purpose("p", Stage.GENERATE, number), max_tokens=100_000)
        for number in range(4_000)
    ]
    planned = [dice(call) for call in calls]
    assert planned == [dice(call) for call in reversed(calls)][::-1]
    mean = sum(item.output_tokens for item in planned) / len(planned)
    assert 560 < mean < 640
