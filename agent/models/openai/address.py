"""Addresses of endpoints: read, shown without secrets, and joined with a path."""

from __future__ import annotations

import ipaddress
import os
import re
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from sstar_code.agent.models.request import ModelUserError

DEFAULT_BASE_URL = "http://localhost:8000/v1"
AZURE_VERSION_NAME = "OPENAI_API_VERSION"
"""The variable that the openai SDK too takes Azure's `api-version` from."""

_AZURE_HOSTS = (
    ".openai.azure.com",
    ".openai.azure.us",
    ".openai.azure.cn",
    ".cognitiveservices.azure.com",
    ".services.ai.azure.com",
    ".azure-api.net",
)
PROVIDERS = {
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "mistral": "https://api.mistral.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "ollama": "http://localhost:11434/v1",
    "lm_studio": "http://localhost:1234/v1",
}
"""What other tools write before a model's name -> the address of that provider."""
_CALL_PATHS = ("/chat/completions", "/completions", "/responses")
_VERSION = re.compile(r"v\d\w*")


def parse_base_url(base_url: str) -> str:
    """`base_url` without a closing slash and without the path of a call; its query stays.

    Raises:
        ModelUserError: not an http or https address.
    """
    text = base_url.strip()
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ModelUserError(f"--base-url {base_url!r} is not an address like {DEFAULT_BASE_URL}")
    path = parts.path.rstrip("/")
    for end in _CALL_PATHS:
        path = path.removesuffix(end)
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def show_url(base_url: str) -> str:
    """`base_url` fit for a message: no user name, password or query."""
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def advise_address(name: str) -> str:
    """What to do where no server answers that could serve the model `name`."""
    own = f"start one with `vllm serve {name}` or give --base-url"
    provider = re.split("[:/]", name, maxsplit=1)[0]
    rest = name[len(provider) + 1 :]
    if not rest or provider not in PROVIDERS:
        return own
    return f"for {provider} give `--base-url {PROVIDERS[provider]} -m {rest}`; for your own server {own}"


def join(base_url: str, path: str) -> str:
    """The address of `path` below `base_url`, with its query."""
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path + path, parts.query, ""))


def has_version(base_url: str) -> bool:
    """Whether the path names a version of the API, like `/v1`, or is one of Azure's."""
    parts = urlsplit(base_url).path.split("/")
    return is_azure(base_url) or any(_VERSION.fullmatch(part) for part in parts)


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


def is_azure(base_url: str) -> bool:
    """Whether the address is one of Azure OpenAI, whose keys travel in the header `api-key`."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    return (
        host.endswith(_AZURE_HOSTS)
        or "/openai/deployments/" in f"{parts.path}/"
        or "api-version" in parse_qs(parts.query, keep_blank_values=True)
    )


def complete_azure(base_url: str, name: str) -> str:
    """`base_url` with what Azure wants in it: the deployment `name`, and the version of the API.

    Any other address, and Azure's own that ends in `/v1`, is returned as it is.

    Raises:
        ModelUserError: no version is given.
    """
    if not is_azure(base_url) or urlsplit(base_url).path.endswith("/v1"):
        return base_url
    parts = urlsplit(base_url)
    path, query = parts.path, parts.query
    if ".openai.azure." in f"{parts.hostname}." and path in ("", "/openai"):
        path = f"/openai/deployments/{quote(name, safe='')}"
    if "api-version" not in parse_qs(query):
        version = os.environ.get(AZURE_VERSION_NAME)
        if not version:
            raise ModelUserError(
                f"{show_url(base_url)} is an address of Azure: end it with ?api-version=2024-10-21, or "
                f"another version, or set {AZURE_VERSION_NAME}"
            )
        query = "&".join(filter(None, [query, f"api-version={quote(version, safe='')}"]))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))
