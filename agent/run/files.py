"""JSON Lines written row by row: a large set's verdicts need no memory while they are made."""

from __future__ import annotations

import json
import os
from typing import IO, TYPE_CHECKING, Any

from sstar_code.problems import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["LineWriter"]


class LineWriter:
    """A file that is there, whole, when `with` ends well; otherwise what was there before stays."""

    def __init__(self, path: Path) -> None:
        """Write to a file beside `path` that takes its place at the end."""
        self._path = path
        self._scratch = path.with_name(path.name + ".part")
        self._stream: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._stream = self._scratch.open("w", encoding="utf-8")
        except OSError as error:
            raise self._failed(error) from error
        return self

    def write(self, row: Mapping[str, Any]) -> None:
        """One line.

        Raises:
            InfrastructureError: it cannot be written.
        """
        assert self._stream is not None
        try:
            self._stream.write(json.dumps(row) + "\n")
        except OSError as error:
            raise self._failed(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._stream is not None
        try:
            with self._stream as stream:
                if kind is None:
                    stream.flush()
                    os.fsync(stream.fileno())
            if kind is None:
                os.replace(self._scratch, self._path)  # noqa: PTH105 - the atomic rename is the point
        except OSError as failure:
            if kind is None:
                raise self._failed(failure) from failure

    def _failed(self, error: OSError) -> InfrastructureError:
        return InfrastructureError(
            f"{self._path}: cannot write ({error.strerror}); free some space and run the same command again"
        )
