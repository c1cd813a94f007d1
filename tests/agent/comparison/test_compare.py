"""Each strategy at each budget is a run of its own; a kill loses nothing; the table counts right."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import CapSpentError, StoredModel
from sstar_code.agent.comparison.arms import Cell, Plan, open_plan
from sstar_code.agent.comparison.compare import Comparison, compare
from sstar_code.agent.jobs.choices import Endpoint, Watch
from sstar_code.agent.models import Answer, Message, Purpose, Request, Stage, Usage
from sstar_code.agent.models.vllm.server import ManagedModel
from sstar_code.agent.report.data.comparison import Row, guess_parameters, mark_dominated, read_table
from sstar_code.agent.report.render.comparison import comparison_as_markdown, draw_comparison
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.run.store import Store
from sstar_code.agent.run.summary import wilson
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import Test
from sstar_code.sandbox.fake import FakeSandbox
from tests.agent.strategies.known import COST, PROBLEM, PROMPTS, KilledError, KnownModel, happen
from tests.support.connected import Connected

pytestmark = pytest.mark.anyio
TABLE = {"0.0": "1000", "1.0": "0110", "0.1": "1100", "1.1": "1111", "2.0": "0001", "2.1": "1011"}
CELLS = [Cell(name, "cot", tokens) for tokens in (800, 1_600) for name in ("sample", "beam:width=2")]
PROBLEMS = [
    replace(PROBLEM, id=name, statement=f"Print number {name}.", hidden_tests=(Test("3\n", "right 3"),))
    for name in ("p", "q")
]


class ConnectedModel(Connected, KnownModel):
    """The known model where an endpoint is expected."""


@pytest.fixture
def work(monkeypatch, tmp_path):
    """Compare with a model in a folder; the table without seconds."""

    async def run(model, folder, name="known-7B"):
        monkeypatch.setattr("sstar_code.agent.jobs.session.make_asked", lambda *_: model)
        monkeypatch.setattr("sstar_code.agent.comparison.compare.make_asked", lambda *_: model)
        comparison = Comparison(
            folder=tmp_path / folder,
            problems=PROBLEMS,
            set_revision="0",
            label="set-known",
            endpoint=Endpoint(model=name, max_in_flight=2),
            settings=Settings(n=3, rounds=1),
            prompts=PROMPTS,
            sandbox=FakeSandbox(happen),
            prices=Prices(),
            watch=Watch(),
            say=lambda _: None,
            quiet=True,
        )
        plan = open_plan(tmp_path / folder, Plan(comparison.config, tuple(CELLS)))
        await compare(comparison, CELLS)
        table = read_table(tmp_path / folder, plan)
        return replace(table, rows=tuple(replace(row, seconds=0.0, dominated=()) for row in table.rows))

    return run


def count_calls(folder):
    """Answers in the stores of all cells."""
    total = 0
    for cell in CELLS:
        if (path := folder / cell.folder / "run.db").exists():
            with closing(Store(path, read_only=True)) as store:
                total += store.count_calls()
    return total


async def test_a_kill_loses_nothing_and_budgets_hold(work, tmp_path):
    """Killed at any of several calls and gone on with: nothing is asked twice, and the budgets hold.

    Which calls the last tokens pay for hangs on the order of answers, so the table may be another one.
    """
    whole = ConnectedModel(TABLE)
    expected = await work(whole, "whole")
    assert [row.budget for row in expected.rows] == [800, 800, 1_600, 1_600]
    for row in expected.rows:
        assert row.tokens <= row.budget + COST, row
        assert row.tokens >= min(row.budget - 3 * COST, 1_000), "it ended by itself, or spent what it had"
        assert row.teraflops == pytest.approx(2 * 7e9 * row.tokens / 1e12)
    again = ConnectedModel(TABLE)
    assert await work(again, "whole") == expected
    assert again.requests == [], "what is finished is not asked again"
    for call in (1, 4, len(whole.requests) - 1):
        killed, resumed, folder = ConnectedModel(TABLE, dies_at=call), ConnectedModel(TABLE), f"killed-{call}"
        with pytest.raises((KilledError, BaseExceptionGroup)):
            await work(killed, folder)
        kept = count_calls(tmp_path / folder)
        table = await work(resumed, folder)
        assert count_calls(tmp_path / folder) == kept + len(resumed.requests)
        assert not table.unfinished
        for row, other in zip(table.rows, expected.rows, strict=True):
            assert abs(row.tokens - other.tokens) <= COST, (call, row)


class Served(ManagedModel):
    """A server that is started, without one."""

    def __init__(self):
        self.name = "known"
        self.began = 0
        self._known = KnownModel(TABLE)

    async def __aenter__(self):
        self.began += 1
        return self

    async def __aexit__(self, *_):
        pass

    async def check(self, *_):
        pass

    async def ask(self, request):
        return await self._known.ask(request)


async def test_a_server_of_our_own_is_started_once(work):
    """All cells and passes ask the one that was started."""
    served = Served()
    table = await work(served, "served", name="vllm:known")
    assert (served.began, len(table.rows)) == (1, len(CELLS))


async def test_the_table_tells_what_is_not_finished(work, tmp_path):
    """A cell that was not reached is named, and the others are shown; the picture is of those."""
    with pytest.raises((KilledError, BaseExceptionGroup)):
        await work(ConnectedModel(TABLE, dies_at=20), "part")
    table = read_table(tmp_path / "part", Plan({"label": "l"}, tuple(CELLS)))
    assert table.unfinished
    assert len(table.rows) + len(table.unfinished) == len(CELLS)
    text = comparison_as_markdown(table, "comparison.svg")
    assert f"not finished: {table.unfinished[0].strategy}/cot at {table.unfinished[0].tokens:,}" in text
    assert draw_comparison(table).startswith("<svg")
    assert "Nothing is finished" in comparison_as_markdown(replace(table, rows=()))


def make_row(strategy, right, tokens, calls=1, seconds=1.0):
    rate = wilson(right, 10)
    return Row(strategy, "cot", 100, rate, rate, tokens, calls, seconds, None, 0)


def test_dominated_rows():
    """Fewer solved for as much, or as many for more, is dominated; equals are not, nor is a trade."""
    rows = mark_dominated(
        [
            make_row("a", 5, 100),
            make_row("b", 5, 200, seconds=0.5),
            make_row("c", 7, 300, calls=3),
            make_row("d", 4, 100, calls=1),
            make_row("e", 5, 100),
        ]
    )
    assert [row.dominated for row in rows] == [
        ("seconds",),
        ("tokens",),
        (),
        ("tokens", "calls", "seconds"),
        ("seconds",),
    ]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Qwen/Qwen2.5-Coder-7B-Instruct", 7e9),
        ("Qwen3-Coder-30B-A3B", 3e9),
        ("tiny-1.5b", 1.5e9),
        ("Mixtral-8x7B", None),
        ("gpt-oss", None),
        ("replay:examples", None),
        ("model-4bit", None),
    ],
)
def test_parameters_of_a_name(name, parameters):
    """The size that a name says, the active part of a mixture; nothing where it says none, or is unclear."""
    assert guess_parameters(name) == parameters


class Counting:
    """Answers 100 tokens each and knows how many were asked at once."""

    name = "counting"

    def __init__(self):
        self.asked = self.open = self.most = 0

    async def ask(self, request):
        import anyio

        self.asked += 1
        self.open += 1
        self.most = max(self.most, self.open)
        await anyio.sleep(0.001)
        self.open -= 1
        return Answer("x", usage=Usage(prompt=60, output=40))


@pytest.mark.parametrize(("cap", "calls"), [(1, 1), (100, 1), (250, 3), (800, 8)])
async def test_a_problem_holds_its_cap_however_many_are_asked_at_once(cap, calls):
    """Twenty samples at once, and as many are asked as the cap pays for; those of another problem are all."""
    import anyio

    model = Counting()
    stored = StoredModel(model, Store(), Budget(caps={"p": cap}), max_in_flight=50)
    ended = []

    async def ask(problem, sample):
        request = Request((Message("user", f"{problem} {sample}"),), Purpose(problem, Stage.GENERATE, sample))
        try:
            await stored.ask(request)
            ended.append(problem)
        except CapSpentError:
            pass

    async with anyio.create_task_group() as group:
        for sample in range(20):
            group.start_soon(ask, "p", sample)
            group.start_soon(ask, "q", sample)
    assert (ended.count("p"), ended.count("q")) == (calls, 20)
    assert model.most >= 20, "the other problem does not wait"


def test_command_and_report(sstar, serve, write_set, isolated, folder):
    """The command writes table, JSON and figure; the report shows them again; wrong words are one line."""
    server = serve()
    words = ["compare", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--out", "all"]
    words += ["--strategies", "sample,beam:width=2", "--tokens", "2e3", *isolated]
    ended = sstar(*words)
    assert ended.code == 0, ended.err
    assert "beam:width=2" in ended.out
    asked = len(server.received)
    data = json.loads((folder / "all" / "results.json").read_text())
    assert [(row["strategy"], row["budget"]) for row in data["rows"]] == [
        ("sample", 2000),
        ("beam:width=2", 2000),
    ]
    assert (folder / "all" / "comparison.svg").read_text().startswith("<svg")
    assert sstar(*words, "--json").json == data
    assert len(server.received) == asked
    told = sstar("report", "all")
    assert told.out == (folder / "all" / "comparison.md").read_text()
    assert sstar("report", "all", "--format", "json").json == data
    assert sstar("report", "all", "--format", "csv").code == 2
    assert sstar("report", "all", "all/sample-cot-2000").code == 2
    assert sstar("report", "all/sample-cot-2000").code == 0
    assert "2 of 2" not in sstar("runs", "all").out
    for wrong, why in (
        (("--tokens", "few"), "--tokens 'few'"),
        (("--tokens", ""), "no budget"),
        (("--strategies", "simple"), "unknown strategy 'simple'"),
        (("--styles", "loud"), "--style 'loud'"),
        (("--n", "3"), "a comparison of something else (n was 2, is 3)"),
    ):
        ended = sstar(*words, *wrong)
        assert (ended.code, why in ended.err) == (2, True), ended.err
