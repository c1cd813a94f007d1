"""Whose a container or a folder is, so that what a dead process left is removed, and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

OWNER_LABEL = "sstar.owner"
HOST_LABEL = "sstar.host"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from every other that had or will have its number."""

    host: str
    pid: int
    start_ticks: int
    """When the process started, in clock ticks since boot: field 22 of /proc/PID/stat."""
    boot_id: str
    pid_namespace: str
    """Numbers of processes mean something inside one namespace only."""

    def to_labels(self) -> dict[str, str]:
        """Labels for a container of this owner."""
        parts = (str(self.pid), str(self.start_ticks), self.boot_id, self.pid_namespace)
        return {OWNER_LABEL: ":".join(parts), HOST_LABEL: self.host}

    @classmethod
    def from_labels(cls, labels: dict[str, str]) -> Self | None:
        """The owner that `labels` name; None where they do not name one."""
        parts = labels.get(OWNER_LABEL, "").split(":", 3)
        if len(parts) != 4 or not parts[0].isdecimal() or not parts[1].isdecimal():
            return None
        return cls(labels.get(HOST_LABEL, ""), int(parts[0]), int(parts[1]), parts[2], parts[3])


def describe_owner() -> Owner:
    """This process."""
    ticks = _read_start_ticks(os.getpid())
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = Path("/proc/self/ns/pid").readlink().name
    return Owner(socket.gethostname(), os.getpid(), ticks or 0, boot_id, namespace)


def is_orphan(owner: Owner | None, here: Owner, *, running: bool) -> bool:
    """Whether a container of `owner` may be removed by `here`: only when its owner is dead for certain.

    A process of another host or another pid namespace cannot be looked up from here, so its containers stay.
    Another boot of a host of the same name is either ours, where nothing survived the boot, or a namesake's:
    only what does not run is taken for an orphan.
    """
    if owner is None or owner.host != here.host:
        return False
    if owner.boot_id != here.boot_id:
        return not running
    if owner.pid_namespace != here.pid_namespace:
        return False
    return not _is_alive(owner)


def _is_alive(owner: Owner) -> bool:
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's: alive, unless the number has been given away since
    try:
        return _read_start_ticks(owner.pid) == owner.start_ticks
    except FileNotFoundError:  # /proc hides other users' processes (hidepid), and the number is in use
        return True


def _read_start_ticks(pid: int) -> int | None:
    """Start of process `pid`; None where only what is left of one waits to be reaped."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    state, *fields = stat.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return None if state in "ZX" else int(fields[18])


_PREFIX = "sstar-"
_RECORD = ".owner.json"


def make_folder() -> Path:
    """A new temporary folder that says whose it is. It is removed by its owner, else by `reap_folders`."""
    record = json.dumps(describe_owner().to_labels())
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        (folder / _RECORD).write_text(record, "utf-8")
    except BaseException:  # an interrupt, too: without its record nobody could tell whose it was
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


@contextlib.contextmanager
def hold_folder() -> Iterator[Path]:
    """A folder of `make_folder` for as long as it is held."""
    folder = make_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def reap_folders(place: Path | None = None) -> list[Path]:
    """Remove this user's folders of `make_folder`, in `place` if it is given, whose owner is dead."""
    here = describe_owner()
    reaped = []
    with contextlib.suppress(OSError):
        for folder in (place or Path(tempfile.gettempdir())).glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                facts = folder.lstat()
                # Nobody else may have put anything into it: its name alone proves nothing in a shared place.
                private = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
                record = folder / _RECORD
                if private and not facts.st_mode & 0o022 and not record.is_symlink():
                    labels = json.loads(record.read_text("utf-8"))
                    if is_orphan(Owner.from_labels(labels), here, running=False):
                        shutil.rmtree(folder, ignore_errors=True)
                        reaped.append(folder)
    return reaped
