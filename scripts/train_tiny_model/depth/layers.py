"""Runs a Llama layer on its own, with the keys and values of a pass apart: a layer can be run several times.

Shapes: `hidden` is (batch, tokens, width); keys and values are (batch, heads, tokens, width of a head).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers.models.llama.modeling_llama import rotate_half

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LlamaModel
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer

__all__ = ["Past", "Turn", "add_pair", "find_turn", "run_layer"]

Past: TypeAlias = "tuple[Tensor, Tensor] | None"
"""Keys and values of the tokens so far in one pass through one layer; None before the first."""
Turn: TypeAlias = "tuple[Tensor, Tensor]"
"""Cosine and sine of each token's place, for rotary embedding."""


def find_turn(model: LlamaModel, hidden: Tensor, start: int = 0) -> Turn:
    """The rotation of the tokens of `hidden`, of which the first stands at place `start`."""
    places = torch.arange(start, start + hidden.shape[1])[None]
    cosine, sine = model.rotary_emb(hidden, places)
    return cosine, sine


def run_layer(layer: LlamaDecoderLayer, hidden: Tensor, turn: Turn, past: Past = None) -> tuple[Tensor, Past]:
    """What `layer` makes of `hidden`, and `past` with its tokens: all at once without a past, else one."""
    attention, normed = layer.self_attn, layer.input_layernorm(hidden)
    keys, values = pair = _add(layer, normed, turn, past)
    asked = _rotate(_split(attention.q_proj(normed), attention.head_dim), turn)
    seen = scaled_dot_product_attention(asked, keys, values, is_causal=past is None, enable_gqa=True)
    hidden = hidden + attention.o_proj(seen.transpose(1, 2).flatten(2))
    return hidden + layer.mlp(layer.post_attention_layernorm(hidden)), pair


def add_pair(layer: LlamaDecoderLayer, hidden: Tensor, turn: Turn, past: Past) -> Past:
    """`past` with the keys and values of `hidden`, for tokens that do not pass the layer this time."""
    return _add(layer, layer.input_layernorm(hidden), turn, past)


def _add(layer: LlamaDecoderLayer, normed: Tensor, turn: Turn, past: Past) -> tuple[Tensor, Tensor]:
    attention = layer.self_attn
    keys = _rotate(_split(attention.k_proj(normed), attention.head_dim), turn)
    values = _split(attention.v_proj(normed), attention.head_dim)
    if past is None:
        return keys, values
    return torch.cat((past[0], keys), 2), torch.cat((past[1], values), 2)


def _split(flat: Tensor, width: int) -> Tensor:
    return flat.unflatten(-1, (-1, width)).transpose(1, 2)


def _rotate(heads: Tensor, turn: Turn) -> Tensor:
    cosine, sine = (part.unsqueeze(1) for part in turn)
    turned: Tensor = heads * cosine + rotate_half(heads) * sine
    return turned
