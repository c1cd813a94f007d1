"""The image's files from Debian packages, for where no registry answers."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sstar_code.sandbox.outcome import SandboxError

SUITE = "bookworm"
_PYTHON = "python3.11"
PACKAGES = (
    "base-files", f"{_PYTHON}-minimal", f"lib{_PYTHON}-minimal", f"lib{_PYTHON}-stdlib", "libc6", "libc-bin",
    "libgcc-s1", "libexpat1", "zlib1g", "libssl3", "libffi8", "libbz2-1.0", "liblzma5", "libsqlite3-0",
    "libuuid1",
)  # fmt: skip
CPP_PACKAGES = ("g++", "binutils", "libc6-dev")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_LIMIT_S = 900.0


def unpack_packages(
    collector: Path,
    target: Path,
    architecture: str,
    libraries: Sequence[str] = (),
    toolchain: Path | None = None,
) -> None:
    """Write the image's root file system to `target` as a tar archive, collected by the script `collector`.

    `libraries` are import names; Debian's package of one is called python3-NAME. With `toolchain`, the script
    that lays down a compiler's commands, the image has C++ as well.

    The packages are only unpacked, never installed: no script of theirs runs. Needs mmdebstrap and a Debian
    mirror; as an ordinary user also subordinate ids (`uidmap`), which mmdebstrap finds itself.

    Raises:
        SandboxError: mmdebstrap is missing, failed, or cannot run programs of the engine's `architecture`.
    """
    program = shutil.which("mmdebstrap")
    if program is None:
        raise SandboxError("mmdebstrap is not installed (`sudo apt-get install mmdebstrap`)")
    machine = platform.machine()
    if _MACHINES.get(machine, machine) != architecture:
        raise SandboxError(f"the engine is {architecture}, this machine is {machine}")
    names = [f"python3-{name.lower().replace('_', '-')}" for name in libraries]
    names += CPP_PACKAGES if toolchain else ()
    arguments = " ".join([*(["--cpp"] if toolchain else []), *libraries])
    command = [
        program, "--format=null", "--variant=extract", f"--include={','.join([*PACKAGES, *names])}",
        f"--extract-hook=upload {collector} /collect.py",
        *([f"--extract-hook=upload {toolchain} /toolchain.py"] if toolchain else []),
        f'--extract-hook=chroot "$1" /usr/bin/{_PYTHON} -I /collect.py /image.tar {arguments}',
        f"--extract-hook=download /image.tar {target}",
        SUITE,
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            command, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SandboxError(f"mmdebstrap did not end within {_LIMIT_S:g} s: does a mirror answer?") from error
    if done.returncode or not target.exists():
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")] or [done.stderr[-200:]]
        raise SandboxError(f"mmdebstrap failed: {' '.join(lines)[:400]}{_advise_on(done.stderr)}")


def _advise_on(errors: str) -> str:
    if "Unable to locate package" in errors:
        return (
            f" (Debian {SUITE} has no such library; `--sandbox local` takes what is installed beside sstar)"
        )
    if "subuid" in errors or "newuidmap" in errors or "unshare" in errors:
        return " (as an ordinary user it needs `uidmap` and your lines in /etc/subuid and /etc/subgid)"
    if "NO_PUBKEY" in errors or "not signed" in errors:
        return " (`sudo apt-get install debian-archive-keyring`)"
    return ""
