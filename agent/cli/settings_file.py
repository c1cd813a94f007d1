"""Defaults from a user's own settings file, and from the file of a project, which is believed less.

A project's file (`sstar.toml`, or `[tool.sstar]` in `pyproject.toml`) comes with what may be hostile: a
clone, a pull request, an archive. It chooses what reaches nothing outside (`PROJECT_KEYS`), and nothing
else. The user's file (`~/.config/sstar/sstar.toml`) may set everything. Either is read only where nobody
else could have written it.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sstar_code.problems import UserError
from sstar_code.problems.bounds import parse_toml
from sstar_code.problems.errors import suggest

_MOST_BYTES = 1 << 20
_STARTING = ("vllm:", "replay:")
"""Beginnings of a model's name that start a server or read a file."""
_PLAIN_TERM = re.compile(r"[\w\s./=!,:@-]*")
"""A filter without the signs by which a regular expression can take for ever."""


def _anything(_: Any) -> bool:
    return True


def _is_name_at_endpoint(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return all(isinstance(name, str) and not name.strip().lower().startswith(_STARTING) for name in names)


def _is_isolated(value: Any) -> bool:
    return value in ("auto", "docker", "local")


def _is_plain_filter(value: Any) -> bool:
    terms = value if isinstance(value, list) else [value]
    return all(isinstance(term, str) and _PLAIN_TERM.fullmatch(term) for term in terms)


PROJECT_KEYS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(
        (
            *("n", "rounds", "temperature", "seed", "select", "method", "context", "shard", "limit"),
            *("strategy", "style", "lessons", "attack", "strategies", "styles", "tokens", "parameters"),
            *("think_min", "think_max", "think_wait", "switch_penalty", "confidence", "cut_loops"),
            *("drafts", "mur"),
            *("max_tokens", "max_tokens_total", "max_tokens_problem", "max_seconds", "max_thinking"),
            *("max_in_flight", "call_timeout", "system_role", "workers", "start_date", "end_date"),
            *("top_p", "top_k", "min_p", "greedy", "reasoning_effort", "grade", "dry_run", "preset"),
            *("abstain", "methods_with_model", "repair_confirmed", "progress", "language"),
            *("write_checker", "audit"),
            *("price_prompt", "price_output", "format", "json", "all_tests", "extract", "no_model", "no_run"),
        ),
        _anything,
    ),
    "model": _is_name_at_endpoint,
    "sandbox": _is_isolated,
    "filter": _is_plain_filter,
}
"""Setting that a project's file may have -> whether it may have this value."""

TRUSTED_KEYS = frozenset({
    "base_url", "ray", "otel", "vllm_command", "vllm_args", "python", "runtime", "packages", "build_image",
    "out", "fresh", "record", "prompts", "log_file", "sarif", "junit", "summary", "patch", "page", "plot",
    "references", "emit_tests", "overwrite", "write", "interactive", "examples", "tests", "set", "add_method",
    "explain", "retry", "extra_body", "role_model", "no_model_check", "prices", "security", "port", "open",
    "for", "host", "api_key_env", "max_body_mb", "max_passing", "max_seconds_request", "max_solving",
    "max_tokens_hour", "max_tokens_request", "max_waiting", "http", "repository", "programs",
    "testlib",
    "no_regression",
})  # fmt: skip
"""Settings that start or reach something, name or change files, or run code: never from a project's file."""


@dataclass(slots=True)
class Settings:
    """What files say."""

    values: dict[str, Any] = field(default_factory=dict)
    """By option name with underscores; an environment variable or a flag wins over them."""
    notes: list[str] = field(default_factory=list)
    """Lines for the user: which files were read, and which were not and why."""


def load_config(
    known: set[str],
    start: Path | None = None,
    *,
    check: Callable[[str, Any], str | None] = lambda _key, _value: None,
) -> Settings:
    """The settings of the user's file, and over them those of the nearest project's file.

    A bound on what is spent that the user's file has is not raised, and a sandbox that it names stays.

    `check` gets each key and its value and says what is wrong with the value, None where nothing is.

    Raises:
        UserError: a file is no TOML, a key is not an option or may not be set there, or a value does not
            suit it.
    """
    found = Settings()
    own = find_user_file()
    section = _read_section(own, found, follow=True)
    if section is not None:
        found.values |= _accept(own, section, known, check)
        found.notes.append(f"settings from {own}")
    for path in _list_project_files(start or Path.cwd()):
        if path == own:
            continue
        section = _read_section(path, found)
        if section is not None:
            chosen = _accept(path, section, known, check, believed=False)
            held = [key for key, value in chosen.items() if _is_held(key, found.values.get(key), value)]
            found.values |= {key: value for key, value in chosen.items() if key not in held}
            but = f" without {', '.join(held)}: what {own} says holds" if held else ""
            found.notes.append(f"settings from {path}{but}")
            break
    return found


_BOUNDS = frozenset({
    "max_tokens_total", "max_tokens_problem", "max_seconds", "max_in_flight", "workers"
})  # fmt: skip


def _is_held(key: str, own: Any, projects: Any) -> bool:
    """Whether the user's own value stays: a project spends no more, and is isolated no other way."""
    if own is None:
        return False
    if key in _BOUNDS:
        return not (all(type(value) in (int, float) for value in (own, projects)) and projects <= own)
    return key == "sandbox" and own in ("docker", "local")


