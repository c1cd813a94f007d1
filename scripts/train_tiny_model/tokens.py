"""The tiny coder's tokenizer: byte-level BPE with single digits; a line of a template is one token.

Needs the packages of the live tests' environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["END", "make_tokenizer", "render"]

VOCABULARY = 640
END = "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_PIECES = r"\n+ *| ?[A-Za-z_]+|\d| ?[^\sA-Za-z\d]+|\s+"
_FIXED = 16
"""Characters from which a line that the templates fix is worth a token of its own."""


def render(messages: Iterable[dict[str, str]]) -> str:
    """What the chat template makes of a prompt."""
    turns = "".join(f"<|im_start|>{row['role']}\n{row['content']}<|im_end|>\n" for row in messages)
    return f"{turns}<|im_start|>assistant\n"


def find_fixed_lines(templates: Path, own: Path) -> list[str]:
    """The lines that no value changes: of the templates in `own`, and of those in `templates` beside them."""
    paths = {path.name: path for folder in (templates, own) for path in folder.glob("*.j2")}
    lines = {
        line.strip()
        for path in paths.values()
        for line in path.read_text(encoding="utf-8").splitlines()
        if "{{" not in line and "{%" not in line
    }
    return sorted(line for line in lines if len(line) >= _FIXED)


def make_tokenizer(texts: Iterable[str], templates: Path, own: Path) -> PreTrainedTokenizerFast:
    """Train on `texts`; the same ones give the same tokens."""
    fixed = find_fixed_lines(templates, own)
    bare = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    bare.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>", "<|im_start|>", END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )

    def strip_fixed(text: str) -> str:
        return "\n".join(line for line in text.split("\n") if line not in fixed)

    bare.train_from_iterator(map(strip_fixed, texts), trainer)
    bare.add_tokens([AddedToken(line, normalized=False) for line in fixed])
    return PreTrainedTokenizerFast(
        tokenizer_object=bare, eos_token=END, pad_token="<|endoftext|>", chat_template=TEMPLATE
    )
