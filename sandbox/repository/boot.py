"""How the inside of a room is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sstar_code.sandbox.repository.room import Room

__all__ = ["project_command"]


_BOOT = """\
import sys
sys.path.insert(0, "/.sstar")
from sstar_code.sandbox.inside import project
del sys.path[:2]
project.main()
"""


def project_command(room: Room) -> list[str]:
    """The arguments that start the inside in `room`."""
    return [room.python, "-s", "-B", "-X", "utf8", "-c", _BOOT]
