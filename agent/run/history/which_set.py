"""Which problems a run is about, so that two numbers can be compared: release, window, number, digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.agent.run.history.kinds import name_set

if TYPE_CHECKING:
    from sstar_code.problems import Problem


@dataclass(frozen=True, slots=True)
class WhichSet:
    """The problems that were asked for."""

    name: str
    """With its release where it has one; of a single problem its id."""
    problems: int
    digest: str
    """16 hex digits of the set's revision and the ids: equal for the same problems of the same file."""
    dates: tuple[str, str] | None = None
    """First and last day on which one of them was published; None where they have no dates."""
    window: tuple[str | None, str | None] = (None, None)
    """The days that were asked for."""
    filters: tuple[str, ...] = ()
    """What else the problems were chosen by, as flags."""
    shard: str = ""

    def __str__(self) -> str:
        parts = [self.name, f"{self.problems:,} problem{'' if self.problems == 1 else 's'}"]
        if any(self.window):
            parts.append(f"window {self.window[0] or '...'} to {self.window[1] or '...'}")
        if self.dates:
            parts.append(f"published {self.dates[0]} to {self.dates[1]}")
        parts += self.filters
        if self.shard:
            parts.append(f"of which shard {self.shard} was worked on")
        return ", ".join([*parts, f"digest {self.digest}"])

    def as_json(self) -> dict[str, Any]:
        """The object of `which_set`."""
        return asdict(self)


def note_choice(
    problems: Sequence[Problem],
    *,
    window: tuple[str | None, str | None],
    filters: Sequence[str] | None,
    limit: int | None,
) -> dict[str, Any]:
    """What the manifest keeps of how `problems` were chosen."""
    days = sorted(day for problem in problems if (day := str(problem.metadata.get("date") or "")[:10]))
    terms = [f"--filter {term}" for term in filters or ()]
    return {
        "chosen": {
            "dates": [days[0], days[-1]] if days else None,
            "window": list(window),
            "filters": [*terms, *([] if limit is None else [f"--limit {limit}"])],
        }
    }


def read_which_set(manifest: Mapping[str, Any]) -> WhichSet:
    """Which problems the run with this manifest is about; an older one says less."""
    config, chosen = manifest["config"], manifest.get("chosen") or {}
    if "problem" in config:
        text = json.dumps(config["problem"], sort_keys=True, default=str)
        return WhichSet(name_set(manifest), 1, _hash(text))
    ids = sorted({str(one) for one in config.get("problems", ())})
    first, last = _read_pair(chosen.get("dates"))
    return WhichSet(
        name_set(manifest),
        len(ids),
        _hash(json.dumps([config.get("set"), ids])),
        dates=None if first is None or last is None else (first, last),
        window=_read_pair(chosen.get("window")),
        filters=tuple(map(str, chosen.get("filters") or ())),
        shard=str(config.get("shard") or ""),
    )


def tell_preset(preset: Mapping[str, Any]) -> str:
    """The `preset` of a manifest and what departs from it, in a line; empty where there is none."""
    if not preset:
        return ""
    departures = preset.get("departures")
    but = f"departs in {'; '.join(departures)}" if departures else "followed in all that it sets"
    return f"{preset.get('name')} ({preset.get('source')}): {but}"


def _read_pair(value: Any) -> tuple[str | None, str | None]:
    if not isinstance(value, list) or len(value) != 2:
        return None, None
    first, last = (None if part is None else str(part) for part in value)
    return first, last


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
