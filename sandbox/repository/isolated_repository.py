"""A repository as its code sees it while it is run: one version of its files, and what it has installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sstar_code.sandbox.local.pipe_worker import list_parts

CONTROL = "/.sstar"
"""Where the inside's own source is found."""
_BOOT = """\
import sys
sys.path.insert(0, "/.sstar")
from sstar_code.sandbox.inside import project
del sys.path[:2]
project.main()
"""
_INSIDE = ("__init__", "kernel", "seccomp", "driver", "run", "project_fork", "project_tests", "project")
_USERS = "root:x:0:0:root:/:/bin/sh\nuser:x:{uid}:{uid}:user:/tmp/home:/bin/sh\n"
_HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
_TOOLS = ("/usr/bin", "/usr/share/zoneinfo", "/etc/alternatives")
_MOST_BYTES = 1 << 30
_MOST_HOPS = 10


@dataclass(frozen=True, slots=True)
class IsolatedRepository:
    """One version of a repository, ready to be run; only `/tmp` and `/dev/shm` can be written to."""

    root: Path
    """The repository's folder: its copy is seen there, so that editable installs lead to the copy."""
    snapshot: Path
    """The copy."""
    control: Path
    python: str
    """The interpreter as the user names it; often of a virtual environment."""
    trees: tuple[str, ...]
    """Folders of this machine that are seen at their own paths: interpreter, libraries, packages, tools."""
    files: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    path: tuple[str, ...]
    """Put in front of `sys.path`."""
    overlay: Mapping[str, str]
    """Path of a file in the repository -> file of this machine that is seen in its place."""
    memory_mb: int = 2048
    scratch_mb: int = 256

    @property
    def command(self) -> list[str]:
        """The arguments that start the inside."""
        return [self.python, "-s", "-B", "-X", "utf8", "-c", _BOOT]

    @property
    def binds(self) -> list[tuple[str, str]]:
        """(path on this machine, path inside) of what does not lie at its own path, in order of mounting."""
        passwd = [(str(self.control / name), f"/etc/{name}") for name in ("passwd", "hosts")]
        inner = [(tree, tree) for tree in self.trees if self.root in Path(tree).parents]
        overlay = [(source, path) for path, source in self.overlay.items()]
        return [(str(self.snapshot), str(self.root)), *inner, *overlay, (str(self.control), CONTROL), *passwd]

    @property
    def outer_trees(self) -> list[str]:
        """The folders that lie outside the repository."""
        return [tree for tree in self.trees if self.root not in Path(tree).parents]

    @property
    def scratch(self) -> list[tuple[str, int]]:
        """(path, megabytes) of what can be written to."""
        return [("/tmp", self.scratch_mb), ("/dev/shm", 64)]  # noqa: S108 - inside, in a tmpfs of its own

    @property
    def settings(self) -> dict[str, object]:
        """Facts for the inside: root, path and environment."""
        environment = {
            "PATH": f"{Path(self.python).parent}:/usr/bin:/bin",
            "HOME": "/tmp/home",  # noqa: S108 - inside, in a tmpfs of its own
            "TMPDIR": "/tmp",  # noqa: S108
            "USER": "user",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(self.path),
            "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",  # noqa: S108
        }
        return {"root": str(self.root), "path": list(self.path), "environment": environment}


def find_packages(python: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Folders, files and links of this machine that the interpreter `python` and what it has installed need.

    Nothing is run: a virtual environment is known by its `pyvenv.cfg`, which names the interpreter behind it.
    """
    home = Path(python).parent.parent
    base = Path(os.path.realpath(python))
    trees = {str(path) for path in _hops(Path(python))}
    if (home / "pyvenv.cfg").is_file():
        trees.add(str(home))
        named = _read_home(home / "pyvenv.cfg")
        base = Path(os.path.realpath(named / base.name)) if named and home in base.parents else base
    else:
        trees |= {
            str(path) for path in (home / "lib", home / "lib64") if path.is_dir() and len(home.parts) > 2
        }
    (parts, files, links) = list_parts(str(base))
    trees |= {*parts, str(base.parent), *(path for path in _TOOLS if Path(path).is_dir())}
    plain = {path for path in trees if not (Path(path).is_symlink() and len(Path(path).parts) == 2)}
    kept = sorted(path for path in plain if not any(str(above) in plain for above in Path(path).parents))
    more = [("/bin", "usr/bin")] if Path("/bin").is_symlink() else []
    outside = [path for path in files if not any(path.startswith(f"{tree}/") for tree in kept)]
    return tuple(kept), tuple(outside), (*links, *more)


def _hops(python: Path) -> Iterable[Path]:
    """The folders through which the links of `python` lead."""
    for _ in range(_MOST_HOPS):
        if python.parent.name == "bin":
            yield python.parent
        if not python.is_symlink():
            return
        target = python.readlink()
        python = target if target.is_absolute() else python.parent / target


def _read_home(config: Path) -> Path | None:
    for line in config.read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "home":
            return Path(value.strip())
    return None


def write_control(folder: Path, uid: int) -> None:
    """Lay down the inside's source and the few files that a system has."""
    from importlib.resources import files

    ours = folder / "sstar_code"
    inside = ours / "sandbox" / "inside"
    inside.mkdir(parents=True)
    (ours / "problems").mkdir()
    for package in (ours, ours / "sandbox", ours / "problems"):
        (package / "__init__.py").write_text("", "utf-8")
    for name in _INSIDE:
        (inside / f"{name}.py").write_text(
            (files("sstar_code.sandbox.inside") / f"{name}.py").read_text("utf-8"), "utf-8"
        )
    (ours / "problems" / "values.py").write_text(
        (files("sstar_code.problems") / "values.py").read_text("utf-8"), "utf-8"
    )
    (folder / "passwd").write_text(_USERS.format(uid=uid), "utf-8")
    (folder / "hosts").write_text(_HOSTS, "utf-8")
    open_up(folder)


def write_snapshot(root: Path, names: Iterable[str], folder: Path, mount_points: Iterable[str] = ()) -> None:
    """Copy the files `names` of `root` to `folder`, readable by all, with empty folders as `mount_points`.

    Links that stay inside are kept, others are followed.

    Raises:
        ValueError: it is more than 1 GiB.
    """
    total = 0
    for name in names:
        (source, target) = (root / name, folder / name)
        total += source.stat().st_size
        if total > _MOST_BYTES:
            raise ValueError(f"{root} has more than 1 GiB of files; ignore the large ones in git")
        target.parent.mkdir(parents=True, exist_ok=True)
        inside = (
            source.is_symlink() and not source.readlink().is_absolute() and root in source.resolve().parents
        )
        shutil.copy2(source, target, follow_symlinks=not inside)
    for point in mount_points:
        if root in Path(point).parents:
            (folder / Path(point).relative_to(root)).mkdir(parents=True, exist_ok=True)
    open_up(folder)


def open_up(folder: Path) -> None:
    """Let any user read what is under `folder`."""
    for place, _, files in os.walk(folder):
        Path(place).chmod(0o755)
        for name in files:
            path = Path(place) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
