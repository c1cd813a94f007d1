"""Blots out secrets in text that is shown, logged or written down."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

BLOT = "***"
KEY_NAMES = ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY")
"""Variables that hold a key which is sent."""
_HEADERS_NAME = "OPENAI_CUSTOM_HEADERS"
_SHORTEST = 6
"""Shorter values are no secrets, and would blot out words."""

_SECRET_NAME = (
    r"(?:x-)?(?:api|auth|access|subscription)[-_]?(?:key|token)"  # noqa: S105 - a pattern
    r"|authorization|password|passwd|secret|credential"
)
_IS_SECRET = re.compile(_SECRET_NAME, re.IGNORECASE)
# A server decides what is in a text and how long it is: no repetition may start anywhere without a bound.
_PATTERNS = (
    (re.compile(r"(\b\w[\w+.-]{0,40}://)[^\s/@'\"]+@"), rf"\1{BLOT}@"),
    (re.compile(r"(\bBearer\s+)[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1{BLOT}"),
    (re.compile(r"\b(sk-|sk_|gsk_|hf_|xai-|nvapi-|AIza)[\w-]{8,}"), rf"\1{BLOT}"),
    (
        re.compile(
            rf"((?:{_SECRET_NAME})[\w-]{{0,40}}['\"]?\s{{0,9}}[=:\s]\s{{0,9}}['\"]?)(?!{re.escape(BLOT)})"
            r"[^\s'\",&}]{6,}",
            re.IGNORECASE,
        ),
        rf"\1{BLOT}",
    ),
    (re.compile(r"([?&](?:key|code|sig|token)=)[^&\s'\"]+", re.IGNORECASE), rf"\1{BLOT}"),
)


def read_custom_headers() -> list[str]:
    """Values of the headers that the openai SDK takes from its environment."""
    lines = os.environ.get(_HEADERS_NAME, "").splitlines()
    return [line.partition(":")[2].strip() for line in lines]


def blot_known(text: str, more: Iterable[str] = ()) -> str:
    """`text` without the keys of the environment and without `more`, longest first."""
    known = {os.environ.get(name, "").strip() for name in KEY_NAMES} | {*read_custom_headers(), *more}
    for value in sorted(known, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, BLOT)
    return text


def scrub(text: str, more: Iterable[str] = ()) -> str:
    """`text` as `blot_known`, and without what looks like a secret: keys, passwords in addresses, tokens."""
    text = blot_known(text, more)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def scrub_values(data: Any) -> Any:
    """JSON `data` with every text scrubbed, and every value blotted out whose name says it is a secret."""
    if isinstance(data, str):
        return scrub(data)
    if isinstance(data, list):
        return [scrub_values(item) for item in data]
    if isinstance(data, dict):
        return {
            name: BLOT
            if isinstance(value, str) and value and _IS_SECRET.search(str(name))
            else scrub_values(value)
            for name, value in data.items()
        }
    return data
