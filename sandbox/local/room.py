"""How a room for a project is made without an engine, in the way that the sandbox found to work here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.sandbox.local import enter_namespaces
from sstar_code.sandbox.local.ways import DEVICES
from sstar_code.sandbox.repository.boot import project_command

if TYPE_CHECKING:
    from sstar_code.sandbox.local.ways import Way
    from sstar_code.sandbox.repository.room import Room

__all__ = ["list_arguments"]


def list_arguments(way: Way, room: Room, uid: int | None) -> list[str]:
    """The command that starts the inside of `room`; root gives it the user `uid`."""
    if way.name == "bubblewrap":
        return _bubblewrap(way.arguments[0], room)
    plan = {
        "command": project_command(room),
        "trees": room.outer_trees,
        "files": list(room.files),
        "links": list(room.links),
        "devices": [path for path in DEVICES if Path(path).exists()],
        "user": way.name != "root",
        "binds": room.binds,
        "scratch": room.scratch,
        "uid": uid,
    }
    start = way.arguments[: way.arguments.index("-I")]
    return [*start, "-I", "-S", str(enter_namespaces.__file__), json.dumps(plan)]


def _bubblewrap(bwrap: str, room: Room) -> list[str]:
    arguments = [bwrap, "--unshare-all", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL"]
    arguments += ["--hostname", "sandbox", "--proc", "/proc"]
    for path, size_mb in room.scratch:  # first: an interpreter's folder may lie under /tmp
        arguments += ["--size", str(size_mb << 20), "--tmpfs", path]
    for path in (*room.outer_trees, *room.files):
        arguments += ["--ro-bind", path, path]
    for path in DEVICES:
        arguments += ["--dev-bind-try", path, path]
    for path, target in room.links:
        arguments += ["--symlink", target, path]
    for source, path in room.binds:
        arguments += ["--ro-bind", source, path]
    return [*arguments, "--remount-ro", "/", "--chdir", str(room.root), "--", *project_command(room)]
