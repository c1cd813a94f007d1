"""Shards of a set, and one run folder made of several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sstar_code.agent.run.exports import write_results
from sstar_code.agent.run.folder import describe_changes, open_folder, read_evaluation, read_summary
from sstar_code.agent.run.store import Store
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.run.outcomes import Prices
    from sstar_code.agent.run.summary import Summary

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `of`-th item from place `number`, counted from 1: neighbours are alike, so the parts are.

    The parts of one list are disjoint and together the list; their sizes differ by one at most.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """What `2/8` says.

        Raises:
            UserError: it is not of that form, or there is no such part.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if found is None:
            raise UserError(f"--shard {text!r}: write it like 2/8, the second of eight parts")
        shard = cls(int(found[1]), int(found[2]))
        if not 1 <= shard.number <= shard.of:
            raise UserError(f"--shard {text}: the parts are 1/{shard.of} to {shard.of}/{shard.of}")
        return shard

    def take(self, items: Sequence[T]) -> list[T]:
        """The items of this part, in their order."""
        return list(items[self.number - 1 :: self.of])

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def asked_for(config: Mapping[str, Any]) -> list[str]:
    """The ids of the problems that a run of this configuration is to solve: a shard's are only its part."""
    ids = list(dict.fromkeys(config["problems"]))
    return Shard.parse(config["shard"]).take(ids) if "shard" in config else ids


_MAY_DIFFER = ("shard", "problems", "label")
_KEPT = ("versions", "set_name", "data", "preset", "base_url")


@dataclass(frozen=True, slots=True)
class Part:
    """A run folder of which, with others, one is made."""

    folder: Path
    manifest: Mapping[str, Any]
    problem_ids: tuple[str, ...]
    """Those it was to work on; a shard's, not the whole set's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the merged run is."""

    parts: tuple[Part, ...]
    manifest: Mapping[str, Any]
    """As one run over all of it would have written: its command goes on in the merged folder."""
    missing: tuple[str, ...]
    """Shards of the set that are not among the parts."""


def plan_merge(folders: Sequence[Path]) -> Plan:
    """Look at what is to be merged; nothing is written.

    Raises:
        UserError: a folder is no evaluation's, two have different configurations or a problem in common.
    """
    parts = [_read_part(folder) for folder in folders]
    first = parts[0]
    common = _common(first.manifest["config"])
    owners: dict[str, Path] = {}
    for part in parts:
        changed = describe_changes(common, _common(part.manifest["config"]))
        if changed:
            raise UserError(f"{part.folder}: not of one run with {first.folder} ({changed})")
        for problem_id in part.problem_ids:
            if problem_id in owners:
                raise UserError(f"{part.folder}: has {problem_id} in common with {owners[problem_id]}")
            owners[problem_id] = part.folder
    config = {name: value for name, value in first.manifest["config"].items() if name != "shard"}
    shards = [part.manifest["config"].get("shard") for part in parts]
    wholes = [part.manifest["config"]["problems"] for part in parts]
    missing: list[str] = []
    if None not in shards and all(whole == wholes[0] for whole in wholes):
        of = Shard.parse(shards[0]).of
        missing = [f"{number}/{of}" for number in range(1, of + 1) if f"{number}/{of}" not in shards]
        is_whole = True
    else:
        config["problems"], is_whole = list(owners), False
    manifest = {
        **{name: first.manifest[name] for name in _KEPT if name in first.manifest},
        **({"chosen": first.manifest["chosen"]} if is_whole and "chosen" in first.manifest else {}),
        "config": config,
        "merged": [str(part.folder) for part in parts],
        "servers": _unique([server for part in parts for server in part.manifest.get("servers", [])]),
    }
    return Plan(tuple(parts), manifest, tuple(missing))


def merge_runs(plan: Plan, out: Path, prices: Prices, *, fresh: bool) -> Summary:
    """Copy every part's store into that of `out` and write what one run would have written.

    `seconds` of the summary is the sum of the parts'. Merging again, after a part has got further, takes over
    what is new.

    Raises:
        UserError: a part is still being written, or `out` belongs to another command.
        InfrastructureError: `out` cannot be written.
    """
    open_folder(out, plan.manifest, fresh=fresh)
    config = plan.manifest["config"]
    with closing(Store(out / "run.db")) as store, ExitStack() as held:
        for part in plan.parts:
            path = part.folder / "run.db"
            if path.exists():
                held.enter_context(closing(Store(path)))  # nobody else writes to it, and its schema is ours
                store.absorb(path)
        return write_results(
            out,
            store,
            store.read_outcomes(),
            problem_ids=config["problems"],
            select=config["select"],
            prices=prices,
            seconds=sum(read_summary(part.folder).get("seconds", 0.0) for part in plan.parts),
        )


def _read_part(folder: Path) -> Part:
    manifest = read_evaluation(folder)
    return Part(folder, manifest, tuple(asked_for(manifest["config"])))


def _common(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in _MAY_DIFFER}


def _unique(items: Sequence[Any]) -> list[Any]:
    return [item for place, item in enumerate(items) if item not in items[:place]]
