"""Attacks that nobody thought of: random system calls with random arguments, from inside a run.

`SSTAR_FUZZ_CALLS` sets how many calls each backend gets (default 2,000), `SSTAR_FUZZ_SEED` where to begin.
"""

from __future__ import annotations

import os
import platform

import pytest

from sstar_code.sandbox import Program, Status

_CALLS = int(os.environ.get("SSTAR_FUZZ_CALLS", "2000"))
_SEED = int(os.environ.get("SSTAR_FUZZ_SEED", "20261121"))
_CALLS_OF_A_RUN = 50
_BATCH = 10

_FUZZER = Program(
    f"""
import ctypes, os, platform, random, sys, threading, time
seed = sys.stdin.read()
draw = random.Random(int(seed))
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.syscall.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 6
buffers = [ctypes.create_string_buffer(draw.randbytes(4096)) for _ in range(4)]
names = (b'/', b'/tmp/left', b'left', b'/proc/1/mem', b'/dev/shm/left')
paths = [ctypes.create_string_buffer(name) for name in names]
def draw_argument():
    kind = draw.randrange(8)
    if kind < 3: return draw.randrange(0, 8)
    if kind == 3: return draw.choice([-1, -100, 1 << 12, 1 << 16, 1 << 31, 1 << 63, (1 << 64) - 1])
    if kind == 4: return draw.choice([os.getpid(), os.getppid(), 1, 0, -os.getpid()]) & ((1 << 64) - 1)
    if kind == 5: return ctypes.addressof(draw.choice(paths))
    if kind == 6: return 1 << draw.randrange(64)
    return ctypes.addressof(draw.choice(buffers))
def leave(): time.sleep(0.2); os._exit(0)  # from what blocks
threading.Thread(target=leave, daemon=True).start()
for _ in range({_CALLS_OF_A_RUN}):
    number = draw.randrange(0, 470)
    if number not in ({60, 231} if platform.machine() == "x86_64" else {93, 94}):
        os.write(2, b'.')
        libc.syscall(number, *(draw_argument() & ((1 << 64) - 1) for _ in range(6)))
os._exit(0)
"""
)


@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="no filter for this machine")
def test_random_calls_do_no_harm(attacked):
    """Thousands of random calls end their own runs at most: workers and the runs between them stay sound."""
    worker = attacked._live()
    made = 0
    runs = range(_SEED, _SEED + max(1, _CALLS // _CALLS_OF_A_RUN))
    for start in range(0, len(runs), _BATCH):
        seeds = [f"{seed}" for seed in runs[start : start + _BATCH]]
        ends = attacked.run(_FUZZER, *seeds, cpu_s=2.0, wall_s=5.0, memory_mb=256, output_kb=1024)
        assert Status.IE not in {end.status for end in ends}, seeds
        made += sum(end.stderr.count(".") for end in ends)
        attacked.check_worker()
        assert attacked._live() == worker
    assert made > _CALLS // 5, "most runs ended before they had done much"
