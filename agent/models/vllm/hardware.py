"""Finds the hardware for vLLM: the GPUs that it would see, else the processor and its memory."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

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
    from sstar_code.sandbox.workers.cores import count_usable_cores

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
