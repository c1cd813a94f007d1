"""Progress on stderr: counts by outcome, tokens and the time left; plain lines where there is no terminal."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sstar_code.problems.plain_text import escape_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_PLAIN_EVERY_S = 10.0
_LEAST_BAR, _MOST_BAR = 10, 30
"""Columns of a bar."""
_SELDOM_AFTER_S, _SELDOM_EVERY_S = 60.0, 60.0
"""Without a terminal a line comes every ten seconds of the first minute, then every minute."""


class Progress:
    """A bar with counts while `with` lasts; `advance` it for every finished item."""

    def __init__(
        self, title: str, total: int, *, details: Callable[[], str] = str, quiet: bool = False
    ) -> None:
        """Count to `total`; `details` gives what else to show, like tokens; `quiet` shows nothing."""
        self._title = title
        self._total = total
        self._details = details
        self._quiet = quiet
        self._counts: Counter[str] = Counter()
        self._kept = 0
        self._started_s = time.monotonic()
        self._live: Live | None = None
        self._ended = Event()
        self._teller: Thread | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and not self._quiet:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(stderr=True),
                get_renderable=self._render,
                refresh_per_second=4,
                transient=True,
            )
            self._live.__enter__()
        elif not self._quiet:
            sys.stderr.write(escape_line(f"{self._title} 0/{self._total}") + "\n")
            self._teller = Thread(target=self._keep_telling, name="progress", daemon=True)
            self._teller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
        if self._teller is not None:
            self._teller.join()
        if not self._quiet:
            self._print()

    def _print(self) -> None:
        sys.stderr.write(self._line() + "\n")
        sys.stderr.flush()

    def _keep_telling(self) -> None:
        """Print how far it is, until the end, also while no item is finished."""
        while not self._ended.wait(
            _PLAIN_EVERY_S if time.monotonic() - self._started_s < _SELDOM_AFTER_S else _SELDOM_EVERY_S
        ):
            self._print()

    @property
    def done(self) -> int:
        """Items finished, those of earlier starts included."""
        return self._counts.total()

    def keep(self, outcome: str) -> None:
        """Count an item that an earlier start finished; it does not speed up the estimate."""
        self._kept += 1
        self._counts[outcome] += 1

    def advance(self, outcome: str) -> None:
        """Count an item that has just been finished."""
        self._counts[outcome] += 1

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._live is not None:
            self._live.console.print(escape_line(line), markup=False, highlight=False)
        else:
            sys.stderr.write(escape_line(line) + "\n")

    def _left(self) -> str:
        fresh = self.done - self._kept
        if not fresh or self.done >= self._total:
            return ""
        seconds = (time.monotonic() - self._started_s) / fresh * (self._total - self.done)
        return f"{_clock(seconds)} left"

    def _parts(self) -> list[str]:
        counts = " ".join(f"{name} {count}" for name, count in sorted(self._counts.items()))
        elapsed = _clock(time.monotonic() - self._started_s)
        return [part for part in (counts, self._details(), elapsed, self._left()) if part]

    def _line(self) -> str:
        return escape_line(f"{self._title} {self.done}/{self._total} | " + " | ".join(self._parts()))

    def _render(self, columns: int | None = None) -> RenderableType:
        """A line with a bar; where the terminal is too narrow, a short bar, or the rest on a line below."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        if columns is None:
            columns = 80 if self._live is None else self._live.console.width
        words = (self._title, f"{self.done}/{self._total}", " | ".join(self._parts()))
        title, count, parts = (escape_line(word) for word in words)
        room = columns - len(title) - len(count) - len(parts) - 3
        fits = room >= _LEAST_BAR
        width = min(_MOST_BAR, room) if fits else _LEAST_BAR
        bar = ProgressBar(total=max(1, self._total), completed=self.done, width=width)
        table = Table.grid(padding=(0, 1))
        table.add_row(Text(title), bar, Text(count), *([Text(parts)] if fits else []))
        return table if fits else Group(table, Text(f"  {parts}"))


def _clock(seconds: float) -> str:
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{whole // 60}:{whole % 60:02}"
