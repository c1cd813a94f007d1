"""A client with quick retries, and requests for it, for tests against a server that replies as it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sstar_code.agent.models import Message, OpenAIModel, Purpose, Request, RetryPolicy, Stage

if TYPE_CHECKING:
    from sstar_code.agent.testing.server import Reply, ServerDouble

QUICK = RetryPolicy(attempts=4, first_wait_s=0.01, max_wait_s=0.02, max_retry_after_s=0.3)
KEY = "sk-very-secret"


def make_request(sample: int = 0, **fields) -> Request:
    messages = (Message("system", "Be brief."), Message("user", "Add two numbers."))
    return Request(messages, Purpose("p", Stage.GENERATE, sample), **fields)


def make_client(server: ServerDouble, **options) -> OpenAIModel:
    return OpenAIModel(
        "tiny", **{"base_url": server.base_url, "retry_policy": QUICK, "on_retry": lambda _: None} | options
    )


def replies(*given: Reply):
    """Each reply once, in order."""
    left = list(given)
    return lambda body: left.pop(0)


async def ask_expecting(error: type[Exception], server: ServerDouble, **options) -> str:
    async with make_client(server, **options) as model:
        with pytest.raises(error) as caught:
            await model.ask(make_request(max_tokens=16))
    assert "\n" not in str(caught.value)
    return str(caught.value)
