"""Asks git for names of files without believing anything that the repository says to git.

A repository's configuration can name commands: for its index (`core.fsmonitor`), filters, hooks, a pager, an
alias, a file to include, its submodules' too. So it is never read: git gets a folder of our own in place of
`.git`, with no configuration but that of the user and the machine, and from the repository the index, the
objects and the list of ignored files. What of the environment speaks to git (`GIT_...`) is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from sstar_code.sandbox.ownership import hold_folder, reap_folders

_TIMEOUT_S = 60
_LONGEST = 1 << 16
"""Bytes read of a `.git` file, or of a configuration for the kind of its hashes."""
_unanswered: set[Path] = set()
"""Work trees for which git did not end in time: a pipe in the place of `.gitignore` holds it up."""
_OVERRIDES = (
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
)
"""Settings that the user's own configuration may have, and that are of no use here."""
_SHA256 = re.compile(rb"^\s*objectformat\s*=\s*sha256\s*$", re.IGNORECASE | re.MULTILINE)
_OF_SHA256 = "[extensions]\n\tobjectFormat = sha256\n"


def list_by_git(root: Path, *words: str) -> list[str] | None:
    """Paths that `git ls-files` lists with `words` in the work tree `root`; None without a repository."""
    program = _find_git()
    real = _find_git_folder(root / ".git")
    if program is None or real is None or root in _unanswered:
        return None
    reap_folders()  # that of a command that was killed while git hung
    with hold_folder() as stand_in:
        try:
            _fill(stand_in, real)
            options = [word for setting in _OVERRIDES for word in ("-c", setting)]
            asked = subprocess.run(  # noqa: S603 - fixed words
                [program, *options, "ls-files", "-z", *words],
                cwd=root,
                env=_environment(stand_in, real, root),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            _unanswered.add(root)
            return None
        except OSError:
            return None
    if asked.returncode != 0:
        return None
    return [os.fsdecode(name) for name in asked.stdout.split(b"\0") if name]


def _find_git() -> str | None:
    """The user's git: never one that a relative entry of PATH finds in the current folder."""
    folders = [folder for folder in os.get_exec_path() if Path(folder).is_absolute()]
    return shutil.which("git", path=os.pathsep.join(folders))


def _find_git_folder(mark: Path) -> Path | None:
    """The folder with the index: `.git`, or that which a `.git` file of a work tree or submodule names."""
    if mark.is_dir():
        return mark
    text = _read(mark)
    if not text.startswith(b"gitdir:"):
        return None
    folder = mark.parent / os.fsdecode(text.removeprefix(b"gitdir:").strip())
    return folder if folder.is_dir() else None


def _fill(stand_in: Path, real: Path) -> None:
    common = _common_folder(real)
    (stand_in / "HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
    for name in ("refs", "objects", "info"):
        (stand_in / name).mkdir()
    extension = _OF_SHA256 if _SHA256.search(_read(common / "config")) else ""
    text = f"[core]\n\trepositoryformatversion = {int(bool(extension))}\n\tbare = false\n{extension}"
    (stand_in / "config").write_text(text, encoding="ascii")
    (stand_in / "info" / "exclude").write_bytes(_read(common / "info" / "exclude"))
    for part in real.glob("sharedindex.*"):  # the greater part of an index that is split
        if _is_file(part):
            (stand_in / part.name).symlink_to(part.absolute())


def _common_folder(real: Path) -> Path:
    """The folder that all work trees of a repository share."""
    named = os.fsdecode(_read(real / "commondir").strip())
    return real / named if named else real


def _environment(stand_in: Path, real: Path, root: Path) -> dict[str, str]:
    index = real / "index"
    if os.path.lexists(index) and not _is_file(index):
        raise FileNotFoundError(index)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **kept,
        "GIT_DIR": str(stand_in),
        "GIT_WORK_TREE": str(root.absolute()),
        "GIT_INDEX_FILE": str(index.absolute()),
        "GIT_OBJECT_DIRECTORY": str((_common_folder(real) / "objects").absolute()),
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
    }


def _read(path: Path) -> bytes:
    """The beginning of a regular file; empty where there is none."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return file.read(_LONGEST) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except (OSError, ValueError):
        return b""


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
