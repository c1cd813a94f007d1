"""The seconds that a run took, over all its starts: a run that was killed goes on where it stopped."""

from __future__ import annotations

import math
import time
from pathlib import Path

from sstar_code.agent.run.bounds import read_own_json
from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.folder import read_summary
from sstar_code.problems import ProblemFileError

_FILE = "starts.json"
_EVERY_S = 5.0


class Starts:
    """Counts the seconds of this start of a run and knows those of the starts before it."""

    def __init__(self, folder: Path) -> None:
        """Begin to count. What earlier starts took is read from `folder`."""
        self._path = folder / _FILE
        self._before_s = _read(folder)
        self._began_s = self._noted_s = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of all starts together, this one until now."""
        return sum(self._before_s) + time.monotonic() - self._began_s

    def note(self, *, now: bool = False) -> None:
        """Write down how long this start took so far, every few seconds at most unless `now`.

        A kill loses what came after the last note.

        Raises:
            InfrastructureError: the folder cannot be written.
        """
        moment_s = time.monotonic()
        if not self._path.parent.exists():
            return  # the start failed, and its folder with it
        if now or moment_s - self._noted_s >= _EVERY_S:
            self._noted_s = moment_s
            write_json(self._path, [*self._before_s, round(moment_s - self._began_s, 3)])


def _read(folder: Path) -> list[float]:
    """Seconds of each earlier start; of a run of an older version those that its summary tells."""
    try:
        seconds = [float(value) for value in read_own_json(folder / _FILE)]
        return seconds if math.isfinite(sum(seconds)) else []
    except (ProblemFileError, ValueError, TypeError, OverflowError):
        told = read_summary(folder).get("seconds")
        return [float(told)] if isinstance(told, int | float) else []
