"""Addresses of servers, and the record of what a server serves."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sstar_code.agent.models.errors import ModelUserError

DEFAULT_BASE_URL = "http://localhost:8000/v1"


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

    def as_json(self) -> dict[str, Any]:
        """The part that the manifest keeps."""
        return {"url": self.url, "version": self.version, "max_model_len": self.max_model_len}


def parse_base_url(base_url: str) -> str:
    """`base_url` without a closing slash.

    Raises:
        ModelUserError: not an http or https address.
    """
    text = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ModelUserError(f"--base-url {base_url!r} is not an address like {DEFAULT_BASE_URL}")
    return text


def show_url(base_url: str) -> str:
    """`base_url` fit for a message: no user name, password or query."""
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_loopback(base_url: str) -> bool:
    """Whether the server is on this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_private(base_url: str) -> bool:
    """Whether the server's address is one that only its own network knows."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return is_loopback(base_url) or "." not in host or host.endswith((".local", ".internal", ".lan"))


def read_models(body: str) -> dict[str, dict[str, Any]]:
    """The models in a `GET /models` response by name, in its order; empty where it is not one."""
    try:
        data = json.loads(body)
    except ValueError:
        return {}
    entries = data.get("data") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        return {}
    return {
        entry["id"]: entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    }


def serves(name: str, served: Iterable[str]) -> bool:
    """Whether `name` is among the `served`, with or without a gateway's prefix or variant suffix."""
    plain = name.partition(":")[0]
    return any(known in (name, plain) or known.endswith(f"/{name}") for known in served)
