"""Which interpreter a repository's code runs under: the one whose packages it was written against."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from sstar_code.problems import UserError

__all__ = ["find_python"]

_FOLDERS = (".venv", "venv", "env")


def find_python(root: Path, named: str | None = None) -> str:
    """Path of the interpreter: `named`, else of an environment in `root`, of the active one, or of PATH.

    An environment that this program itself was installed into, as pre-commit does, is taken last.

    Raises:
        UserError: `named` is no program, or there is none at all.
    """
    if named is not None:
        found = shutil.which(named)
        if found is None:
            raise UserError(f"--python {named}: no such program; name the interpreter that the tests need")
        return os.path.abspath(found)  # noqa: PTH100 - the link is what leads to its packages
    homes = [root / name for name in _FOLDERS]
    homes += [Path(os.environ[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if os.environ.get(name)]
    own = Path(sys.prefix)
    for home in homes:
        python = home / "bin" / "python"
        if python.exists() and (home != own or own.is_relative_to(root)):
            return str(python)
    for name in ("python3", "python"):
        found = shutil.which(name)
        if found and not Path(found).is_relative_to(own):
            return found
    return sys.executable
