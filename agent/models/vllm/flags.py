"""The flags for a model on a machine, each with its reason; what the user gives wins."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.models.errors import ModelUserError
from sstar_code.agent.models.thinking import END_OF_THINKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sstar_code.agent.models.vllm.hardware import Hardware
    from sstar_code.agent.models.vllm.modelfacts import ModelFacts

__all__ = ["Flag", "choose_environment", "choose_flags", "read_user_flags"]

_SHORT = {"-tp": "--tensor-parallel-size", "-dp": "--data-parallel-size", "-pp": "--pipeline-parallel-size"}
_SECRETS = ("--api-key", "--hf-token")
_NOT_OURS = ("--model", "--config", "--headless", "--uds", "--root-path", "--ssl-keyfile", "--ssl-certfile")
_GPU_SHARE = 0.92
_WEIGHTS_SHARE = 0.65
"""Of a GPU's memory that weights may take, so that enough is left for the cache of running samples."""
_CPU_LENGTH = 8192
_CPU_SEQUENCES = 128


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag or an environment variable, and why."""

    name: str
    value: str | None
    """None for a flag without one."""
    why: str

    @property
    def words(self) -> tuple[str, ...]:
        """On a command line."""
        return (self.name,) if self.value is None else (self.name, self.value)


def read_user_flags(text: str) -> tuple[tuple[str, ...], dict[str, str | None]]:
    """The words of `--vllm-args`, and its flags by full name (`--no-x` counts as `--x`).

    Raises:
        ModelUserError: quotes do not match, or a flag is not for us to pass on.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ModelUserError(f"--vllm-args {text!r}: {error}") from error
    if words and not words[0].startswith("-"):
        raise ModelUserError(f"--vllm-args {text!r}: begins with {words[0]!r}, which is no flag")
    flags: dict[str, str | None] = {}
    last = ""
    for word in words:
        if not word.startswith("-") or _is_number(word):
            flags[last] = word
            continue
        name, equals, value = word.partition("=")
        last = _canonical(name)
        flags[last] = value if equals else None
    for name in flags:
        if name in _SECRETS:
            raise ModelUserError(
                f"--vllm-args: leave {name} out, other users of the machine can read it: the server's key is "
                "made here, and vLLM takes a hub token from HF_TOKEN"
            )
        if name in _NOT_OURS:
            raise ModelUserError(
                f"--vllm-args: {name} does not go with -m vllm:, start such a server yourself"
            )
    return tuple(words), flags


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _canonical(name: str) -> str:
    full = _SHORT.get(name, name.replace("_", "-"))
    return f"--{full.removeprefix('--no-')}" if full.startswith("--no-") else full


def choose_flags(
    facts: ModelFacts,
    hardware: Hardware,
    user: Mapping[str, str | None],
    *,
    cpu: bool,
    max_thinking: int | None = None,
) -> list[Flag]:
    """The flags beside model, host and port; none that `user` gives."""
    flags = [Flag("--served-model-name", facts.served, "the name that requests carry")]
    flags += _choose_for_cpu(facts, user) if cpu else _choose_for_gpus(facts, hardware, user)
    flags += [
        Flag("--enable-prefix-caching", None, "samples of a problem share their prompt's work"),
        Flag("--enable-prompt-tokens-details", None, "the server tells how much of a prompt was cached"),
        Flag("--scheduling-policy", "priority", "repairs and choices may overtake first samples"),
        Flag("--disable-uvicorn-access-log", None, "a line a call would fill the log"),
    ]
    if max_thinking is not None:
        markers = {"reasoning_start_str": "<think>", "reasoning_end_str": END_OF_THINKING}
        flags.append(Flag("--reasoning-config", json.dumps(markers), "lets the server end thinking in time"))
    return [flag for flag in flags if _canonical(flag.name) not in user]


