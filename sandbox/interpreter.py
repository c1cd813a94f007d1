"""What an isolated repository is shown of this machine: an interpreter, its libraries, installed packages.

A virtual environment inside the repository is data: nothing in it is run or followed here. Its
`pyvenv.cfg` counts only where it names a folder in which an interpreter of the user's own lies; what is
shown of it are its packages, which are real folders below the repository, and copies of its scripts.
Everywhere only known folders and files are shown, no folder above them.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sstar_code.sandbox.local.pipe_worker import list_parts
from sstar_code.sandbox.snapshot import open_beneath, open_root, read_at, read_beneath

_TOOLS = ("/usr/bin", "/usr/share/zoneinfo", "/etc/alternatives")
_SYSTEM = (
    "/usr/bin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/share",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc",
)
_PARTS_OF_ENVIRONMENT = ("lib", "lib64", "bin", "share", "etc")
_NEVER = frozenset(
    {".ssh", ".gnupg", ".aws", ".kube", ".azure", ".docker", "run", "proc", "sys", "dev", "boot"}
)
_MOST_HOPS = 10
_MOST_CONFIG_BYTES = 64 << 10
_MOST_SCRIPT_BYTES = 256 << 20
_MOST_SPECIAL = 100
_ELF = b"\x7fELF"
_VERSION = re.compile(r"python(3\.\d+)")
_INSTALLATIONS = (
    ("PYENV_ROOT", ".pyenv", "versions/*/bin"),
    ("UV_PYTHON_INSTALL_DIR", ".local/share/uv/python", "*/bin"),
    ("MISE_DATA_DIR", ".local/share/mise", "installs/python/*/bin"),
    ("ASDF_DATA_DIR", ".asdf", "installs/python/*/bin"),
    ("RYE_HOME", ".rye", "py/*/bin"),
    ("HATCH_DATA_DIR", ".local/share/hatch", "pythons/*/*/bin"),
)  # fmt: skip
"""Where the tools that install interpreters for a user put them: variable, folder of the home, below it."""
_BEHIND_SHIMS = ("versions/*/bin", "installs/python/*/bin")
"""Where they lie beside a folder `shims` of such a tool, wherever that was installed."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment inside the repository, as it is read without being trusted."""

    name: str
    """Its folder, relative to the repository."""
    base: Path
    """The interpreter behind it, one of the user's own."""
    version: str
    """`3.12`."""
    sees_system: bool
    trees: tuple[str, ...]
    """Folders of packages, each below the repository and reached through no link."""

    def build(self, root: Path, folder: Path) -> None:
        """Lay down in `folder` what is shown in its place.

        Settings, links to the interpreter, scripts, and empty folders where `trees` are mounted.
        """
        (folder / "bin").mkdir(parents=True)
        for tree in self.trees:
            (folder / Path(tree).relative_to(root / self.name)).mkdir(parents=True)
        (folder / "lib64").symlink_to("lib")
        system = str(self.sees_system).lower()
        text = (
            f"home = {self.base.parent}\ninclude-system-site-packages = {system}\nversion = {self.version}\n"
        )
        (folder / "pyvenv.cfg").write_text(text, "utf-8")
        for name in ("python", "python3", f"python{self.version}"):
            (folder / "bin" / name).symlink_to(self.base)
        _copy_scripts(root, f"{self.name}/bin", folder / "bin")


def _copy_scripts(root: Path, name: str, folder: Path) -> None:
    left = _MOST_SCRIPT_BYTES
    with contextlib.suppress(OSError), open_root(root) as source:
        place = open_beneath(source, name)
        try:
            for script in sorted(item.name for item in Path(f"/proc/self/fd/{place}").iterdir()):
                data = None if os.path.lexists(folder / script) else read_at(place, script, left)
                if data is not None:
                    left -= len(data)
                    (folder / script).write_bytes(data)
                    (folder / script).chmod(0o755)
        finally:
            os.close(place)


