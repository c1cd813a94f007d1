"""What vLLM would run on here, and what the model is."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sstar_code.agent.models.request import ModelUserError

_QUERY = ("--query-gpu=index,uuid,name,memory.total,memory.free", "--format=csv,noheader,nounits")
_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU."""

    name: str
    total_gib: float
    free_gib: float


@dataclass(frozen=True, slots=True)
class Hardware:
    """Hardware that a server can run on here."""

    gpus: tuple[Gpu, ...]
    """The GPUs that `CUDA_VISIBLE_DEVICES` leaves."""
    cores: int
    memory_gib: float
    """Available main memory."""

    def __str__(self) -> str:
        rest = f"{self.cores} cores, {self.memory_gib:.1f} GiB of memory available"
        if not self.gpus:
            return f"no NVIDIA GPU; {rest}"
        kinds = {gpu.name: [one for one in self.gpus if one.name == gpu.name] for gpu in self.gpus}
        listed = ", ".join(
            f"{len(same)} x {name} ({min(gpu.free_gib for gpu in same):.1f} of "
            f"{same[0].total_gib:.1f} GiB free)"
            for name, same in kinds.items()
        )
        return f"{listed}; {rest}"


def find_hardware() -> Hardware:
    """Ask `nvidia-smi` and the kernel; no answer is no GPU."""
    from sstar_code.sandbox.workers.pool import count_usable_cores

    program = shutil.which("nvidia-smi")
    table = ""
    if program is not None:
        try:
            asked = subprocess.run(  # noqa: S603 - found on PATH
                [program, *_QUERY], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
            table = asked.stdout if asked.returncode == 0 else ""
        except (OSError, subprocess.TimeoutExpired):
            table = ""  # a driver that hangs serves no model either
    return Hardware(
        gpus=read_gpus(table, os.environ.get("CUDA_VISIBLE_DEVICES")),
        cores=count_usable_cores(),
        memory_gib=_read_available_gib(),
    )


def read_gpus(table: str, visible: str | None) -> tuple[Gpu, ...]:
    """The GPUs in nvidia-smi's `table` (index, uuid, name, MiB, MiB) that `visible` leaves, in its order.

    CUDA ends the list at the first entry that names no GPU; so does this.
    """
    known: dict[str, Gpu] = {}
    rows = [[cell.strip() for cell in line.split(",")] for line in table.splitlines()]
    for row in rows:
        if len(row) == 5 and row[3].isdecimal() and row[4].isdecimal():
            known[row[0]] = known[row[1]] = Gpu(row[2], int(row[3]) / 1024, int(row[4]) / 1024)
    if visible is None:
        return tuple(known[row[0]] for row in rows if row[0] in known)
    chosen: list[Gpu] = []
    for word in (part.strip() for part in visible.split(",")):
        fits = {id(gpu): gpu for name, gpu in known.items() if name == word or _is_start(word, name)}
        if len(fits) != 1:
            break
        chosen += fits.values()
    return tuple(chosen)


def _is_start(word: str, name: str) -> bool:
    return word.startswith("GPU-") and name.startswith(word)


def _read_available_gib() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) / 2**20
    return 0.0


_WEIGHTS = (".safetensors", ".bin", ".pt", ".gguf")
_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)
_BYTES_OF_NAME = {"fp8": 1.0, "int8": 1.0, "w8a8": 1.0, "awq": 0.6, "gptq": 0.6, "int4": 0.6, "nvfp4": 0.6}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts that decide how a model is served; None is unknown."""

    name: str
    """The name or folder that vLLM is told to load."""
    served: str
    """The name that the server gives it: its own, or the folder's."""
    folder: Path | None
    """The folder on this machine; None where it would be fetched."""
    revision: str | None
    """The hub's commit, or a digest of a folder's configuration and weights' names and sizes."""
    weights_gib: float | None
    heads: int | None
    max_length: int | None
    """Tokens that the model was made for."""


def find_facts(model: str, *, revision: str | None = None) -> ModelFacts:
    """The facts of `model`, a folder or a name on the hub; nothing is fetched.

    Raises:
        ModelUserError: it looks like a path and no folder is there.
    """
    folder: Path | None = Path(model).expanduser()
    commit: str | None = None
    if folder is not None and folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelUserError(f"-m vllm:{model}: the folder holds no config.json, so it is no model")
        name, served = str(folder.resolve()), folder.resolve().name
    elif model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ModelUserError(f"-m vllm:{model}: no such folder")
    else:
        name = served = model
        folder, commit = _find_in_cache(model, revision or "main")
    if folder is None:
        return ModelFacts(name, served, None, None, _guess_gib(model), None, None)
    config = _read_config(folder)
    files = sorted((file.name, file.stat().st_size) for file in folder.iterdir() if file.suffix in _WEIGHTS)
    kept = [size for file, size in files if file.endswith(".safetensors")] or [size for _, size in files]
    return ModelFacts(
        name,
        served,
        folder,
        commit or f"folder:{_digest(folder, files)}",
        sum(kept) / 2**30 if kept else _guess_gib(model),
        _read_count(config, "num_attention_heads"),
        _read_count(config, "max_position_embeddings"),
    )


def _find_in_cache(model: str, revision: str) -> tuple[Path | None, str | None]:
    home = Path(os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser())
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub") / f"models--{model.replace('/', '--')}"
    reference = cache / "refs" / revision
    commit = reference.read_text().strip() if reference.is_file() else revision
    snapshot = cache / "snapshots" / commit
    return (snapshot, commit) if (snapshot / "config.json").is_file() else (None, None)


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        data = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUserError(f"{folder / 'config.json'}: cannot be read: {error}") from error
    inner = data.get("text_config") if isinstance(data, dict) else None
    return inner if isinstance(inner, dict) else data if isinstance(data, dict) else {}


def _read_count(config: dict[str, Any], name: str) -> int | None:
    value = config.get(name)
    return value if isinstance(value, int) else None


def _digest(folder: Path, files: list[tuple[str, int]]) -> str:
    text = (folder / "config.json").read_bytes() + json.dumps(files).encode()
    return hashlib.sha256(text).hexdigest()[:12]


def _guess_gib(model: str) -> float | None:
    """A guess by the number in a name like `Qwen2.5-Coder-7B`, two bytes a weight unless it says less."""
    found = _SIZE.search(model.rpartition("/")[2])
    if found is None:
        return None
    lower = model.lower()
    width = next((size for mark, size in _BYTES_OF_NAME.items() if mark in lower), 2.0)
    return float(found[1]) * 1e9 * width / 2**30