def _choose_for_gpus(facts: ModelFacts, hardware: Hardware, user: Mapping[str, str | None]) -> list[Flag]:
    gpus = hardware.gpus
    if not gpus:
        return []
    flags: list[Flag] = []
    smallest = min(gpu.total_gib for gpu in gpus)
    if len(gpus) > 1 and "--pipeline-parallel-size" not in user:
        flags += _spread(facts, len(gpus), smallest, user)
    free = min(gpu.free_gib / gpu.total_gib for gpu in gpus)
    share, why = _GPU_SHARE, "all but what CUDA itself needs"
    if free - 0.02 < share:
        share = max(0.05, math.floor(100 * (free - 0.02)) / 100)
        why = f"what other programs leave of the memory ({free:.0%})"
    flags.append(Flag("--gpu-memory-utilization", f"{share:.2f}", why))
    flags.append(
        Flag("--max-model-len", "auto", "the model's own length, or what fits into memory beside the weights")
    )
    return flags


def _spread(facts: ModelFacts, count: int, gpu_gib: float, user: Mapping[str, str | None]) -> list[Flag]:
    """How many GPUs share a copy of the model, and how many copies there are."""

    def divides(size: int) -> bool:
        return facts.heads is None or facts.heads % size == 0

    sizes = [size for size in (2**power for power in range(count.bit_length())) if size <= count]
    sizes = [size for size in sizes if divides(size)]
    given = user.get("--tensor-parallel-size")
    if given is not None and given.isdecimal() and int(given) > 0:
        together, why = int(given), ""
    elif facts.weights_gib is None:
        together, why = sizes[-1], "the model's size is not known, so all GPUs share one copy"
    else:
        fits = [size for size in sizes if facts.weights_gib / size <= _WEIGHTS_SHARE * gpu_gib]
        together = fits[0] if fits else sizes[-1]
        why = (
            f"{facts.weights_gib:.0f} GiB of weights leave room for samples on {together} x {gpu_gib:.0f} GiB"
            if fits
            else f"{facts.weights_gib:.0f} GiB of weights need every GPU there is"
        )
    copies = count // together
    flags = [Flag("--tensor-parallel-size", str(together), why)] if together > 1 else []
    if copies > 1:
        flags.append(
            Flag("--data-parallel-size", str(copies), "a copy a GPU serves more than one across all")
        )
    return flags


def _choose_for_cpu(facts: ModelFacts, user: Mapping[str, str | None]) -> list[Flag]:
    length = min(facts.max_length or _CPU_LENGTH, _CPU_LENGTH)
    given = _read_length(user.get("--max-model-len"))
    flags = [Flag("--max-model-len", str(length), "memory for the cache is small; prompt and answer fit")]
    if "--enable-chunked-prefill" not in user:
        flags += [
            Flag(
                "--no-enable-chunked-prefill",
                None,
                "a seeded request in pieces ends the engine: CPU generators know no offset",
            ),
            Flag("--max-num-batched-tokens", str(given or length), "a whole prompt in one step"),
        ]
    return [*flags, Flag("--enforce-eager", None, "needs no compiler and starts sooner")]


def _read_length(text: str | None) -> int | None:
    if text is None:
        return None
    unit = {"k": 1000, "K": 1024, "m": 10**6, "M": 2**20}.get(text[-1:], 1)
    number = text if unit == 1 else text[:-1]
    return int(float(number) * unit) if _is_number(number) and float(number) > 0 else None


def choose_environment(
    facts: ModelFacts,
    hardware: Hardware,
    flags: Sequence[Flag],
    *,
    cpu: bool,
    is_set: Callable[[str], bool],
) -> list[Flag]:
    """Environment variables for the server; none that `is_set` says the user has set."""
    chosen = [Flag("VLLM_NO_USAGE_STATS", "1", "nothing is reported to anyone")]
    if cpu:
        length = next((flag.value for flag in flags if flag.name == "--max-model-len"), None)
        need_gib = 4
        if facts.kv_bytes is not None:
            tokens = int(length or _CPU_LENGTH) * _CPU_SEQUENCES
            need_gib = math.ceil(facts.kv_bytes * tokens / 2**30)
        room_gib = int(0.8 * hardware.memory_gib - 2 * (facts.weights_gib or 0.0) - 3)
        space = str(max(1, min(need_gib, room_gib, 40)))
        chosen.append(Flag("VLLM_CPU_KVCACHE_SPACE", space, "GiB for the cache of running samples"))
        if any(flag.name == "--enforce-eager" for flag in flags):
            chosen.append(
                Flag("TORCHDYNAMO_DISABLE", "1", "a first request with log-probabilities would compile first")
            )
    return [flag for flag in chosen if not is_set(flag.name)]
