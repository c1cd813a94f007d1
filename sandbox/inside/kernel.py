"""The few system calls that the standard library has no name for."""

from __future__ import annotations

import ctypes
import os

__all__ = [
    "CHILD_SUBREAPER",
    "DUMPABLE",
    "NO_NEW_PRIVILEGES",
    "PARENT_DEATH_SIGNAL",
    "call",
    "close_from",
    "control",
    "install_filter",
]

PARENT_DEATH_SIGNAL = 1
DUMPABLE = 4
_SECCOMP = 22
CHILD_SUBREAPER = 36
NO_NEW_PRIVILEGES = 38

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_libc.syscall.restype = ctypes.c_long
_CLOSE_RANGE = 436  # the same number on every architecture


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def control(option: int, value: int = 1) -> None:
    """`prctl(option, value)`.

    Raises:
        OSError: the kernel refuses.
    """
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def install_filter(code: bytes) -> None:
    """Put a seccomp filter (`seccomp.build_*`) on this thread for good.

    Raises:
        OSError: the kernel refuses.
    """
    program = _Program(len(code) // 8, code)
    if _libc.prctl(_SECCOMP, 2, ctypes.addressof(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp filter: {os.strerror(ctypes.get_errno())}")


def close_from(first: int) -> None:
    """Close every descriptor from `first` on."""
    if _libc.syscall(_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(0xFFFFFFFF), 0) != 0:
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def call(name: str, *arguments: object) -> int:
    """A function of the C library by `name`; strings are passed as bytes, None as a null pointer.

    Raises:
        OSError: it returned -1.
    """
    plain = [item.encode() if isinstance(item, str) else item for item in arguments]
    answer: int = getattr(_libc, name)(*plain)
    if answer == -1:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return answer
