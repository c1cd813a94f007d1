"""JSON Lines written row by row: a large set's verdicts need no memory while they are made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

from sstar_code.problems import InfrastructureError
from sstar_code.problems.files import open_replacement

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
        self._replacement = open_replacement(path)
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        try:
            self._stream = self._replacement.__enter__()
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
            self._stream.write(json.dumps(row).encode("ascii") + b"\n")
        except OSError as error:
            raise self._failed(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._replacement.__exit__(kind, error, trace)
        except OSError as failure:
            raise self._failed(failure) from failure

    def _failed(self, error: OSError) -> InfrastructureError:
        return InfrastructureError(
            f"{self._path}: cannot write ({error.strerror}); free some space and run the same command again"
        )
