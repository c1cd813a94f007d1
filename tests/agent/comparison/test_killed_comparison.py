"""A comparison killed by -9 while its last tokens are being spent pays for the same calls when it goes on."""

from __future__ import annotations

import multiprocessing
import re
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field

import anyio
import pytest

from sstar_code.agent.comparison.arms import Cell
from sstar_code.agent.comparison.compare import Comparison, compare
from sstar_code.agent.jobs.choices import Endpoint, Watch
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.testing.server import ServerDouble, chat
from sstar_code.sandbox.fake import FakeSandbox
from tests.agent.strategies.known import COST, PROBLEM, PROMPTS, happen

CELL = "sample-cot-800"


def work(folder, base_url):
    """The comparison: tokens for eight calls of the twelve that four samples with two repairs each want."""
    comparison = Comparison(
        folder=folder,
        problems=[PROBLEM],
        set_revision="0",
        label="killed",
        endpoint=Endpoint(model="tiny", base_urls=(base_url,), max_in_flight=4),
        settings=Settings(n=4, rounds=2, select="first"),
        prompts=PROMPTS,
        sandbox=FakeSandbox(happen),
        prices=Prices(),
        watch=Watch(),
        say=lambda _: None,
        quiet=True,
    )
    anyio.run(compare, comparison, [Cell("sample", "cot", 800)])


@dataclass
class KnownServer:
    """Answers by what is asked: programs that fail, each naming its sample and round.

    An answer takes a moment, so that whoever can ask meanwhile has asked.

    With `most` it answers so many requests and holds all others until `released`.
    """

    most: int | None = None
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, body):
        text = body["messages"][-1]["content"]
        found = re.search(r"# (\d+)\.(\d+)", text.partition("# The program to repair\n")[2])
        name = f"{found[1]}.{int(found[2]) + 1}" if found else f"{body['seed']}.0"
        self.asked.append(name)
        if self.most is not None and len(self.asked) > self.most:
            self.released.wait()
        usage = {"prompt_tokens": COST // 2, "completion_tokens": COST // 2, "total_tokens": COST}
        return chat(f'```python\nPASSES = "1000"  # {name}\n```', usage=usage, delay_s=0.1)


@pytest.fixture(scope="module")
def start():
    """`start(folder, server)`: the comparison in a process of its own, forked from one with all modules."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])

    def begin(folder, server):
        process = context.Process(target=work, args=(folder, server.base_url))
        process.start()
        return process

    return begin


def run_through(start, folder):
    """What is asked from here on until it ends by itself."""
    known = KnownServer()
    with ServerDouble(known.answer) as server:
        process = start(folder, server)
        process.join()
    assert process.exitcode == 0
    return known.asked


def read_calls(folder):
    """The calls that are kept, `sample.round` each, and the candidates."""
    path = folder / CELL / "run.db"
    if not path.exists():
        return [], []
    with closing(Store(path, read_only=True)) as store:
        purposes = [request.purpose for request, _ in store.calls("p")]
        return sorted(f"{item.sample}.{item.round}" for item in purposes), store.candidates("p")


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """Calls and candidates of a run that nobody kills."""
    folder = tmp_path_factory.mktemp("whole")
    asked = run_through(start, folder)
    calls, candidates = read_calls(folder)
    assert (sorted(asked), len(calls)) == (calls, 8)
    return calls, candidates


@pytest.mark.parametrize(("answered", "asked"), [(1, 4), (5, 8), (6, 8)])
def test_what_was_under_way_is_asked_first(whole, start, tmp_path, answered, asked):
    """Killed with calls under way and gone on with: the same calls, candidates and tokens as left alone.

    Only what was under way is asked a second time, and nothing of the marks is left.
    """
    known = KnownServer(most=answered)
    with ServerDouble(known.answer) as server:
        process = start(tmp_path, server)
        while len(known.asked) < asked or len(read_calls(tmp_path)[0]) < answered:
            assert process.is_alive()
            time.sleep(0.01)
        process.kill()
        process.join()
        known.released.set()
    kept, _ = read_calls(tmp_path)
    assert len(kept) == answered
    again = run_through(start, tmp_path)
    assert read_calls(tmp_path) == whole
    twice = {name for name, times in Counter([*known.asked, *again]).items() if times > 1}
    assert twice == set(known.asked) - set(kept)
    assert sorted(path.name for path in (tmp_path / CELL).iterdir() if path.is_dir()) == []
