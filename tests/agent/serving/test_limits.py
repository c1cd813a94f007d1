"""How much is let in, in all and in an hour."""

from __future__ import annotations

import pytest

from sstar_code.agent.serving.errors import RefusedError
from sstar_code.agent.serving.limits import Gate, Limits


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_one_more_than_there_is_room_for_is_refused_and_told_when_to_come_back():
    """A place is free again when its request has ended, however it ended."""
    gate = Gate(Limits(max_solving=1, max_passing=1))
    for enter in (gate.solve, gate.pass_through):
        with pytest.raises(RefusedError) as caught, enter(), enter():
            pytest.fail("there was no room")
        assert caught.value.status == 429
        assert int(caught.value.headers["retry-after"]) >= 1
    assert (gate.solving, gate.passing) == (0, 0)


def test_tokens_of_an_hour_come_back_after_it():
    """The wait that is told is the one after which some are left."""
    clock = Clock()
    gate = Gate(Limits(max_tokens_hour=100), clock=clock)
    gate.spend(60)
    clock.now = 600.0
    gate.spend(60)
    with pytest.raises(RefusedError) as caught, gate.solve():
        pytest.fail("no tokens were left")
    assert caught.value.headers["retry-after"] == "3000"
    clock.now = 3600.0
    assert gate.left_this_hour() == 40
    with gate.solve():
        assert gate.solving == 1
