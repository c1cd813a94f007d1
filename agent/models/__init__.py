"""Models: the OpenAI-compatible client, record and replay, a scripted double.

`make_model` makes one from what the user names; each has `ask`. Importing this package does not load the SDK,
which comes with the first call.
"""

from agent.models.choose import make_model
from agent.models.endpoint import DEFAULT_BASE_URL, ServerInfo
from agent.models.errors import CallError, ContextError, ModelError, ModelUserError, ReplayMissError
from agent.models.openai_client import OpenAIModel
from agent.models.recording import Recorder
from agent.models.replay import ReplayModel
from agent.models.request import Answer, Message, Model, Purpose, Request, Stage, Usage, request_key
from agent.models.retry import RetryPolicy
from agent.models.scripted import ScriptedModel

__all__ = [
    "DEFAULT_BASE_URL",
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
    "ScriptedModel",
    "ServerInfo",
    "Stage",
    "Usage",
    "make_model",
    "request_key",
]
