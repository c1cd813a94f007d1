"""The files of a repository, and their source as it is written."""

from __future__ import annotations

import ast
import io
import os
import re
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path

from sstar_code.agent.generation.completeness import first_line
from sstar_code.agent.repository.find.git import list_by_git
from sstar_code.agent.repository.find.pytest_settings import choose_tests
from sstar_code.problems import UserError
from sstar_code.problems.python_source import parse_strictly
from sstar_code.sandbox.secret_files import is_secret_name

_MOST_BYTES = 4 << 20
"""The longest file of source that is read: nobody wrote a longer one, and its tree takes 100 times that."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


def split_lines(text: str) -> list[str]:
    """The lines of `text` with their ends, as Python's own tokenizer counts them."""
    return _LINE.findall(text)


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file."""

    path: Path
    text: str
    """Decoded; line ends as they are in the file."""
    encoding: str
    tree: ast.Module

    @property
    def newline(self) -> str:
        """The line end that the file uses first; a file of one line gets a line feed."""
        found = re.search(r"\r\n|\r|\n", self.text)
        return found[0] if found else "\n"

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        return self.text.encode(self.encoding)

    def cut(self, node: ast.stmt, last: int | None = None) -> str:
        """The lines of a statement, its decorators included; `last`: the 1-based line to end with."""
        return "".join(split_lines(self.text)[first_line(node) - 1 : last or node.end_lineno])

    def with_text(self, text: str) -> Source:
        """The same file with another content.

        Raises:
            SyntaxError: it does not parse.
            UnicodeEncodeError: the file's encoding lacks a character.
        """
        text.encode(self.encoding)
        return Source(self.path, text, self.encoding, parse_strictly(text))


class UnreadFileError(UserError):
    """A file that is no Python, or is written for another version."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        """`line` is 1-based, where the parser names one."""
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")
        self.line = line or 1
        self.reason = reason


def read_source(path: Path) -> Source:
    """The file at `path`.

    Raises:
        UserError: it cannot be read.
        UnreadFileError: it is too long, or cannot be decoded or parsed; path and line are named.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give Python files") from error
    if len(data) > _MOST_BYTES:
        raise UnreadFileError(path, None, f"has more than {_MOST_BYTES >> 20} MiB")
    return parse_source(path, data)


