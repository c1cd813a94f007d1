"""From what the user names to a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.models.endpoint import DEFAULT_BASE_URL, is_private, parse_base_url, show_url
from agent.models.openai_client import OpenAIModel
from agent.models.replay import ReplayModel
from problems import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["make_model"]

KEY_NAME = "OPENAI_API_KEY"


def make_model(
    spec: str,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    strict_replay: bool = False,
    environment: Mapping[str, str] = os.environ,
    **options: Any,
) -> OpenAIModel | ReplayModel:
    """The model that `spec` names: `replay:FILE`, or a name at an endpoint.

    `OPENAI_API_KEY` is sent only to an address that the user gave, never in clear text to a public one.

    Args:
        spec: as given to `-m`.
        base_url: as given by flag or file; None takes `OPENAI_BASE_URL`, else a server on this machine.
        api_key: as given by the user for this endpoint; None takes `OPENAI_API_KEY`.
        strict_replay: a replayed request must be the recorded one to the letter.
        environment: where the two variables are.
        options: further arguments of `OpenAIModel`.

    Raises:
        UserError: the name, the address or the recording cannot be used.
    """
    kind, colon, rest = spec.partition(":")
    if colon and kind == "replay":
        if not rest:
            raise UserError("-m replay: names no file; give replay:FILE")
        return ReplayModel(Path(rest), strict=strict_replay)
    if colon and kind == "vllm":
        raise UserError(
            f"-m {spec}: this version starts no servers; run `vllm serve {rest or 'MODEL'}` in another "
            f"terminal and give -m {rest or 'MODEL'}"
        )
    if not spec.strip():
        raise UserError("-m is empty; give a model's name at the endpoint, or replay:FILE")
    given = base_url or environment.get("OPENAI_BASE_URL")
    address = parse_base_url(given or DEFAULT_BASE_URL)
    key = api_key
    if key is None and given:
        key = environment.get(KEY_NAME)
        if key and address.startswith("http://") and not is_private(address):
            raise UserError(
                f"{show_url(address)} is a public address without encryption, {KEY_NAME} is not sent there: "
                f"give an https address, or unset {KEY_NAME}"
            )
    return OpenAIModel(spec, base_url=address, api_key=key, key_name=KEY_NAME, **options)
