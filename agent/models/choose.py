"""A model by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sstar_code.agent.models.endpoint_pool import EndpointPool
from sstar_code.agent.models.openai.address import (
    DEFAULT_BASE_URL,
    is_azure,
    is_private,
    parse_base_url,
    show_url,
)
from sstar_code.agent.models.openai.client import OpenAIModel
from sstar_code.agent.models.recorded import ReplayModel
from sstar_code.agent.models.scrub import KEY_NAMES
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.models.vllm.server import ManagedModel

AskedModel: TypeAlias = "OpenAIModel | EndpointPool | ManagedModel | ReplayModel"
"""A model that `-m` may name."""

_KEY_NAME, _AZURE_KEY_NAME = KEY_NAMES


@dataclass(frozen=True, slots=True)
class VllmOptions:
    """Options of starting a server for `-m vllm:MODEL`."""

    command: str | None = None
    """Words before `serve`; None looks for `vllm` beside this Python and on PATH."""
    arguments: str = ""
    """Further words, which win over ours."""
    say: Callable[[str], None] = lambda _: None
    """Gets one line when the server starts, ends or starts again."""


def make_model(
    spec: str,
    *,
    base_url: str | Sequence[str] | None = None,
    vllm: VllmOptions | None = None,
    max_thinking: int | None = None,
    learns: bool = False,
    **options: Any,
) -> AskedModel:
    """The model that `spec` names: `replay:FILE`, `vllm:MODEL`, or a name at one endpoint or several.

    `OPENAI_API_KEY` is sent only to an address that the user gave, never in clear text to a public one.

    Args:
        spec: as given to `-m`.
        base_url: as given by flag or file; None takes `OPENAI_BASE_URL`, else a server on this machine.
        vllm: how `vllm:` starts a server; None takes the defaults.
        max_thinking: tokens of thinking that a server of our own is set up to end.
        learns: whether a server of our own is set up for adapters that are trained while it runs.
        options: further arguments of `OpenAIModel`; `max_in_flight` counts calls at all addresses together.

    Raises:
        UserError: the name, the address or the recording cannot be used.
    """
    kind, colon, rest = spec.partition(":")
    if colon and kind == "replay":
        if not rest:
            raise UserError("-m replay: names no file; give replay:FILE")
        return ReplayModel(Path(rest))
    if colon and kind == "vllm":
        from sstar_code.agent.models.vllm.plan import make_plan
        from sstar_code.agent.models.vllm.server import ManagedModel

        how = vllm or VllmOptions()
        plan = make_plan(
            rest, command=how.command, arguments=how.arguments, max_thinking=max_thinking, learns=learns
        )
        return ManagedModel(plan, say=how.say, **options)
    if not spec.strip():
        raise UserError("-m is empty; give a model's name at the endpoint, or replay:FILE")
    given = (base_url,) if isinstance(base_url, str) and base_url else tuple(base_url or ())
    given = given or tuple(os.environ.get("OPENAI_BASE_URL", "").split())
    addresses = list(dict.fromkeys(parse_base_url(url) for url in given or (DEFAULT_BASE_URL,)))
    key_name = _KEY_NAME
    if not os.environ.get(_KEY_NAME) and all(map(is_azure, addresses)):
        key_name = _AZURE_KEY_NAME
    key = os.environ.get(key_name) if given else None
    for address in addresses:
        if key and address.startswith("http://") and not is_private(address):
            raise UserError(
                f"{show_url(address)} is a public address without encryption, {key_name} is not sent "
                f"there: give an https address, or unset {key_name}"
            )
    models = [
        OpenAIModel(spec, base_url=address, api_key=key, key_name=key_name, **options)
        for address in addresses
    ]
    if len(models) == 1:
        return models[0]
    names = ("max_in_flight", "retry_policy", "on_retry")
    return EndpointPool(models, **{name: options[name] for name in names if name in options})
