"""The few system calls that the standard library has no name for."""

from __future__ import annotations

import ctypes
import os
import sys

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
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def control(option: int, value: int = 1) -> None:
    """`prctl(option, value)`.

    Raises:
        OSError: the kernel refuses.
    """
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


class Filter:
    """A seccomp filter (`seccomp.build_*`) laid out once, so that installing it takes one call.

    Args:
        code: the filter; every operand that is `hole` is replaced by the number that `install` is given.
    """

    def __init__(self, code: bytes, hole: int | None = None) -> None:
        wanted = hole.to_bytes(4, sys.byteorder) if hole is not None else None
        self._code = bytearray(code)
        self._holes = [at for at in range(4, len(code), 8) if code[at : at + 4] == wanted]
        self._pointed_at = (ctypes.c_char * len(code)).from_buffer(self._code)
        self._program = _Program(len(code) // 8, ctypes.addressof(self._pointed_at))
        self._address = ctypes.addressof(self._program)

    def install(self, number: int = 0) -> None:
        """Put the filter on this thread for good.

        Raises:
            OSError: the kernel refuses.
        """
        operand = number.to_bytes(4, sys.byteorder)
        for at in self._holes:
            self._code[at : at + 4] = operand
        if _libc.prctl(_SECCOMP, 2, self._address, 0, 0) != 0:
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