def is_beneath(path: Path | str, root: Path) -> bool:
    """Whether `path` lies below `root`, as it is written or as it is reached."""
    real = Path(os.path.realpath(root))
    return Path(path).is_relative_to(root) or Path(os.path.realpath(path)).is_relative_to(real)


def list_own_folders(root: Path) -> frozenset[str]:
    """The folders, without links, in which interpreters of the user's own lie: none of them below `root`.

    Those on `PATH`, of the active environment, of this program, and of tools that install interpreters.
    """
    folders = [folder for folder in os.get_exec_path() if folder.startswith("/")]
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        folders += [f"{os.environ[name]}/bin"] if os.environ.get(name, "").startswith("/") else []
    folders += [str(Path(os.environ[name]).parent) for name in ("CONDA_EXE",) if os.environ.get(name)]
    own = str(getattr(sys, "_base_executable", None) or sys.executable)
    pythons = [
        own,
        *(str(path) for folder in folders if not is_beneath(folder, root) for path in _pythons(folder)),
    ]
    for variable, home, below in _INSTALLATIONS:
        with contextlib.suppress(RuntimeError, OSError):  # no home folder, or one of somebody else
            top = Path(os.environ.get(variable) or Path.home() / home)
            pythons += [str(path) for folder in top.glob(below) for path in _pythons(folder)]
    for top in (Path(folder).parent for folder in folders if Path(folder).name == "shims"):
        pythons += [
            str(path) for below in _BEHIND_SHIMS for folder in top.glob(below) for path in _pythons(folder)
        ]
    found = {
        os.path.realpath(place)
        for path in pythons
        for place in (Path(path).parent, Path(os.path.realpath(path)).parent)
    }
    return frozenset(folder for folder in found if not is_beneath(folder, root))


def _pythons(folder: Path | str) -> list[Path]:
    with contextlib.suppress(OSError):
        return [path for path in sorted(Path(folder).glob("python*")) if is_interpreter(path)]
    return []


def is_interpreter(path: Path | str) -> bool:
    """Whether `path` is a program for this machine, not a script."""
    with contextlib.suppress(OSError):
        if Path(path).is_file():
            with Path(path).open("rb") as file:
                return file.read(len(_ELF)) == _ELF
    return False


def read_environment(root: Path, name: str) -> Environment | str:
    """The virtual environment in the folder `name` of the repository `root`, or why it cannot be used."""
    data = read_beneath(root, f"{name}/pyvenv.cfg", _MOST_CONFIG_BYTES)
    if data is None:
        return "it has no pyvenv.cfg, or a link leads to it"
    settings: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        settings.setdefault(key.strip().lower(), value.strip())
    home = settings.get("home", "")
    if not home.startswith("/") or os.path.realpath(home) not in list_own_folders(root):
        return f"its pyvenv.cfg names {home[:200]!r}, where no interpreter of yours is known"
    versions = {
        found[1]
        for item in _list_folder(root, f"{name}/lib")
        if (found := _VERSION.fullmatch(item)) is not None
    }
    for version in sorted(versions):
        packages = f"{name}/lib/python{version}/site-packages"
        for program in (f"python{version}", "python3", "python"):
            base = Path(os.path.realpath(f"{home}/{program}"))
            if _version_of(base) == version and is_interpreter(base) and not is_beneath(base, root):
                trees = [
                    part for part in (packages, f"{name}/share", f"{name}/etc") if _is_folder(root, part)
                ]
                if packages in trees:
                    system = settings.get("include-system-site-packages", "").lower() == "true"
                    return Environment(name, base, version, system, tuple(str(root / part) for part in trees))
    return f"it has no packages for an interpreter in {home[:200]}"


def _list_folder(root: Path, name: str) -> list[str]:
    with contextlib.suppress(OSError, ValueError), open_root(root) as source:
        place = open_beneath(source, name)
        try:
            return [item.name for item in Path(f"/proc/self/fd/{place}").iterdir()]
        finally:
            os.close(place)
    return []


