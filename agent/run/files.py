"""Files that a reader sees whole: the old one or the new one, never half of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sstar_code.problems import InfrastructureError
from sstar_code.problems.files import open_replacement


@contextmanager
def replace_file(path: Path) -> Iterator[Callable[[str], None]]:
    """A function that writes text; what it wrote takes the place of `path`, flushed to disk, at a good end.

    When what is done inside raises, `path` stays as it was.

    Raises:
        InfrastructureError: it cannot be written; other errors from inside are passed on as they are.
    """
    with ExitStack() as stack:
        with _told(path):
            file = stack.enter_context(open_replacement(path))

        def write(text: str) -> None:
            with _told(path):
                file.write(text.encode("utf-8"))

        yield write
        with _told(path):
            stack.close()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InfrastructureError(
            f"{path}: cannot write ({error.strerror}); free some space and run the same command again"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write `text` by `replace_file`."""
    with replace_file(path) as write:
        write(text)


def write_json(path: Path, data: Any) -> None:
    """Write `data` as JSON by `replace_file`."""
    write_text(path, json.dumps(data, indent=2, default=str) + "\n")


def write_lines(path: Path, rows: Sequence[Any]) -> None:
    """Write `rows` as JSON Lines by `replace_file`."""
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
