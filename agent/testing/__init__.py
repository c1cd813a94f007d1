"""Public doubles: a scripted model, a fake sandbox, an OpenAI-compatible server, a simulated engine."""

from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.sandbox.fake import FakeSandbox

__all__ = ["FakeSandbox", "ScriptedModel"]
