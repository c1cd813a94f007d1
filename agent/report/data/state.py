"""How far a run has come, read without its lock and cheap enough to be read every second."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sstar_code.agent.report.data.run import list_problems, read_verdicts
from sstar_code.agent.run.folder import read_summary
from sstar_code.agent.run.history.kinds import name_set, read_run
from sstar_code.agent.run.outcomes import ProblemOutcome
from sstar_code.agent.run.store import Store
from sstar_code.problems import InfrastructureError, UserError

RUNNING, FINISHED, RESUMABLE, UNREADABLE = "running", "finished", "can be resumed", "cannot be read"
_LOCKS = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class State:
    """What can be told of a run folder in one line."""

    folder: str
    command: str
    """The command that wrote it; empty where that cannot be read."""
    set: str
    model: str
    """The model, or whose samples these are."""
    changed: str
    """When something was last written there (UTC, ISO 8601)."""
    problems: int
    """Problems asked for."""
    done: int
    """Problems that ended, without errors."""
    errors: int
    rate: str
    """Name of the rate: `selected@1`, or `pass@1` or `debugged@1` where nothing is chosen."""
    value: float | None
    """The rate (0..1) over the problems asked for; None until the run has ended, or without hidden tests."""
    state: str
    """One of `RUNNING`, `FINISHED`, `RESUMABLE` and `UNREADABLE`."""
    why: str = ""
    """The reason why it cannot be read."""

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints of it."""
        return asdict(self)


def read_state(folder: Path) -> State:
    """The state of the run in `folder`; never raises for what is in the folder."""
    try:
        kind, manifest = read_run(folder)
        asked = list_problems(manifest["config"])
        outcomes = read_outcomes(folder, kind)
    except (UserError, InfrastructureError, KeyError, TypeError, ValueError) as error:
        changed = _last_change(folder)
        return State(str(folder), "", "", "", changed, 0, 0, 0, "", None, UNREADABLE, f"{error}")
    summary, config = read_summary(folder), manifest["config"]
    done = sum(one in outcomes for one in asked)
    failed = summary.get("failed", {})
    if kind in ("select", "grade"):  # without a summary it did not get to its end
        done = len(asked) - len(failed) if summary else min(done, len(asked))
    is_over = done == len(asked) and (bool(summary) or kind == "solve")
    rate = f"{config.get('rate', 'pass')}@1" if kind == "grade" else "selected@1"
    value = summary.get(rate) if summary else None
    return State(
        folder=str(folder),
        command=kind,
        set=name_set(manifest),
        model=str(config.get("model") or ", ".join(map(str, manifest.get("sources", [])))),
        changed=_last_change(folder),
        problems=len(asked),
        done=done,
        errors=len(failed) if isinstance(failed, dict) else 0,
        rate=rate,
        value=value if isinstance(value, int | float) else None,
        state=RUNNING if is_held(folder / "run.lock") else FINISHED if is_over else RESUMABLE,
    )


def read_outcomes(folder: Path, kind: str) -> dict[str, ProblemOutcome]:
    """The outcomes of the problems that have ended so far, by id.

    Raises:
        UserError: the store or the verdicts are not ours.
        StoreError: the store cannot be read.
    """
    if kind == "grade":
        return read_verdicts(folder, "")
    if not (folder / "run.db").is_file():
        return {}
    with closing(Store(folder / "run.db", read_only=True)) as store:
        return {one: ProblemOutcome.from_json(text) for one, text in store.outcomes().items()}


def is_held(path: Path) -> bool:
    """Whether a process of this machine holds the lock file `path`.

    The kernel's list is read: to try the lock, if only for a moment, could refuse a run that just starts.
    Its devices are not compared, since a file of an overlay shows another one than its lock does.
    """
    try:
        place = f":{path.stat().st_ino}"
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    return any(" FLOCK " in line and line.split()[5].endswith(place) for line in lines)


def _last_change(folder: Path) -> str:
    names = ("run.db", "run.db-wal", "summary.json", "manifest.json")
    moments = [path.stat().st_mtime for name in names if (path := folder / name).is_file()]
    last = datetime.fromtimestamp(max(moments, default=0.0), UTC)
    return last.isoformat(timespec="seconds")
