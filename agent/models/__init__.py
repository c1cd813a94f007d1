"""Models: the OpenAI-compatible client, record and replay, a scripted double."""

from agent.models.request import Answer, Message, Model, Purpose, Request, Stage, Usage, request_key

__all__ = ["Answer", "Message", "Model", "Purpose", "Request", "Stage", "Usage", "request_key"]
