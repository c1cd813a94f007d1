"""The C++ tools of this machine, laid down once in the user's cache and used by every sandbox after that."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sstar_code.problems import UserError
from sstar_code.sandbox.languages import toolchain

TOOLS_FOLDER = "/languages/cpp"
"""Where a sandbox with a root of its own has them."""
_KEPT_S = 7 * 86_400
"""What another version of compiler or product laid down, a quarter of a gigabyte, stays so long unused."""


@dataclass(frozen=True, slots=True)
class HostTools:
    """What a sandbox without an image shows of this machine's compiler."""

    folder: Path
    """What `toolchain.prepare` laid down."""
    trees: tuple[str, ...]
    """Folders of headers and libraries, seen at their own paths."""
    files: tuple[str, ...]
    """The tools themselves."""


def prepare_tools(cache: Path | None = None) -> HostTools:
    """The tools of g++ here with headers precompiled: some ten seconds of CPU time, the first time.

    `cache`: the folder for it; None: the user's own.

    Raises:
        UserError: there is no compiler, or the folder cannot be written to.
    """
    place = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "sstar"
    try:
        compiler = toolchain.find_compiler()
        folder = place / "cpp" / _name(compiler)
        if not (folder / "tools.json").is_file():
            _fill(folder, compiler)
        with suppress(OSError):
            os.utime(folder)  # it is in use, and no other version may remove it
        facts = json.loads((folder / "tools.json").read_text("utf-8"))
    except toolchain.ToolchainError as error:
        raise UserError(f"{error}, or use `--sandbox docker` (`make image LANGS=cpp`)") from error
    except OSError as error:
        raise UserError(
            f"C++: its headers cannot be kept in {place}: {error.strerror}; set XDG_CACHE_HOME to a folder "
            "that you may write to"
        ) from error
    return HostTools(folder, tuple(facts["trees"]), (*facts["files"], *facts["loaders"]))


def _name(compiler: str) -> str:
    """A name that changes with the compiler and with what is laid down."""
    real = os.path.realpath(compiler)
    facts = Path(real).stat()
    content = f"{real} {facts.st_size} {facts.st_mtime_ns} {toolchain.describe_compiler(compiler)}"
    source = Path(toolchain.__file__).read_bytes()
    return hashlib.sha256(content.encode() + source).hexdigest()[:16]


def _fill(folder: Path, compiler: str) -> None:
    """Make `folder` whole or not at all; another process may be doing the same."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as new:
        toolchain.prepare(Path(new) / "made", compiler)
        try:
            (Path(new) / "made").rename(folder)
        except OSError:
            if not (folder / "tools.json").is_file():
                raise
        for old in folder.parent.iterdir():
            with suppress(OSError):  # another process may be removing it
                unused_s = time.time() - old.stat().st_mtime
                if not old.name.startswith(".") and old != folder and unused_s > _KEPT_S:
                    shutil.rmtree(old, ignore_errors=True)
