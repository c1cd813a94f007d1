"""Runs inside a Debian with Python and copies out what a Python program needs, and nothing else.

With `--cpp` there is C++ as well: compiler, assembler, linker, headers and static libraries, by
`toolchain.py` beside it.
Further arguments name third-party libraries, which are put into `/libraries` with all that came with them;
where pip can fetch what is missing, it does.

Interpreter, standard library (compiled), the shared libraries that both map, and no shell, no package
manager, no other program: what is not there cannot be used by what breaks out of the interpreter.
Called as `python3 -I collect.py TARGET [--cpp] NAME...` (without arguments: those of $LIBRARIES); TARGET ends
with `.tar` for an archive, else it is a folder. Debian's packages in $DEBIAN are installed first.
Standard library only, nothing of ours imported, any Python from 3.11 on.
"""

from __future__ import annotations

import compileall
import ctypes
import importlib
import importlib.util
import json
import os
import platform
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

_LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3",
    "config-*", "sitecustomize.py", "_tkinter*", "_test*.so", "xxlimited*", "_ctypes_test*",
)  # fmt: skip
_PACKAGES = "libraries"
_TOOLS = ("pip", "setuptools", "pkg_resources", "wheel", "_distutils_hack", "__pycache__", "bin", "share")
_BLAS = ("libblas.so.3", "liblapack.so.3")
_UNUSED = ("libtsan", "liblsan", "libhwasan", "libcaf", "liblto")
_SHARED = ("libc.so", "libm.so")
"""Texts in which the linker reads where the C library lies, which a sanitized program maps."""
_MAPPED = re.compile(r"(/\S+\.so[.\d]*)\s")
_TOP_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def collect(root: Path, names: list[str], *, cpp: bool = False) -> None:
    """Fill the folder `root` with a root file system for this interpreter and the libraries `names`."""
    parts = _find_packages(names)
    libraries = _find_libraries(parts)
    languages = {}
    if cpp:
        (version, needed) = _collect_cpp(root)
        languages["cpp"] = version
        libraries = sorted({*libraries, *needed})
    _link_top_folders(root)
    stdlib = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(stdlib, _inside(root, stdlib), symlinks=True, ignore=_LEFT_OUT, dirs_exist_ok=True)
    interpreter = Path(sys.executable).resolve()
    for file in [interpreter, *libraries]:
        _inside(root, file.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, _inside(root, file))
    _link_names(root, {*libraries, interpreter})
    start = root / "usr" / "bin" / "python3"
    start.parent.mkdir(parents=True, exist_ok=True)
    if not start.exists():
        start.symlink_to(interpreter)
    for folder in ("dev", "etc", "proc", "sys", "tmp"):
        (root / folder).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    _copy_packages(root, parts)
    locale = Path("/usr/lib/locale/C.utf8")
    if locale.exists():
        shutil.copytree(locale, _inside(root, locale))
    for file in (Path("/etc/ld.so.cache"), Path("/etc/os-release")):
        if file.exists():
            shutil.copyfile(file, _inside(root, file))
    versions = {name: str(getattr(sys.modules[name], "__version__", "")) for name in names}
    facts = {
        "python": platform.python_version(),
        "packages": _list_packages(),
        "libraries": versions,
        "languages": languages,
    }
    (root / "etc" / "sstar-image.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    for sources in (_inside(root, stdlib), root / _PACKAGES):
        compileall.compile_dir(
            str(sources),
            stripdir=str(root),
            quiet=2,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


def _collect_cpp(root: Path) -> tuple[str, list[Path]]:
    """Copy the tools of C++; their version and the shared libraries that they map."""
    place = Path(__file__).with_name("toolchain.py")
    spec = importlib.util.spec_from_file_location("toolchain", place)
    assert spec is not None
    assert spec.loader is not None
    toolchain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(toolchain)
    folder = root / "languages" / "cpp"
    folder.parent.mkdir(parents=True)
    toolchain.prepare(folder)
    facts = json.loads((folder / "tools.json").read_text())
    needed: list[Path] = []
    for tree in map(Path, facts["trees"]):
        target = _inside(root, tree)
        if "include" in tree.parts:
            shutil.copytree(tree, target, symlinks=True, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            for file in sorted(tree.iterdir()):
                wanted = file.suffix in (".a", ".o") and not file.name.startswith(_UNUSED)
                if file.is_dir() and file.name.startswith("include"):
                    shutil.copytree(file, target / file.name, symlinks=True, dirs_exist_ok=True)
                elif wanted:
                    shutil.copy2(file, target / file.name)
                elif file.name in _SHARED:
                    shutil.copy2(file, target / file.name)
                    needed += [Path(path).resolve() for path in _MAPPED.findall(file.read_text())]
    for program in map(Path, facts["files"]):
        target = _inside(root, program)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(program.resolve(), target)
        command = [facts["loaders"][0], "--list", str(program)]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours
        needed += [Path(path).resolve() for path in re.findall(r"(/\S+\.so\S*) \(", listed)]
    return str(facts["compiler"]), needed


def _inside(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _find_packages(names: list[str]) -> list[Path]:
    """The topmost files and folders of every third-party package here, once `names` can be imported."""
    sys.path.append(f"/{_PACKAGES}")  # where an image of ours has them
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        fetched = tempfile.mkdtemp()
        command = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        subprocess.run([*command, "--target", fetched, *missing], check=True)  # noqa: S603 - our own command
        sys.path.append(fetched)
        importlib.invalidate_caches()
    for file in _BLAS:
        for path in sorted(
            Path("/usr/lib").glob(f"*/*/{file}")
        ):  # where only its package's scripts would link it
            ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
    for name in names:
        importlib.import_module(name)
    places = [Path(path) for path in sys.path if path.endswith("-packages") or path == f"/{_PACKAGES}"]
    places += [Path(fetched)] if missing else []
    return [
        path
        for place in places
        if place.is_dir()
        for path in sorted(place.iterdir())
        if (path.is_dir() and not path.name.startswith(_TOOLS)) or path.suffix == ".py"
    ]


def _copy_packages(root: Path, parts: list[Path]) -> None:
    target = root / _PACKAGES
    target.mkdir(exist_ok=True)
    for part in parts:
        if part.is_dir():
            shutil.copytree(part, target / part.name, symlinks=True, ignore=_LEFT_OUT, dirs_exist_ok=True)
        else:
            shutil.copyfile(part, target / part.name)
    for file in _BLAS:
        for path in sorted((root / "usr" / "lib").glob(f"*/*/{file}")):
            link = path.parent.parent / file
            if not link.exists():
                link.symlink_to(f"{path.parent.name}/{file}")


def _find_libraries(parts: list[Path]) -> list[Path]:
    """Every shared library that the interpreter maps with all extension modules, those in `parts` too."""
    dynload = Path(sysconfig.get_path("stdlib")) / "lib-dynload"
    for file in sorted(dynload.glob("*.so")):
        name = file.name.partition(".")[0]
        try:
            importlib.import_module(name)
        except ImportError as error:  # an optional part of the distribution: its programs fail the same way
            print(f"left out: {name} ({error})", file=sys.stderr)  # noqa: T201
    own = tuple(f"{part}/" for part in parts)
    for part in parts:
        for file in sorted(part.rglob("*.so")):
            try:
                ctypes.CDLL(str(file))
            except OSError as error:  # as above
                print(f"left out: {file} ({error})", file=sys.stderr)  # noqa: T201
    ctypes.CDLL("libgcc_s.so.1")  # loaded by name when a thread is cancelled, so nothing links it
    maps = Path("/proc/self/maps").read_text().splitlines()
    mapped = {line.split(maxsplit=5)[-1] for line in maps}
    return sorted(
        Path(path)
        for path in mapped
        if path.startswith("/") and ".so" in Path(path).name and not path.startswith((str(dynload), *own))
    )


def _link_top_folders(root: Path) -> None:
    for name in _TOP_FOLDERS:
        folder = Path("/") / name
        if folder.is_symlink():
            (root / name).symlink_to(folder.readlink())
            (root / folder.readlink().as_posix().lstrip("/")).mkdir(parents=True, exist_ok=True)


def _link_names(root: Path, files: set[Path]) -> None:
    """Repeat the symbolic links (sonames, the loader's fixed path, `python3`) that lead to `files`."""
    wanted = {file.resolve() for file in files}
    folders = {file.parent for file in files} | {Path("/lib64"), Path("/lib"), Path("/usr/lib64")}
    for folder in sorted({folder.resolve() for folder in folders if folder.is_dir()}):
        for entry in folder.iterdir():
            copy = _inside(root, entry)
            if entry.is_symlink() and entry.resolve() in wanted and not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.symlink_to(entry.readlink())


def _list_packages() -> dict[str, str]:
    """Version by package, from the archives just unpacked or from the package database."""
    archives = Path("/var/cache/apt/archives").glob("*.deb")
    found = [file.stem.split("_")[:2] for file in archives]
    status = Path("/var/lib/dpkg/status")
    if not found and status.exists():
        for block in status.read_text().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line[:40])
            if "Package" in fields and "Version" in fields:
                found.append([fields["Package"], fields["Version"]])
    return {name: version.replace("%3a", ":") for name, version in sorted(found)}


def _write_tar(folder: Path, target: Path) -> None:
    """Archive `folder`; owners, times and order fixed so that equal content is an equal file."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = 0
        return member

    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, arcname=path.name, filter=plain)


def _install(packages: list[str]) -> None:
    """Called from here, since a base need not have a shell."""
    if packages:
        subprocess.run(["apt-get", "update", "-qq"], check=True)  # noqa: S607 - inside a base image
        command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages]
        subprocess.run(command, check=True)  # noqa: S603


def _main(target: Path, names: list[str]) -> None:
    os.umask(0o022)
    cpp = "--cpp" in names
    names = [name for name in names if name != "--cpp"]
    if target.suffix != ".tar":
        target.mkdir(exist_ok=True)
        collect(target, names, cpp=cpp)
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        collect(Path(folder), names, cpp=cpp)
        _write_tar(Path(folder), target)


if __name__ == "__main__":
    _install(os.environ.get("DEBIAN", "").split())
    _main(Path(sys.argv[1]), sys.argv[2:] or os.environ.get("LIBRARIES", "").split())