def _is_folder(root: Path, name: str) -> bool:
    return identify(root, name) is not None


def identify(root: Path, name: str) -> tuple[int, int] | None:
    """Device and inode of the folder `name` of `root`; None unless it is one, reached through no link."""
    with contextlib.suppress(OSError, ValueError), open_root(root) as source:
        place = open_beneath(source, name)
        try:
            state = os.fstat(place)
            return (state.st_dev, state.st_ino) if stat.S_ISDIR(state.st_mode) else None
        finally:
            os.close(place)
    return None


def _version_of(base: Path) -> str:
    """`3.12` of an interpreter, by its name or by the library beside it."""
    found = _VERSION.match(base.name)
    if found:
        return found[1]
    beside = sorted(base.parent.parent.glob("lib/python3.*/os.py"))
    return beside[0].parent.name.removeprefix("python") if len(beside) == 1 else ""


@dataclass(frozen=True, slots=True)
class Packages:
    """What is shown of this machine."""

    python: str
    """The interpreter as it is called inside."""
    trees: tuple[str, ...]
    """Folders that are seen at their own paths."""
    files: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    programs: tuple[tuple[str, str], ...] = ()
    """(folder, interpreter): folders that are seen with nothing in them but names of that interpreter."""
    environment: Environment | None = None


def find_packages(python: str, root: Path) -> Packages:
    """What the interpreter `python`, as the user names it, and what it has installed need.

    Nothing is run.

    Raises:
        ValueError: it is below the repository `root` and cannot be used, or something would be shown that
            must not be; the message says why.
    """
    path = Path(python)
    if not is_beneath(path.parent, root):
        return _find_outside(path, root)
    place = path.parent.parent
    if not path.is_relative_to(root):
        place = root / os.path.relpath(os.path.realpath(place), os.path.realpath(root))
    name = place.relative_to(root).as_posix() if place.is_relative_to(root) else "."
    if name == ".":
        raise ValueError(f"{python} lies in the repository, which is not trusted; name another --python")
    if _has_interpreter(root, name):
        parts = list_parts("/usr/bin/python3")
        trees = {str(place / part) for part in ("bin", "lib") if _is_folder(root, f"{name}/{part}")}
        return _arrange(
            root, Packages(str(place / "bin" / path.name), (), (), tuple(parts[2])), {*trees, *parts[0]}, []
        )
    found = read_environment(root, name)
    if isinstance(found, str):
        raise ValueError(f"{place}: {found}; name an interpreter outside the repository with --python")  # noqa: TRY004
    base = _find_outside(found.base, root, only_base=True)
    shown = replace(base, python=str(place / "bin" / "python"), environment=found)
    return _arrange(root, shown, {*base.trees, *found.trees}, [])


def _find_outside(path: Path, root: Path, *, only_base: bool = False) -> Packages:
    """What an interpreter of the user's own needs; `only_base`: nothing of the programs beside it."""
    home, base, hops = path.parent.parent, Path(os.path.realpath(path)), list(_hops(path))
    trees, files = set(), []
    is_environment = path.parent.name == "bin" and (home / "pyvenv.cfg").is_file() and not only_base
    if is_environment:
        trees = {str(home / part) for part in _PARTS_OF_ENVIRONMENT if (home / part).is_dir()}
        files = [str(home / "pyvenv.cfg")]
        named = _read_home(home / "pyvenv.cfg")
        if named:
            base = Path(os.path.realpath(named / base.name)) if home in base.parents else base
            hops.append(named / base.name)
    (parts, more, links) = list_parts(str(base))
    prefix = base.parent.parent
    is_whole = any(prefix.glob("lib*/python3.*/os.py"))
    own = {str(prefix / "lib"), str(prefix / "lib64")} - {"/usr/lib", "/usr/lib64", "/usr/local/lib"}
    trees |= {part for part in parts if is_whole or part not in own}
    if is_whole and not is_environment and not only_base:
        trees.add(str(base.parent))
    files += [*more, str(base)]
    return _arrange(root, Packages(str(path), (), tuple(files), tuple(links)), trees, hops, base)


