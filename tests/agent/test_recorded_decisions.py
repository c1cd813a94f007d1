"""Rules and simulations decide as they did when they were recorded: the figures in docs rest on them.

After an intended change write them anew and read the diff:

    SSTAR_WRITE_EXPECTED=1 python -m pytest tests/agent/test_recorded_decisions.py
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import astuple
from pathlib import Path

from sstar_code.agent.allocation.policy import (
    Beta,
    Observed,
    Rates,
    Repairs,
    SampleRange,
    choose_step,
    estimate_rates,
)
from sstar_code.agent.calls.concurrency import ConcurrencyController, PriorityLimiter
from sstar_code.agent.models.load import Load
from sstar_code.agent.testing.simulator import CPU_TINY, GPU_7B, Engine, EngineSpec, Job, QueueFullError
from sstar_code.agent.testing.simulator.prefix import PrefixCache, count_tokens, cut_blocks

RECORD = Path(__file__).with_name("recorded_decisions.json")


def check(name, found):
    """`found`, its floats rounded, against what is recorded."""
    found = json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 9))
    recorded = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    if os.environ.get("SSTAR_WRITE_EXPECTED"):
        recorded[name] = found
        rows = ",\n".join(
            f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(recorded.items())
        )
        RECORD.write_text(f"{{\n{rows}\n}}\n", encoding="utf-8")
    assert found == recorded[name]


def observe(dice):
    """A problem some way into its samples."""
    sizes = sorted((dice.randint(1, 9) for _ in range(dice.choice((0, 0, 1, 1, 2, 3)))), reverse=True)
    passed = dice.randint(0, sum(sizes))
    mended = sum(sizes) - passed
    failing = dice.choice((0, 0, 1, 3, 8, 20))
    repairs = (
        Repairs(dice.randint(0, failing), mended + dice.randint(0, 4), mended),
        Repairs(dice.randint(0, 2), 3, 1),
    )
    repairs = repairs[: dice.randint(0, 2)]
    tokens = dice.choice((0, 1000, 5000))
    spent = tokens // 3 if any(item.tried for item in repairs) else 0
    return Observed(passed + mended + failing, passed, tuple(sizes), repairs, tokens, spent)


def test_steps_of_the_allocation():
    """What to do next, how much of it, what it is worth and why, for sixty problems of ten sets."""
    dice, found = random.Random(7), []
    for number in range(10):
        seen = [observe(dice) for _ in range(6)]
        rates = estimate_rates(seen, number % 3)
        samples = SampleRange(2 + number % 3, (8, 32, 100)[number % 3])
        found.append([astuple(rates), *(astuple(choose_step(one, rates, samples)) for one in seen)])
    rates = Rates(repairs=(Beta(0.4, 1.6),))
    for drawn in (1, 2, 7, 8, 9, 10):
        for groups in ((), (drawn,), (drawn // 2, drawn // 2) if drawn > 1 else (1,)):
            one = Observed(drawn, sum(groups), groups, (Repairs(1, 0, 0), Repairs(2, 0, 0)))
            found.append(astuple(choose_step(one, rates, SampleRange(2, 9))))
    check("steps", found)


class Line(PriorityLimiter):
    """A limiter whose numbers are set from outside."""

    def __init__(self):
        super().__init__(1)

    def _call_next(self):
        pass


def test_widths_of_the_calls_in_flight():
    """What is kept in flight while a server shows its load, refuses, or shows nothing but answers."""
    found = {}
    for name, options in {
        "learnt": {},
        "given": {"given": 40},
        "told": {"limit": 100},
        "ordered": {"limit": 100, "priorities": True},
        "few": {"limit": 5},
    }.items():
        for shows in ("load", "answers"):
            dice, line, widths = random.Random(3), Line(), []
            pace = ConcurrencyController(line, **options)
            widths.append([pace.width, pace.is_settled, pace.look_every_s])
            for moment in range(120):
                line.taken = min(pace.width, dice.choice((pace.width, pace.width, 90)))
                line.waiting = dice.choice((0, 5, 5, 5))
                if moment % 17 == 16:
                    pace.refuse(moment * 0.5)
                    pace.refuse(moment * 0.5 + 0.4)
                elif shows == "load":
                    pace.see_load(
                        Load(min(line.taken, 90), dice.choice((0, 0, 0, 3, max(0, line.taken - 90))))
                    )
                else:
                    for _ in range(pace.width):
                        pace.see_answer(1.0 + line.taken / 60 * dice.random(), dice.choice((None, 0, 100)))
                widths.append([pace.width, pace.is_settled, pace.look_every_s])
            found[f"{name} {shows}"] = widths
    check("widths", found)


SPECS = {
    "gpu": GPU_7B,
    "cpu": CPU_TINY,
    "small": EngineSpec(0.01, 0.001, 0.0001, 4, 100, 16, 10_000),
    "full": EngineSpec(0.01, 0.001, 0.0001, 8, 100, 16, 160, 6),
}


def simulate(spec, *, priorities):
    """What became of forty jobs, a few of which are withdrawn."""
    dice, engine, jobs, refused = random.Random(5), Engine(spec, priorities=priorities), [], 0
    engine.trace = []
    now_s = 0.0
    for number in range(40):
        now_s += dice.choice((0.0, 0.002, 0.05, 0.4))
        text = f"problem {number // 4} " * dice.choice((1, 12, 12))
        job = Job(
            count_tokens(text) + dice.randint(0, 3),
            dice.randint(1, 60),
            cut_blocks(text, spec.block_tokens),
            priority=dice.randint(0, 2),
        )
        try:
            engine.submit(job, now_s)
            jobs.append(job)
        except QueueFullError:
            refused += 1
        if number % 9 == 8:
            engine.abort(dice.choice(jobs), now_s + 0.001)
        if number % 5 == 4:
            engine.written_by_now(jobs[-2])
            engine.next_event_s()
    written = [engine.written_by_now(job) for job in jobs]
    ended = [jobs.index(job) for job in engine.advance(1_000.0)]
    return {
        "jobs": [[job.arrived_s, job.first_token_s, job.ended_s, job.cached, job.written] for job in jobs],
        "ended": ended,
        "written": written,
        "refused": refused,
        "totals": [
            engine.prompt_tokens,
            engine.written_tokens,
            engine.preemptions,
            engine.finished,
            engine.running_seconds,
            engine.now_s,
            engine.cache.queries,
            engine.cache.hits,
            engine.cache.used,
            engine.cache.free,
        ],
        "trace": engine.trace[-30:],
        "rate": spec.tokens_per_s,
    }


def test_a_simulated_engine():
    """When each job began and ended, in order of priority or of arrival."""
    check(
        "engine",
        {
            f"{name} {priorities}": simulate(spec, priorities=priorities)
            for name, spec in SPECS.items()
            for priorities in (True, False)
        },
    )


def test_a_cache_of_prompts():
    """Blocks are shared, kept while there is room, and the oldest go first."""
    cache, found = PrefixCache(100, 10), []
    for step, blocks, tokens in (
        ("take", (1, 2, 3), 35),
        ("take", (1, 2), 20),
        ("take", (1, 2, 4), 31),
        ("grow", (), 7),
        ("release", (1, 2, 3), 38),
        ("take", (1, 2, 3), 35),
        ("release", (1, 2, 4), 35),
        ("release", (1, 2), 20),
        ("grow", (), 40),
        ("take", (4,), 15),
        ("take", (3, 4), 20),
    ):
        answer = cache.grow(tokens) if step == "grow" else getattr(cache, step)(blocks, tokens)
        found.append(
            [step, answer, cache.used, cache.free, cache.queries, cache.hits, cache.find((1, 2, 3, 4), 99)]
        )
    found.append([count_tokens("x" * length) for length in (0, 1, 4, 5, 8, 9)])
    found.append([len(cut_blocks("x" * length, 2)) for length in (0, 7, 8, 15, 16, 17)])
    found.append([cut_blocks(text, 1) for text in ("abcdefgh", "abcdefghi", "abcdXfgh", "XbcdefghY")])
    check("cache", found)
