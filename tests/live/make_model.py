"""Makes a tiny language model with random weights: enough for a real server, useless as a model.

    python tests/live/make_model.py FOLDER MAX_LENGTH

A byte-level BPE trained on Python's own sources, a ChatML template, and a Qwen2 of 2 layers x 128 (about half
a million parameters, 1 MB, some seconds). Runs in the environment of the live tests, not in the project's.
"""

from __future__ import annotations

import inspect
import json
import statistics
import sys
import textwrap
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

VOCABULARY = 1024
END = "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{% if add_generation_prompt and enable_thinking is defined and enable_thinking %}<think>\n{% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Train the tokenizer; the same text gives the same tokens."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>", "<|im_start|>", END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sources = [inspect.getsource(module) for module in (json, inspect, statistics, textwrap)]
    bare.train_from_iterator(sources, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bare, eos_token=END, pad_token="<|endoftext|>", chat_template=TEMPLATE
    )
    tokenizer.add_tokens(["<think>", "</think>"])  # single tokens that a text shows, as with Qwen3
    return tokenizer


def make_model(folder: Path, max_length: int) -> None:
    """Write tokenizer, configuration and weights to `folder`, for at most `max_length` tokens."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=max_length,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    make_model(Path(sys.argv[1]), int(sys.argv[2]))
