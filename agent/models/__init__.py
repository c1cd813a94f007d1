"""Models: the OpenAI-compatible client, record and replay.

`make_model` makes one from what the user names; each has `ask`. Importing this package does not load the SDK,
which comes with the first call.
"""

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
