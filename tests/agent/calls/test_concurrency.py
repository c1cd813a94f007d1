"""How many calls are kept in flight: given, told, or learnt from what the server shows."""

from __future__ import annotations

from sstar_code.agent.calls.concurrency import FIRST_WIDTH, ConcurrencyController, PriorityLimiter
from sstar_code.agent.models.load import Load, read_load


class Busy(PriorityLimiter):
    """PriorityLimiter with a line that never ends: as many are taken as may be."""

    def __init__(self) -> None:
        super().__init__(1)
        self.waiting = 1_000

    def _call_next(self) -> None:
        self.taken = max(self.taken, self._width)


def look(pace: ConcurrencyController, turns: Busy, limit: int) -> None:
    """One look at a server that runs `limit` at once."""
    turns.taken = turns.width
    pace.see_load(Load(min(limit, turns.taken), max(0, turns.taken - limit)))


def test_given_is_kept():
    """What the user said is the width whatever the load."""
    turns = Busy()
    pace = ConcurrencyController(turns, given=7)
    pace.see_load(Load(7, 500))
    pace.see_load(Load(7, 500))
    assert pace.width == 7


def test_told_is_taken_with_a_little_to_spare():
    """A server that says its limit gets that many and a few that wait; more where it orders them itself."""
    assert ConcurrencyController(Busy(), limit=256).width == 256 + 16
    assert ConcurrencyController(Busy(), limit=256, priorities=True).width == 256 + 64


def test_learnt_width_finds_the_limit_and_stays():
    """Doubling until something waits, then within an eighth of the server's limit, up or down."""
    for limit in (20, 100, 256, 700):
        turns = Busy()
        pace = ConcurrencyController(turns)
        assert pace.width == FIRST_WIDTH
        for _ in range(40):
            look(pace, turns, limit)
        for _ in range(20):
            look(pace, turns, limit)
            assert limit <= pace.width <= 1.3 * limit + 4


def test_a_refusal_halves_once_and_the_width_comes_back():
    """A burst of refusals counts once; while the server refuses nothing the width grows again."""
    turns = Busy()
    pace = ConcurrencyController(turns, given=100)
    turns.taken = 100
    for moment in range(10):
        pace.refuse(moment / 100)
    assert pace.width == 50
    pace.refuse(5.0)
    assert pace.width == 50, "the first has not come about yet"
    turns.taken = 50
    pace.refuse(10.0)
    assert pace.width == 25
    for _ in range(2_000):
        pace.see_answer(1.0, 100)
    assert pace.width == 100


def test_without_metrics_a_flat_time_of_a_token_lets_the_width_grow():
    """A server that takes no longer for a token with more calls gets more; one that does gets no more."""
    for limit in (128, 400):
        turns = Busy()
        pace = ConcurrencyController(turns)
        for _ in range(20_000):
            pace.see_answer(10.0 * max(1.0, pace.width / limit), 1_000)
        assert 0.5 * limit <= pace.width <= 2.2 * limit


def test_metrics_of_all_engines_are_added():
    """A page with two engines counts as one server; a page that is not vLLM's says nothing."""
    page = (
        'vllm:num_requests_running{engine="0",model_name="m"} 3.0\n'
        'vllm:num_requests_running{engine="1",model_name="m"} 4.0\n'
        'vllm:num_requests_waiting{engine="0",model_name="m"} 2.0\n'
        'vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 9.0\n'
    )
    assert read_load(page) == Load(7, 2)
    assert read_load("go_threads 9\n") is None