def _arrange(
    root: Path, shown: Packages, trees: set[str], hops: Iterable[Path], base: Path | None = None
) -> Packages:
    """`shown` with `trees`, without what lies in others of them; what must not be shown is refused."""
    trees |= {tool for tool in _TOOLS if Path(tool).is_dir()}
    plain = {tree for tree in trees if not (Path(tree).is_symlink() and len(Path(tree).parts) == 2)}
    kept = sorted(tree for tree in plain if not any(str(above) in plain for above in Path(tree).parents))

    def is_seen(path: str) -> bool:
        return any(path == tree or path.startswith(f"{tree}/") for tree in kept)

    unseen = [hop for hop in hops if not is_seen(str(hop))]
    beside = [str(hop) for hop in unseen if base is not None and hop.parent == base.parent]
    folders = {str(hop.parent) for hop in unseen if str(hop) not in beside}
    alone = tuple(dict.fromkeys(path for path in (*shown.files, *beside) if not is_seen(path)))
    for path in (*kept, *alone, *folders):
        _check_shown(path, root)
    more = [("/bin", "usr/bin")] if Path("/bin").is_symlink() else []
    links = tuple(dict.fromkeys([*shown.links, *more]))
    programs = (*shown.programs, *((folder, str(base)) for folder in sorted(folders)))
    return replace(shown, trees=tuple(kept), files=alone, links=links, programs=programs)


def _check_shown(path: str, root: Path) -> None:
    inside = Path(path).is_relative_to(root)
    for place in (Path(path),) if inside else (Path(path), Path(os.path.realpath(path))):
        below = place.relative_to(root).parts if inside else place.parts[1:]
        homes = [Path(os.environ["HOME"])] if os.environ.get("HOME") else []
        if (
            not below
            or not _NEVER.isdisjoint([below[0], *(part for part in below if part.startswith("."))])
            or any(home.is_relative_to(place) for home in homes)
            or below[:2] == ("var", "run")
        ):
            raise ValueError(
                f"{path} is not shown to a repository's code; name another interpreter with --python"
            )


def _has_interpreter(root: Path, name: str) -> bool:
    """Whether an environment has an interpreter and a library of its own, as conda's have."""
    if read_beneath(root, f"{name}/pyvenv.cfg", _MOST_CONFIG_BYTES) is not None:
        return False
    versions = [part for part in _list_folder(root, f"{name}/lib") if _VERSION.fullmatch(part)]
    return any(read_beneath(root, f"{name}/lib/{part}/os.py", 1 << 20) for part in versions)


def _hops(python: Path) -> Iterator[Path]:
    """The paths through which the links of `python` lead."""
    for _ in range(_MOST_HOPS):
        yield python
        if not python.is_symlink():
            return
        target = python.readlink()
        python = target if target.is_absolute() else Path(os.path.normpath(python.parent / target))


def _read_home(config: Path) -> Path | None:
    for line in config.read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "home" and value.strip().startswith("/"):
            return Path(value.strip())
    return None


def find_special(trees: Iterable[str]) -> list[str]:
    """Sockets, pipes and devices below `trees`: whoever is behind them could be reached from inside.

    Folders that only root can write to are not looked through.

    Raises:
        ValueError: they are more than can be covered.
    """
    found: list[str] = []
    waiting = [tree for tree in trees if not any(f"{tree}/".startswith(f"{place}/") for place in _SYSTEM)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif not entry.is_symlink() and not entry.is_file(follow_symlinks=False):
                    found.append(entry.path)
        if len(found) > _MOST_SPECIAL:
            raise ValueError(
                f"{Path(found[0]).parent} holds more than {_MOST_SPECIAL} sockets, pipes and devices"
            )
    return found
