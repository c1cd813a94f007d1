"""How busy a vLLM server is, by its own `/metrics`: for the progress line, the report and the pace."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Load", "LoadWatch", "Measured", "Paced", "ServerLoad", "read_load", "read_server_load"]

_LINE = re.compile(r"^vllm:(\w+)(?:\{[^}]*\})?\s+([0-9.eE+-]+|NaN)(?:\s+\d+)?$", re.MULTILINE)
_KV_NAMES = ("kv_cache_usage_perc", "gpu_cache_usage_perc")  # the second before 0.10
_GAUGE = re.compile(r"^vllm:num_requests_(running|waiting)(?:\{.*\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Load:
    """What a server says of itself."""

    running: int
    waiting: int


@runtime_checkable
class Paced(Protocol):
    """A model behind a server: what it says of itself sets the pace."""

    max_num_seqs: int | None
    """Sequences that the server runs at once, where that is known."""
    priorities: bool
    """Whether the server puts requests of a lower `priority` first."""
    on_busy: Callable[[], None]
    """Called when the server refuses a call because of its load."""

    async def read_load(self) -> Load | None:
        """How busy the server says it is; None where it does not say."""
        ...


def read_load(metrics: str) -> Load | None:
    """The load in a page of vLLM's metrics, all engines together; None where it shows none."""
    counts: dict[str, list[float]] = {}
    for name, value in _GAUGE.findall(metrics):
        counts.setdefault(name, []).append(float(value))
    if "running" not in counts:
        return None
    return Load(int(sum(counts["running"])), int(sum(counts.get("waiting", ()))))


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """What one look at one or more servers showed."""

    running: float
    """Requests being worked on."""
    waiting: float
    kv_use: float | None
    """Share of the key-value cache in use, 0..1, the mean over engines."""
    prefix_queries: float = 0.0
    """Tokens looked up in the prefix cache since the servers started."""
    prefix_hits: float = 0.0


def read_server_load(pages: Sequence[str]) -> ServerLoad | None:
    """What `pages` of metrics say together, all engines of all servers; None where they are not vLLM's."""
    values: dict[str, list[float]] = {}
    for page in pages:
        for name, value in _LINE.findall(page):
            values.setdefault(name, []).append(float(value))
    if "num_requests_running" not in values:
        return None
    uses = next((values[name] for name in _KV_NAMES if name in values), [])
    return ServerLoad(
        running=sum(values["num_requests_running"]),
        waiting=sum(values.get("num_requests_waiting", ())),
        kv_use=sum(uses) / len(uses) if uses else None,
        prefix_queries=sum(values.get("prefix_cache_queries_total", ())),
        prefix_hits=sum(values.get("prefix_cache_hits_total", ())),
    )


class Measured(Protocol):
    """A model behind servers whose metrics can be read."""

    async def read_metrics(self) -> list[str] | None:
        """A page of each server that shows one; None where none does."""
        ...


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
    """Looks at the servers of `model` when asked, and remembers mean and peak."""

    model: Measured
    last: ServerLoad | None = None
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
        pages = await self.model.read_metrics()
        seen = read_server_load(pages) if pages else None
        if seen is None:
            self.absent = self.last is None
            return None
        self.see(seen)
        return Load(int(seen.running), int(seen.waiting))

    def see(self, seen: ServerLoad) -> None:
        """Count one look."""
        before = self.last
        self.last = seen
        self.looks += 1
        self._running.add(seen.running)
        self._waiting.add(seen.waiting)
        if seen.kv_use is not None:
            self._kv_use.add(seen.kv_use)
        if before is None:
            return  # what others had asked before this run began
        queries, hits = seen.prefix_queries, seen.prefix_hits
        if queries >= before.prefix_queries and hits >= before.prefix_hits:  # else a server has begun anew
            queries, hits = queries - before.prefix_queries, hits - before.prefix_hits
        self._queries += queries
        self._hits += hits

    @property
    def hit_rate(self) -> float | None:
        """Share of prompt tokens that the prefix cache held, while this run was watching."""
        return self._hits / self._queries if self._queries else None

    def line(self) -> str:
        """The last look, for the progress display; empty where nothing is shown."""
        if self.last is None:
            return ""
        parts = [f"{self.last.running:.0f} running", f"{self.last.waiting:.0f} waiting"]
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
