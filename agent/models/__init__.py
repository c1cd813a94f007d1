"""Models: the OpenAI-compatible client, record and replay.

`make_model` makes one from what the user names; each has `ask`. A name of this package is loaded when it is
first used, and the SDK with the first call.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sstar_code.agent.models.choose import make_model
    from sstar_code.agent.models.openai.client import OpenAIModel
    from sstar_code.agent.models.recorded import Recorder, ReplayModel
    from sstar_code.agent.models.request import (
        Answer,
        CallError,
        ContextError,
        Message,
        Model,
        ModelError,
        ModelUserError,
        Purpose,
        ReplayMissError,
        Request,
        Stage,
        Usage,
        request_key,
    )
    from sstar_code.agent.models.retry import RetryPolicy

_HOMES = {
    "choose": ("make_model",),
    "openai.client": ("OpenAIModel",),
    "recorded": ("Recorder", "ReplayModel"),
    "request": (
        *("Answer", "CallError", "ContextError", "Message", "Model", "ModelError", "ModelUserError"),
        *("Purpose", "ReplayMissError", "Request", "Stage", "Usage", "request_key"),
    ),
    "retry": ("RetryPolicy",),
}
"""Submodule -> its names, which are loaded when they are first used: a command starts with what it needs."""

__all__ = [
    "Answer",
    "CallError",
    "ContextError",
    "Message",
    "Model",
    "ModelError",
    "ModelUserError",
    "OpenAIModel",
    "Purpose",
    "Recorder",
    "ReplayMissError",
    "ReplayModel",
    "Request",
    "RetryPolicy",
    "Stage",
    "Usage",
    "make_model",
    "request_key",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
