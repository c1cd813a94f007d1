"""The copy of a repository that its sandbox shows, and the folder of this machine that holds it.

The repository is not trusted: no link of it is followed. Every file is reached from the root's descriptor,
folder by folder, and a name that is a link, also one put there while we copy, is never walked through. A link
is kept where it ends in the copy, seen from inside the sandbox. Only regular files are read, and none of a
file system that is a view of the kernel (`/proc`, `/sys`, ...).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sstar_code.sandbox.secret_files import CODE, LONGEST, find_secret, is_secret_name, mask_secrets

_MOST_BYTES = 1 << 30
_MOST_FILES = 200_000
_MOST_CODE_BYTES = 16 << 20
_MOST_BINARY_BYTES = 16 << 20
"""How much of a file that is no text is looked through."""
_CHUNK = 1 << 20
_MOST_HOPS = 40
_TEXT_HEAD = 8000
_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_KERNEL_VIEWS = frozenset(
    {0x9FA0, 0x62656572, 0x27E0EB, 0x63677270, 0x64626720, 0x74726163, 0x73636673, 0x1CD1, 0x19800202,
     0xCAFE4A11, 0x62656570, 0x6165676C, 0xDE5E81E4, 0x42494E4D, 0x187, 0x6E736673, 0x50494446, 0x958458F6,
     0xF97CFF8C}
)  # fmt: skip
"""Magic numbers (linux/magic.h) of proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, devpts,
mqueue, bpf, configfs, pstore, efivarfs, binfmt_misc, autofs, nsfs, pidfs, hugetlbfs and selinuxfs."""
_libc = ctypes.CDLL(None, use_errno=True)

SECRET, MASKED, LEADS_OUT, NO_FILE = (
    "like a secret",
    "with a secret in the code, which is masked",
    "a link that leads out",
    "no readable file",
)
"""Why a file is not as it is in the repository."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not in the copy, or not as it is in the repository."""

    name: str
    """Relative to the repository."""
    why: str
    """`SECRET`, `MASKED`, `LEADS_OUT` or `NO_FILE`."""


