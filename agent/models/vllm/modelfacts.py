"""Facts of a model that is not loaded yet: from its folder, the hub's cache, or its name."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sstar_code.agent.models.errors import ModelUserError

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
