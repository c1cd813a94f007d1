"""Reads the load of a vLLM server from its `/metrics`, for progress, report and concurrency."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

_NUMBER = r"\d+(?:\.\d+)?(?:[eE][+-]?\d{1,2})?"
_LINE = re.compile(rf"^vllm:(\w+)(?:\{{.*\}})?[ \t]+({_NUMBER})(?:[ \t]+\d+)?$", re.MULTILINE)
_KV_NAMES = ("kv_cache_usage_perc", "gpu_cache_usage_perc")  # the second before 0.10


@dataclass(frozen=True, slots=True)
class Load:
    """Load of one or more servers at one moment, all their engines together."""

    running: int
    """Requests being worked on."""
    waiting: int
    kv_use: float | None = None
    """Share of the key-value cache in use, 0..1, the mean over engines."""
    prefix_queries: float = 0.0
    """Tokens looked up in the prefix cache since the servers started."""
    prefix_hits: float = 0.0


def read_load(*pages: str) -> Load | None:
    """The load in `pages` of metrics, all engines of all servers together; None where they are not vLLM's."""
    values: dict[str, list[float]] = {}
    for page in pages:
        for name, value in _LINE.findall(page):
            values.setdefault(name, []).append(float(value))
    if "num_requests_running" not in values:
        return None
    uses = next((values[name] for name in _KV_NAMES if name in values), [])
    return Load(
        running=int(sum(values["num_requests_running"])),
        waiting=int(sum(values.get("num_requests_waiting", ()))),
        kv_use=sum(uses) / len(uses) if uses else None,
        prefix_queries=sum(values.get("prefix_cache_queries_total", ())),
        prefix_hits=sum(values.get("prefix_cache_hits_total", ())),
    )


@dataclass(slots=True)
class _Course:
    """Mean and peak of what was seen."""

    count: int = 0
    total: float = 0.0
    peak: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.peak = max(self.peak, value)

    def as_json(self) -> dict[str, float] | None:
        if not self.count:
            return None
        return {"mean": round(self.total / self.count, 3), "peak": round(self.peak, 3)}


@dataclass(slots=True)
class LoadWatch:
    """Looks at the load with `read` when asked, and remembers mean and peak."""

    read: Callable[[], Awaitable[Load | None]]
    last: Load | None = None
    absent: bool = False
    """The servers show no metrics of vLLM."""
    looks: int = 0
    _running: _Course = field(default_factory=_Course)
    _waiting: _Course = field(default_factory=_Course)
    _kv_use: _Course = field(default_factory=_Course)
    _queries: float = 0.0
    _hits: float = 0.0

    async def read_load(self) -> Load | None:
        """Look; None where the servers show nothing, and will not."""
        load = await self.read()
        if load is None:
            self.absent = self.last is None
            return None
        before, self.last = self.last, load
        self.looks += 1
        self._running.add(float(load.running))
        self._waiting.add(float(load.waiting))
        if load.kv_use is not None:
            self._kv_use.add(load.kv_use)
        if before is None:
            return load  # what others had asked before this run began
        queries, hits = load.prefix_queries, load.prefix_hits
        if queries >= before.prefix_queries and hits >= before.prefix_hits:  # else a server has begun anew
            queries, hits = queries - before.prefix_queries, hits - before.prefix_hits
        self._queries += queries
        self._hits += hits
        return load

    @property
    def hit_rate(self) -> float | None:
        """Share of prompt tokens that the prefix cache held, while this run was watching."""
        return self._hits / self._queries if self._queries else None

    def line(self) -> str:
        """The last look, for the progress display; empty where nothing is shown."""
        if self.last is None:
            return ""
        parts = [f"{self.last.running} running", f"{self.last.waiting} waiting"]
        if self.last.kv_use is not None:
            parts.append(f"KV {self.last.kv_use:.0%}")
        if self.hit_rate is not None:
            parts.append(f"prefix hits {self.hit_rate:.0%}")
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any] | None:
        """Mean and peak of this start, idle seconds included; None before the first look."""
        if self.absent:
            return {"note": "the server shows no /metrics of vLLM"}
        if not self.looks:
            return None
        rate = self.hit_rate
        return {
            "looks": self.looks,
            "running": self._running.as_json(),
            "waiting": self._waiting.as_json(),
            "kv_use": self._kv_use.as_json(),
            "prefix_hit_rate": None if rate is None else round(rate, 4),
        }
