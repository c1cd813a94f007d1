"""A server for tests that loads and unloads adapters while it runs, as vLLM does.

    with AdapterServer(lambda body, weights: chat(weights)) as server: ...

What is called `weights` here is the text of `adapter.txt` in an adapter's folder. It is read when a name with
its path is loaded for the first time, and never again: vLLM's prefix cache too goes on with what it computed
under a name and a path, whatever is loaded under them later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sstar_code.agent.testing.server import Reply, ServerDouble, failure


class AdapterServer(ServerDouble):
    """Serves while its `with` block lasts.

    Args:
        answer: the reply to a chat request's body, given the weights that it asks: those of an adapter, or
            an empty text for the model's own.
        options: further arguments of `ServerDouble`.
    """

    def __init__(self, answer: Callable[[dict[str, Any], str], Reply], **options: Any) -> None:
        super().__init__(lambda body: answer(body, self._weights_of(body["model"])), **options)
        self.loaded: dict[str, str] = {}
        """Name -> folder of the adapters that it has."""
        self.loads: list[tuple[str, str]] = []
        """Name and folder of every adapter that it got, in order."""
        self.refuses: Reply | None = None
        """What it answers to the next load instead of loading."""
        self._first_read: dict[tuple[str, str], str] = {}

    def answer(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """The reply to a request."""
        if path not in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter"):
            return super().answer(method, path, headers, content)
        if self.api_key is not None and headers.get("authorization") != f"Bearer {self.api_key}":
            return failure(401, "Unauthorized")
        body = json.loads(content)
        return self._load(body) if path.endswith("/load_lora_adapter") else self._unload(body)

    def _load(self, body: dict[str, Any]) -> Reply:
        name, folder = body["lora_name"], body["lora_path"]
        if self.refuses is not None:
            refusal, self.refuses = self.refuses, None
            return refusal
        if name in self.loaded:
            return failure(400, f"The lora adapter '{name}' has already been loaded.")
        self._first_read.setdefault((name, folder), (Path(folder) / "adapter.txt").read_text("utf-8"))
        self.loaded[name] = folder
        self.loads.append((name, folder))
        self.models = (*self.models, name)
        return Reply(f"Success: LoRA adapter '{name}' added successfully.".encode())

    def _unload(self, body: dict[str, Any]) -> Reply:
        name = body["lora_name"]
        if name not in self.loaded:
            return failure(404, f"The lora adapter '{name}' cannot be found.")
        del self.loaded[name]
        self.models = tuple(other for other in self.models if other != name)
        return Reply(f"Success: LoRA adapter '{name}' removed successfully.".encode())

    def _weights_of(self, name: str) -> str:
        return self._first_read[name, self.loaded[name]] if name in self.loaded else ""