_NO_SETTINGS = frozenset({"SSTAR_POOL_KEY", "SSTAR_ROW_MB", "SSTAR_VLLM_OWNER"})
"""Variables that mean something and belong to no option; the last is set for servers that are started."""


def find_unknown_variables(known: set[str]) -> list[str]:
    """A line for each variable of the environment that is called like a setting and is none."""
    names = [name for name in os.environ if name.startswith("SSTAR_") and name not in known | _NO_SETTINGS]
    return [
        f"{name} is set and means nothing here{suggest(name, known)}; `sstar help COMMAND --all` names "
        "the variables there are"
        for name in sorted(names)
    ]


def find_user_file() -> Path:
    """Where the user's own settings file is, whether it is there or not."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(folder) if Path(folder).is_absolute() else _find_home() / ".config"
    return base / "sstar" / "sstar.toml"


def _find_home() -> Path:
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where nobody says where it is


def _list_project_files(start: Path) -> Iterator[Path]:
    """Both names in `start` and in folders above, up to the repository's root or the home folder.

    The search also ends below a folder into which others may write: what is above is nobody's project.
    """
    home = _find_home()
    for folder in (start, *start.parents):
        try:
            is_shared = folder != start and _why_shared(folder.stat()) is not None
        except OSError:
            return
        if is_shared:
            return
        yield folder / "sstar.toml"
        yield folder / "pyproject.toml"
        if folder == home or any(os.path.lexists(folder / mark) for mark in (".git", ".hg")):
            return


def _read_section(path: Path, found: Settings, *, follow: bool = False) -> dict[str, Any] | None:
    """The table of settings in the file; None without one and, with a note, where others may have written it.

    A link is read only with `follow`.
    """
    is_project = path.name == "pyproject.toml"
    try:
        about, data = _read(path, follow=follow)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = "it is a link" if path.is_symlink() else error.strerror
        found.notes += [] if is_project else [f"settings in {path} are not read: {why}"]
        return None
    if is_project and b"sstar" not in data:
        return None
    if (why := _why_shared(about)) is not None:
        found.notes.append(f"settings in {path} are not read: {why}")
        return None
    return _find_table(path, _parse(path, data)) if is_project else _parse(path, data)


def _read(path: Path, *, follow: bool) -> tuple[os.stat_result, bytes]:
    """Whose file it is, and its beginning.

    Raises:
        OSError: it cannot be read, is no file, or is a link and `follow` is not set.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    with os.fdopen(os.open(path, flags), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise FileNotFoundError
        return about, file.read(_MOST_BYTES + 1)


def _find_table(path: Path, project: dict[str, Any]) -> dict[str, Any] | None:
    tool = project.get("tool", {})
    table = tool.get("sstar") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UserError(f"{path}: [tool.sstar] is not a table of settings")
    return table


def _why_shared(about: os.stat_result) -> str | None:
    """Why somebody else than the user and root may have written it; None where nobody else can."""
    if about.st_uid not in (0, os.geteuid()):
        return "it belongs to another user; chown it, or use flags or SSTAR_ variables"
    if about.st_mode & stat.S_IWOTH or (about.st_mode & stat.S_IWGRP and not _is_alone_in(about.st_gid)):
        return "other users may write to it; chmod go-w it, or use flags or SSTAR_ variables"
    return None


def _is_alone_in(group: int) -> bool:
    """Whether the group has no member but the user, as the group that a user has by default."""
    try:
        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return group in (0, user.pw_gid) and set(entry.gr_mem) <= {"root", user.pw_name}


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    if len(data) > _MOST_BYTES:
        raise UserError(f"{path}: has more than 1 MiB, so it is no settings file; make it shorter")
    try:
        return parse_toml(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except ValueError as error:
        raise UserError(f"{path}: cannot be read as TOML: {error}") from error


def _accept(
    path: Path,
    section: Mapping[str, Any],
    known: set[str],
    check: Callable[[str, Any], str | None],
    *,
    believed: bool = True,
) -> dict[str, Any]:
    settings = {key.replace("-", "_"): value for key, value in section.items()}
    for key, value in settings.items():
        if key not in known:
            raise UserError(f"{path}: unknown key {key!r} in the sstar settings{_hint(key, value, known)}")
        if not believed and not (key in PROJECT_KEYS and PROJECT_KEYS[key](value)):
            raise UserError(_refuse(path, key, value))
        if (fault := check(key, value)) is not None:
            raise UserError(f"{path}: {key} = {value!r}: {fault.removeprefix(f'{value!r}: ')}")
    return settings


def _hint(key: str, value: Any, known: set[str]) -> str:
    """What was meant by a key that is no setting."""
    if key in ("sstar", "tool") and isinstance(value, dict):
        return "; leave the table header out: in this file keys stand at the top"
    if isinstance(value, dict):
        return "; it is a table, and settings stand outside of tables"
    if "key" in key.split("_"):
        return "; keys of endpoints are taken from OPENAI_API_KEY alone"
    return suggest(key, known) or "; keys are flags of `sstar help COMMAND --all` without their dashes"


def _refuse(path: Path, key: str, value: Any) -> str:
    flag, variable = f"--{key.replace('_', '-')}", f"SSTAR_{key.upper()}"
    what = f"{key} = {value!r}" if key in PROJECT_KEYS else key
    return (
        f"{path}: {what} is not taken from a project's file, which may be anybody's: it could reach beyond "
        f"the project; give {flag}, set {variable} where there is one, or put it into {find_user_file()}"
    )
