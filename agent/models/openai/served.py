"""What a server says that it serves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The answer of a server that was asked what it serves."""

    url: str
    """Base URL, without credentials."""
    models: tuple[str, ...]
    """Empty where the server does not list them."""
    max_model_len: int | None
    """Tokens that prompt and answer of the chosen model may have together."""
    version: str | None
    """`vllm 0.32.0`; None for a server that does not say."""
    seconds: float
    """Seconds that the answer took."""
    note: str = ""
    """What the user should know: another address that was found, a list that is closed."""

    def as_json(self) -> dict[str, Any]:
        """The part that the manifest keeps."""
        return {"url": self.url, "version": self.version, "max_model_len": self.max_model_len}


def read_models(body: str) -> dict[str, dict[str, Any]]:
    """The models in a `GET /models` response by name, in its order; empty where it is not one."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    entries = data if isinstance(data, list) else data.get("data") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        return {}
    return {
        entry["id"]: entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    }


def serves(name: str, served: Iterable[str]) -> bool:
    """Whether `name` is among the `served`.

    Also with or without a gateway's prefix, a variant's suffix or Ollama's `:latest`, and where a gateway
    lists patterns like `openai/*`.
    """
    plain = name.partition(":")[0]
    return any(
        known in (name, plain, f"{name}:latest")
        or known.endswith((f"/{name}", f"/{name}:latest"))
        or ("*" in known and fnmatchcase(name, known))
        for known in served
    )
