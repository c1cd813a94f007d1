"""Which interpreter a repository's code runs under: the one whose packages it was written against."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from sstar_code.problems import UserError

_FOLDERS = (".venv", "venv", "env")
_ANSWER_S = 30.0
_ELF = b"\x7fELF"


def find_python(root: Path, named: str | None = None) -> str:
    """Path of the interpreter: `named`, else of an environment in `root`, of the active one, or of PATH.

    A script that starts an interpreter, as those in pyenv's `shims` do, is asked in `root` which one it is.
    An environment that this program itself was installed into, as pre-commit does, is taken last.

    Raises:
        UserError: `named` is no program, or starts no interpreter.
    """
    if named is not None:
        found = shutil.which(named)
        if found is None:
            raise UserError(f"--python {named}: no such program; name the interpreter that the tests need")
        python = _follow_script(os.path.abspath(found), root)  # noqa: PTH100 - a link leads to packages
        if python is None:
            raise UserError(
                f"--python {named}: {found} is a script that starts no interpreter here; name the interpreter"
            )
        return python
    homes = [root / name for name in _FOLDERS]
    homes += [Path(os.environ[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if os.environ.get(name)]
    own = Path(sys.prefix)
    for home in homes:
        python = _follow_script(str(home / "bin" / "python"), root)
        if python is not None and (home != own or own.is_relative_to(root)):
            return python
    for name in ("python3", "python"):
        found_ones = (shutil.which(name, path=folder) for folder in os.get_exec_path())
        leads_to = (_follow_script(found, root) for found in found_ones if found is not None)
        first = next((python for python in leads_to if python is not None), None)
        if first is not None and not Path(first).is_relative_to(own):
            return first
    return sys.executable


def _follow_script(path: str, root: Path) -> str | None:
    """The program at `path`, or the interpreter that it starts in `root` if it is a script, or None."""
    try:
        with Path(path).open("rb") as file:
            if file.read(len(_ELF)) == _ELF:
                return path
        asked = subprocess.run(  # noqa: S603 - the user's own interpreter, found as their shell finds it
            [path, "-c", "import sys; print(sys.executable)"],
            cwd=root, capture_output=True, text=True, timeout=_ANSWER_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    started = asked.stdout.strip()
    return started if asked.returncode == 0 and Path(started).is_file() else None