@contextmanager
def open_root(root: Path) -> Iterator[int]:
    """A descriptor of the folder `root`."""
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_beneath(root: int, name: str) -> int:
    """A descriptor (`O_PATH`) of what is called `name` below `root`: a link itself, and through no link.

    Raises:
        OSError: there is no such thing, or a link is on the way (`NotADirectoryError`).
        ValueError: `name` is absolute, or has `..` in it.
    """
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError(f"{name!r} is no path below a folder")
    here = os.dup(root)
    try:
        for part in parts[:-1]:
            there = os.open(part, _PATH | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = there
        return os.open(parts[-1], _PATH, dir_fd=here)
    finally:
        os.close(here)


def open_regular(descriptor: int) -> int | None:
    """`descriptor` (`O_PATH`) opened for reading; None unless it is a file of a real file system."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    answer = ctypes.create_string_buffer(512)
    if _libc.fstatfs(descriptor, answer) == 0:
        kind = int.from_bytes(answer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder)
        if kind & 0xFFFFFFFF in _KERNEL_VIEWS:
            return None
    return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)


def read_beneath(root: Path, name: str, most_bytes: int) -> bytes | None:
    """The content of the regular file `name` below `root`, reached through no link; None if there is none."""
    with contextlib.suppress(OSError), open_root(root) as folder:
        return read_at(folder, name, most_bytes)
    return None


def read_at(folder: int, name: str, most_bytes: int) -> bytes | None:
    """As `read_beneath`, below the open `folder`."""
    with contextlib.suppress(OSError, ValueError):
        found = open_beneath(folder, name)
        try:
            opened = open_regular(found)
        finally:
            os.close(found)
        if opened is not None:
            with os.fdopen(opened, "rb") as file:
                data = file.read(most_bytes + 1)
                return data if len(data) <= most_bytes else None
    return None


def write_snapshot(
    root: Path,
    names: Iterable[str],
    folder: Path,
    mount_points: Iterable[str] = (),
    *,
    untracked: frozenset[str] = frozenset(),
) -> list[LeftOut]:
    """Copy the files and links `names` of `root` to `folder`, readable by all; what was left out.

    Folders that are `mount_points` are made; nothing of the repository is put below one. `untracked` are
    those of `names` that git ignores.

    Raises:
        ValueError: it is more than 1 GiB, or more than 200,000 files; the message says what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    points = [
        Path(point).relative_to(root).as_posix() for point in mount_points if root in Path(point).parents
    ]
    with open_root(root) as source:
        copy = _Copy(root, source, folder)
        for point in points:
            (folder / point).mkdir(parents=True, exist_ok=True)
        for name in names:
            if not any(name == point or name.startswith(f"{point}/") for point in points):
                copy.add(name, tracked=name not in untracked)
        copy.place_links(points)
    open_up(folder)
    return copy.left_out


class _Copy:
    """A copy under way."""

    def __init__(self, root: Path, source: int, folder: Path) -> None:
        self.left_out: list[LeftOut] = []
        self._root = root
        self._source = source
        self._folder = folder
        self._links: dict[str, str] = {}
        self._files: set[str] = set()
        self._bytes = 0
        self._secret_inodes: set[tuple[int, int]] | None = None

    def add(self, name: str, *, tracked: bool) -> None:
        """Copy the file `name`, or note the link; nothing where there is no such thing."""
        if is_secret_name(name, tracked=tracked):
            self.left_out.append(LeftOut(name, SECRET))
            return
        try:
            found = open_beneath(self._source, name)
        except NotADirectoryError:
            self.left_out.append(LeftOut(name, LEADS_OUT))  # a folder on the way has become a link
            return
        except (OSError, ValueError):
            return
        try:
            state = os.fstat(found)
            if stat.S_ISLNK(state.st_mode):
                self._links[name] = os.readlink("", dir_fd=found)
            elif not stat.S_ISDIR(state.st_mode):
                self._add_file(name, found, state)
        except (
            PermissionError,
            FileExistsError,
            NotADirectoryError,
        ):  # unreadable, or changed under our hands
            self.left_out.append(LeftOut(name, NO_FILE))
        finally:
            os.close(found)

    def _add_file(self, name: str, found: int, state: os.stat_result) -> None:
        opened = open_regular(found)
        if opened is None:
            self.left_out.append(LeftOut(name, NO_FILE))
            return
        with os.fdopen(opened, "rb") as file:
            if state.st_nlink > 1 and (state.st_dev, state.st_ino) in self._find_secret_inodes():
                self.left_out.append(LeftOut(name, SECRET))
                return
            self._count(0)
            target = self._folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if self._write(name, file.fileno(), target):
                target.chmod(0o755 if state.st_mode & 0o100 else 0o644)
                os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
                self._files.add(name)
            else:
                target.unlink()
                self.left_out.append(LeftOut(name, SECRET))

    def _write(self, name: str, source: int, target: Path) -> bool:
        """Copy the bytes; False where a secret is among them, and the file is no code."""
        is_code = name.endswith(CODE[:3])
        is_text, tail, first, size = True, b"", True, 0
        with target.open("xb") as out:
            while data := os.read(source, _MOST_CODE_BYTES if is_code and first else _CHUNK):
                self._count(len(data))
                is_text = is_text and not (first and b"\0" in data[:_TEXT_HEAD])
                size += len(data)
                if (is_text or size <= _MOST_BINARY_BYTES) and find_secret(tail + data):
                    if not is_code or not first or len(data) == _MOST_CODE_BYTES:
                        return False
                    masked = mask_secrets(data)
                    if masked != data:
                        self.left_out.append(LeftOut(name, MASKED))
                        data = masked
                out.write(data)
                tail, first = data[-LONGEST:], False
        return True

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > _MOST_BYTES or len(self._files) >= _MOST_FILES:
            raise ValueError(
                f"{self._root} has more than 1 GiB or {_MOST_FILES:,} files to copy; let git ignore what no "
                "test needs"
            )

    def _find_secret_inodes(self) -> set[tuple[int, int]]:
        """Files that are left out by their names, to know them by other names (hard links) as well."""
        if self._secret_inodes is None:
            self._secret_inodes = set()
            for place, _, files in os.walk(self._root):
                here = Path(place).relative_to(self._root)
                for file in files:
                    if is_secret_name((here / file).as_posix()):
                        with contextlib.suppress(OSError):
                            state = (Path(place) / file).lstat()
                            self._secret_inodes.add((state.st_dev, state.st_ino))
        return self._secret_inodes

    def place_links(self, points: Iterable[str]) -> None:
        """Put the links into the copy that end in it."""
        folders = {
            str(above) for name in (*self._files, *self._links) for above in PurePosixPath(name).parents
        }
        folders |= {
            str(item) for point in points for item in (PurePosixPath(point), *PurePosixPath(point).parents)
        }
        for name, target in self._links.items():
            if self._ends_inside(name, folders):
                place = self._folder / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(target)
            else:
                self.left_out.append(LeftOut(name, LEADS_OUT))

    def _ends_inside(self, name: str, folders: set[str]) -> bool:
        """Whether the kernel, inside, gets from the link `name` to something in the copy, and never out."""
        base = self._root.parts
        here, left, hops = [*base], list(reversed(PurePosixPath(name).parts)), 0
        while left:
            part = left.pop()
            if part == "..":
                here = here[:-1] or here
            elif part == "/":
                here = ["/"]
            else:
                here.append(part)
            if tuple(here[: len(base)]) != base:
                if tuple(here) != base[: len(here)]:
                    return False  # neither in the repository nor on the way to it
                continue
            inner = "/".join(here[len(base) :])
            if inner in self._links:
                hops += 1
                if hops > _MOST_HOPS:
                    return False
                here.pop()
                left += reversed(_split(self._links[inner]))
            elif left and inner and inner not in folders:
                return False
        inner = "/".join(here[len(base) :]) if tuple(here[: len(base)]) == base else "/"
        return inner in self._files or inner in folders or not inner


def _split(target: str) -> list[str]:
    """The parts of a link's target; `..` stays."""
    return [
        *(["/"] if target.startswith("/") else []),
        *(part for part in target.split("/") if part not in ("", ".")),
    ]


def open_up(folder: Path) -> None:
    """Let any user read what is under `folder`."""
    for place, _, files in os.walk(folder):
        Path(place).chmod(0o755)
        for name in files:
            path = Path(place) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
