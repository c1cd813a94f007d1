"""Fuzzes the targets one after another with atheris: `python -m tests.fuzz.run [SECONDS] [TARGET ...]`.

Each target is a process of its own, begins with the kept corpus and writes what it learns to build/fuzz. An
input that breaks a promise is left there too, as crash-*, timeout-* or oom-*; the exit code is 1. The seconds
are those of all targets together.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_CORPUS = Path(__file__).parent / "corpus"
_FOUND = Path("build/fuzz")


def _fuzz(name: str, seconds: int) -> bool:
    """Whether nothing was found in `seconds` of fuzzing the target."""
    learnt = _FOUND / name
    learnt.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=65536"]
    command = [sys.executable, "-m", "tests.fuzz.run", "--one", name, *options, f"-artifact_prefix={learnt}/"]
    return subprocess.run([*command, str(learnt), str(_CORPUS / name)], check=False).returncode == 0


def _fuzz_here(name: str, arguments: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["sstar_code"]):
        from tests.fuzz.targets import run

    atheris.Setup([sys.argv[0], *arguments], lambda data: run(name, data))
    atheris.Fuzz()


def _main(arguments: list[str]) -> int:
    if arguments[:1] == ["--one"]:
        _fuzz_here(arguments[1], arguments[2:])
        return 0
    from tests.fuzz.targets import TARGETS

    seconds = int(arguments[0]) if arguments else 600
    names = arguments[1:] or list(TARGETS)
    failed = [name for name in names if not _fuzz(name, max(1, seconds // len(names)))]
    sys.stdout.write(f"fuzzed: {', '.join(names)}; at fault: {', '.join(failed) or 'none'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
