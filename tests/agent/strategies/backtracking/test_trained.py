"""The decoder of self-backtracking, on a server whose model is a known automaton."""

from __future__ import annotations

import pytest

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.models import ModelUserError, OpenAIModel
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.table import choose_strategy
from sstar_code.agent.testing.token_server import TokenServer
from sstar_code.problems import Kind, Problem, Test, UserError
from sstar_code.sandbox.fake import FakeSandbox

pytestmark = pytest.mark.anyio
TOKEN = "<|backtrack|>"
STRATEGY = f"backtrack:token={TOKEN}"
PROBLEM = Problem("p", "Print 1.", Kind.STDIN, public_tests=(Test("", "1"),))
SEEDS = {
    # (what stands there, the sample): what is written behind it
    ("", 0): f"a\nb\n{TOKEN}",
    ("", 1): f"a\nc{TOKEN}",
    ("", 2): f"d\ne\nf\n{TOKEN}",
    ("", 3): "```python\nprint(1)\n```",
    # the states a line back are "a\n" twice and "d\ne\n"; beams 0, 1 and 2 go on behind them in turn
    ("d\ne\n", 0): f"```python\nprint(2)\ng\n{TOKEN}",
    ("a\n", 1): "```python\nprint(1)\n```",
    ("d\ne\n", 2): f"h\n{TOKEN}",
    # "d\ne\n" was visited
    ("d\ne\n```python\nprint(2)\n", 0): f"i{TOKEN}",
    ("d\ne\n```python\nprint(2)\n", 2): "print(1)\n```",
}
SURENESS = {"f": 0.01, "e": 0.01, "d": 0.01}


class Automaton(TokenServer):
    """Writes by `SEEDS`; the seed tells the sample."""

    def __init__(self, **options):
        super().__init__(lambda _: "", opens=False, **options)
        self.sureness = lambda token: SURENESS.get(token, 1.0)
        self.visits = []

    def _complete(self, body, prompt, *, is_chat):
        def write(written):
            assert body["stop"] == [TOKEN]
            assert body["skip_special_tokens"] is False
            sample = body["seed"] % 1_000_003
            assert (written, sample) in SEEDS, (written, sample)
            self.visits.append((written, sample))
            return SEEDS[written, sample]

        self.write = write
        # the template of this double has no thinking: what was written begins behind the prompt
        return super()._complete(body, prompt, is_chat=is_chat)


async def solve(server, *, store=None, budget=None, **settings):
    settings = Settings(**{"n": 4, "rounds": 2, "strategy": STRATEGY} | settings)
    async with OpenAIModel("tiny", base_url=server.base_url) as model:
        stored = StoredModel(model, store or Store(), budget or Budget(), max_in_flight=1)
        sandbox = FakeSandbox(lambda program, _: "1" if "print(1)" in program.code else "2")
        context = SolveContext(stored, sandbox, Prompts(), settings)
        made = await choose_strategy(settings)(PROBLEM, context, lambda _: None)
        return [lineage.code and lineage.code.strip() for lineage in made], stored, made


async def test_the_published_visits():
    """Four beams; two states of them a line back, the surest first, none twice; two times."""
    with Automaton() as server:
        codes, _, made = await solve(server)
        assert server.visits == [
            *(("", sample) for sample in range(4)),
            *(("d\ne\n", 0), ("a\n", 1), ("d\ne\n", 2)),
            *(("d\ne\n```python\nprint(2)\n", 0), ("d\ne\n```python\nprint(2)\n", 2)),
        ]
    assert codes == ["print(2)", "print(1)", "print(2)\nprint(1)", "print(1)"]
    assert [lineage.survives for lineage in made] == [False, True, True, True]
    assert [len(lineage.rounds) for lineage in made] == [1, 1, 1, 1]


async def test_fewer_rollbacks_and_fewer_states():
    """As `--rounds` and `kept` say."""
    with Automaton() as server:
        codes, _, _ = await solve(server, rounds=0)
        assert len(server.visits) == 4
        assert codes[3] == "print(1)"
    with Automaton() as server:
        _, _, made = await solve(server, strategy=f"{STRATEGY},kept=1", rounds=1)
    assert server.visits[4:] == [("d\ne\n", sample) for sample in (0, 2)]
    assert "not in the script" in made[1].rounds[-1].error, "a call that fails ends its beam alone"


async def test_nothing_is_asked_twice():
    """What a budget broke off is gone on with from the store, to the same programs."""
    with Automaton() as server:
        whole, first, _ = await solve(server)
        store = Store()
        cut, _, made = await solve(
            server, store=store, budget=Budget(max_tokens_problem=first.tally.tokens // 2)
        )
        assert cut != whole
        assert any("its tokens" in lineage.rounds[-1].error for lineage in made)
        kept = len(list(store.answers()))
        again, stored, _ = await solve(server, store=store)
        assert (again, stored.asked) == (whole, first.asked - kept)


async def test_a_server_that_does_not_tell_is_told_of():
    """Without ids there is no state to go back to."""
    with Automaton(gives_ids=False) as server, pytest.raises(ExceptionGroup) as raised:
        await solve(server)
    assert raised.group_contains(ModelUserError, match="backtrack:token=...: the server gives no token ids")
    with pytest.raises(UserError, match="writes each answer in pieces of its own"):
        choose_strategy(Settings(strategy=STRATEGY, mur="0.9"))
