"""Defaults from sstar.toml or `[tool.sstar]` in pyproject.toml, here or in the nearest folder above."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sstar_code.problems import UserError
from sstar_code.problems.errors import suggest


def _find(start: Path) -> tuple[Path, dict[str, Any]] | None:
    for folder in (start, *start.parents):
        own = folder / "sstar.toml"
        if own.is_file():
            return own, _read(own)
        project = folder / "pyproject.toml"
        if project.is_file():
            section = _read(project).get("tool", {}).get("sstar")
            if section is not None:
                if not isinstance(section, dict):
                    raise UserError(f"{project}: [tool.sstar] is not a table of settings")
                return project, section
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: cannot be read as TOML: {error}") from error


def load_config(
    known: set[str],
    start: Path | None = None,
    *,
    check: Callable[[str, Any], str | None] = lambda _key, _value: None,
) -> dict[str, Any]:
    """Settings by option name with underscores; an environment variable or a flag wins over them.

    `check` gets each key and its value and says what is wrong with the value, None where nothing is.

    Raises:
        UserError: the file is no TOML, a key is not an option, or a value does not suit it.
    """
    found = _find(start or Path.cwd())
    if found is None:
        return {}
    path, section = found
    settings = {key.replace("-", "_"): value for key, value in section.items()}
    for key, value in settings.items():
        if key not in known:
            hint = suggest(key, known) or f"; known: {', '.join(sorted(known))}"
            raise UserError(f"{path}: unknown key {key!r} in the sstar settings{hint}")
        if (fault := check(key, value)) is not None:
            raise UserError(f"{path}: {key} = {value!r}: {fault}")
    return settings
