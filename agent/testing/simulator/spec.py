"""Limits and speeds of an engine: how much runs at once, and how long a step takes.

A step of continuous batching writes one token for every running sequence that is past its prompt and reads
some prompt tokens of the others. Its time is modelled as

    step_s = base_s + per_sequence_s * decoding + per_prompt_token_s * prompt_tokens

where the base is reading the weights once, and the others are what each sequence and each prompt token add.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Limits and speeds of one engine. The names are vLLM's where it has the setting."""

    base_s: float
    per_sequence_s: float
    per_prompt_token_s: float
    max_num_seqs: int = 256
    """Sequences that run at once; vLLM 0.32's default on most GPUs (H100 class: 1,024; CPU: 128)."""
    max_num_batched_tokens: int = 2_048
    """Tokens of one step, those of decoding sequences included; vLLM 0.32's default on most GPUs."""
    block_tokens: int = 16
    """Tokens in a block of the KV cache; prompts share whole blocks. vLLM: 16 on GPUs, 128 on a CPU."""
    kv_tokens: int = 2_000_000
    """Tokens that the KV cache holds."""
    max_num_queued_reqs: int | None = None
    """More waiting requests than this are refused with 503, as vLLM's option of the name does."""
    max_model_len: int = 32_768

    def step_s(self, decoding: int, prompt_tokens: int) -> float:
        """Seconds of a step."""
        return self.base_s + self.per_sequence_s * decoding + self.per_prompt_token_s * prompt_tokens

    @property
    def tokens_per_s(self) -> float:
        """Output tokens a second with every sequence decoding and no prompt to read: the most there is."""
        return self.max_num_seqs / self.step_s(self.max_num_seqs, 0)


GPU_7B = EngineSpec(
    base_s=5.2e-3,
    per_sequence_s=53e-6,
    per_prompt_token_s=33e-6,
    max_num_seqs=256,
    max_num_batched_tokens=8_192,
    kv_tokens=2_000_000,
)
"""Defaults, not measured: a 7B model in bf16 on one GPU of the H200 class.

At the hardware's limits, 15 GB of weights over 4.8 TB/s take 3.2 ms a step; a sequence of 1,000 tokens adds
12 us for its KV cache (56 KiB a token) and 20 us for 14 GFLOP at 700 TFLOP/s; a prompt token adds the 20 us.
All three are divided by 0.61, the share of those limits at which 384 sequences write 15 thousand tokens a
second, the middle of what is expected of such a server. What the weights leave of the memory holds two
million tokens.
"""

CPU_TINY = EngineSpec(
    base_s=2.35e-3,
    per_sequence_s=158e-6,
    per_prompt_token_s=50e-6,
    max_num_seqs=128,
    max_num_batched_tokens=4_096,
    block_tokens=128,
    kv_tokens=1_000_000,
    max_model_len=2_048,
)
"""vLLM 0.32 on two shared CPU cores with a model of 1.76 million parameters, measured.

A step of 1, 4, 16, 32, 64 and 128 sequences took 2.5, 2.8, 4.8, 6.0, 11.7 and 22.6 ms (500 less 100 tokens
for each, the best of four), reading 63 to 1,406 uncached prompt tokens 11 to 84 ms. Limits are the server's
own. The check is a run that the constants were not taken from: 24 prompts of 575 tokens with 8 samples of 64
tokens each took 2.9 to 3.5 s, 128 sequences ran at once and 0.78 of the prompt tokens came from the cache;
the simulator says 3.4 s, 128 and 0.78.
"""

PRESETS = {"gpu-7b": GPU_7B, "cpu-tiny": CPU_TINY}