def parse_source(path: Path, data: bytes) -> Source:
    """The file at `path` with the content `data`.

    Raises:
        UnreadFileError: it cannot be decoded or parsed; path and line are named.
    """
    refused = f"does not parse as Python {sys.version_info[0]}.{sys.version_info[1]}"
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        return Source(path, text, encoding, parse_strictly(text))
    except SyntaxError as error:
        raise UnreadFileError(path, error.lineno, f"{refused}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnreadFileError(path, None, f"{refused}: {error}") from error


_ROOT_MARKS = (".git", "pyproject.toml", "setup.py", "setup.cfg", ".hg")
_SKIPPED = frozenset({"__pycache__", "node_modules", "build", "dist", "site-packages"})
_SHEBANG = re.compile(rb"#!.*\bpython[\d.]*\b")
_MOST_SHEBANG_BYTES = 256
_TEST_FILE = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")


def find_root(path: Path) -> Path:
    """The repository that `path` is in: the nearest folder above with a `.git`, else with a project file."""
    start = path if path.is_dir() else path.parent
    folders = [start, *start.parents]
    for folder in folders:
        if (folder / ".git").exists():
            return folder
    for folder in folders:
        if is_repository(folder):
            return folder
    return start


def is_repository(root: Path) -> bool:
    """Whether `root` has a mark of a repository: where `find_root` finds none, it gives the folder itself."""
    return any((root / mark).exists() for mark in _ROOT_MARKS)


def list_names(root: Path, *, generated: bool = False) -> dict[str, bool]:
    """Every file of the repository as a path relative to `root`, sorted -> whether git could track it.

    In a git repository those that are tracked or could be (not ignored), with `generated` also ignored ones
    that are Python source or extension modules outside environments: imports may need them. Elsewhere every
    file that is not hidden, a cache or part of an environment. Some may be links, secrets, or no files.
    """
    names = list_by_git(root, "--cached", "--others", "--exclude-standard")
    ignored: list[str] = []
    if names is None:
        names = _walk_folder(root, root)
    elif generated:
        for name in list_by_git(root, "--others", "--ignored", "--exclude-standard", "--directory") or []:
            found = _walk_folder(root, root / name) if name.endswith("/") else [name]
            ignored += [item for item in found if _is_generated(item)]
    return dict.fromkeys(sorted(names), True) | dict.fromkeys(sorted({*ignored} - {*names}), False)


def list_files(root: Path) -> list[str]:
    """The repository's files as paths relative to `root`, sorted: those of `list_names` that can be read.

    Never what is named like a secret, nor a link that leads out of the repository or to such a file.
    """
    return [name for name in list_names(root) if not is_secret_name(name) and leads_inside(root / name, root)]


def leads_inside(path: Path, root: Path) -> bool:
    """Whether `path` is a regular file that belongs to the repository, by whatever links it is reached."""
    top = Path(os.path.realpath(root))
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(top) or not real.is_file():
        return False
    return path == real or not is_secret_name(real.relative_to(top).as_posix())


def list_python(root: Path) -> list[Path]:
    """The repository's Python files: `.py`, and scripts without an ending."""
    return [root / name for name in list_files(root) if name.endswith(".py") or is_script(root / name)]


def is_script(path: Path) -> bool:
    """Whether the file at `path` has no ending and its first line names Python: `#!/usr/bin/env python3`."""
    if path.suffix:
        return False
    try:
        with path.open("rb") as file:
            return _SHEBANG.match(file.readline(_MOST_SHEBANG_BYTES)) is not None
    except OSError:
        return False


def list_tests(root: Path) -> list[str]:
    """The repository's files of tests and fixtures, as pytest is configured; also texts with examples."""
    return choose_tests(list_files(root), root)


def is_test_file(path: str) -> bool:
    """Whether pytest would look for tests in a file of that name, without settings, or it holds fixtures."""
    return _TEST_FILE.search(path) is not None


def read_words(path: Path) -> frozenset[str]:
    """The words of a file, names among them."""
    return frozenset(re.findall(r"\w+", read_beginning(path)))


def read_beginning(path: Path) -> str:
    """The text of a file, of a very long one its first megabytes: it may be holes alone.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(_MOST_BYTES).decode("utf-8", "replace")


def _walk_folder(root: Path, top: Path) -> list[str]:
    """Files under `top`, relative to `root`, without what is hidden, a cache or an environment."""
    names: list[str] = []
    if top.name in _SKIPPED or (top != root and top.name.startswith(".")):
        return names
    for folder, folders, files in os.walk(top):
        if "pyvenv.cfg" in files and Path(folder) != root:
            folders.clear()
            continue
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        here = Path(folder).relative_to(root)
        files += [name for name in folders if (Path(folder) / name).is_symlink()]
        names += [(here / name).as_posix() for name in files if not name.startswith(".")]
    return names


def _is_generated(name: str) -> bool:
    parts = name.split("/")
    hidden = any(part.startswith(".") or part in _SKIPPED for part in parts)
    return not hidden and name.endswith((".py", ".so", ".pyd"))


def read_targets(words: list[str]) -> list[tuple[Path, str]]:
    """(file, qualified name or empty text) for each FILE, folder or FILE::QUALNAME.

    Raises:
        UserError: there is no such file, it is a link that leads out of the repository, or no word names a
            Python file or a folder that has one.
    """
    found: list[tuple[Path, str]] = []
    for word in words:
        name, _, qualname = word.partition("::")
        if "::" in word and (not name or Path(name).is_dir()):
            raise UserError(f"{word!r}: no file before `::`; give FILE::FUNCTION, or a folder without `::`")
        path = Path(os.path.abspath(name))  # noqa: PTH100 - `..` is taken away, a link is not followed
        if path.is_dir():
            found += [(file, "") for file in _list_beneath(path)]
        elif not path.is_file():
            raise UserError(f"{name}: no such file; give Python files, folders, or FILE::FUNCTION")
        elif path.suffix in (".py", ".pyi") or is_script(path):
            if not leads_inside(path, find_root(path)):
                raise UserError(
                    f"{name}: a link that leads out of the repository; nothing is read or written "
                    "through it, give the file itself"
                )
            found.append((path, qualname))
    if not found:
        raise UserError(
            f"no Python file in {', '.join(words)}, so nothing was looked at; name files that end in .py, "
            "scripts that begin with #! and python, or folders of them (what git ignores does not count)"
        )
    return list(dict.fromkeys(found))


def _list_beneath(folder: Path) -> list[Path]:
    """The Python files of the repository that lie in `folder`, which may be reached through a link in it."""
    root = find_root(folder)
    real = Path(os.path.realpath(folder))
    top = Path(os.path.realpath(root))
    if folder != root and real.is_relative_to(top):
        folder = root / real.relative_to(top)
    return [file for file in list_python(root) if folder in file.parents]
