"""Attacks on the kernel's doors: privileges, namespaces, mounts, clocks, networks, rare system calls."""

from __future__ import annotations

import ast
import errno
import platform

import pytest

from sstar_code.sandbox.inside import seccomp

_BARRED = {
    "become root": (
        "ids = (call('setuid', 0), call('setresuid', 0, 0, 0), call('setreuid', 0, 0), call('setgid', 0))\n"
        "tell(0 in ids or 0 in (os.getuid(), os.geteuid()))"
    ),
    "take a group": "tell(through(os.setgroups, [0]) or through(os.setresgid, 0, 0, 0))",
    "take capabilities": (
        "head = ctypes.create_string_buffer(bytes([34, 5, 8, 32]), 8); data = "
        "ctypes.create_string_buffer(b'\\xff' * 24)\n"
        "tell(through(call, 'capset', head, data) or libc.prctl(47, 2, 7, 0, 0) == 0)"
    ),
    "become dumpable": "tell(libc.prctl(4, 1, 0, 0, 0) == 0)",
    "lift the filter": "tell(libc.prctl(22, 0, 0, 0, 0) == 0 or libc.prctl(21, 0, 0, 0, 0) == 0)",
    "a filter of its own": (
        "tell(not barred('seccomp', 1, 8, 0) or not barred('seccomp', 0, 0, 0) or libc.prctl(22, 1, "
        "0, 0, 0) == 0)"
    ),
    "a ruleset of its own": (
        "names = ('landlock_create_ruleset', 'landlock_add_rule', 'landlock_restrict_self')\n"
        "tell(not all(barred(n, 0, 0, 1) for n in names))"
    ),
    "new namespaces": "tell(not all(barred('unshare', 1 << bit) for bit in (17, 7, 25, 26, 27, 28, 29, 30)))",
    "join a namespace": "tell(not barred('setns', 0, 0))",
    "mount": "tell(libc.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0)",
    "remount for writing": "tell(any(libc.mount(b'none', p, None, 32 | 4096, None) == 0 for p in "
    "(b'/', b'/proc')))",
    "unmount": "tell(any(libc.umount2(p, 2) == 0 for p in (b'/', b'/proc', b'/dev/mqueue', b'/usr/lib')))",
    "new mount calls": (
        "names = ('fsopen', 'fsconfig', 'fsmount', 'fspick', 'open_tree', 'move_mount', 'mount_setattr')\n"
        "tell(not all(barred(n, 0, b'/', 0, 0, 0) for n in names))"
    ),
    "change the root": "tell(through(os.chroot, '/') or not barred('pivot_root', b'.', b'.'))",
    "clock": "tell(not all(barred(n, 0, 0) for n in ('settimeofday', 'clock_settime', 'adjtimex', "
    "'clock_adjtime')))",
    "host's name": "tell(not all(barred(n, b'x', 1) for n in ('sethostname', 'setdomainname')))",
    "switch off": "tell(not barred('reboot', 0, 0, 0, 0))",
    "another kernel": "tell(not all(barred(n, 0, 0, 0) for n in ('kexec_load', 'kexec_file_load')))",
    "kernel module": "tell(not all(barred(n, 0, 0, 0) for n in ('init_module', 'finit_module', "
    "'delete_module')))",
    "swap": "tell(not all(barred(n, b'/dev/null', 0) for n in ('swapon', 'swapoff')))",
    "quota": "tell(not all(barred(n, 0, 0, 0, 0) for n in ('quotactl', 'quotactl_fd', 'acct')))",
    "flush a library's disk": (
        "tell(any(through(f, os.open(os.__file__, 0)) for f in (os.fsync, os.fdatasync)))"
    ),
    "read a library's disk": "tell(through(os.open, os.__file__, os.O_DIRECT))",
    "advise the machine's cache": (
        "file = os.open(os.__file__, 0)\n"
        "tell(through(os.posix_fadvise, file, 0, 0, 4) or not barred('readahead', file, 0, 4096))"
    ),
    "ask the machine's cache": (
        "file = os.open(os.__file__, 0)\n"
        "tell(through(os.preadv, file, [bytearray(9)], 0, 8) or not barred('mincore', 0, 1, 0))"
    ),
    "share equal pages": "import mmap\ntell(through(mmap.mmap(-1, 4096).madvise, 12))",
    "memory policies": (
        "tell(not all(barred(n, 0, 0, 0, 0, 0, 0) for n in ('mbind', 'set_mempolicy', 'get_mempolicy', "
        "'set_mempolicy_home_node')))"
    ),
    "probes in the gap of the numbers": (
        "def there(n): return libc.syscall(n, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 38\n"
        "tell(any(map(there, range(337, 424))))"
    ),
    "flush every disk": "tell(not all(barred(n, 0) for n in ('sync', 'syncfs')))",
    "hold up every core": "tell(not barred('membarrier', 1, 0, 0))",
    "bpf": "tell(not barred('bpf', 0, 0, 0))",
    "performance counters": "tell(not barred('perf_event_open', ctypes.create_string_buffer(128), 0, "
    "-1, -1, 0))",
    "io_uring": "tell(not all(barred(n, 8, 0) for n in ('io_uring_setup', 'io_uring_enter', "
    "'io_uring_register')))",
    "keyring": "tell(not all(barred(n, 0, 0, 0, 0, 0) for n in ('add_key', 'request_key', 'keyctl')))",
    "personality": "tell(not barred('personality', 0x0040000))",
    "kernel log": "tell(not barred('syslog', 3, 0, 0))",
    "move memory between nodes": "tell(not all(barred(n, 0, 0, 0, 0) for n in ('migrate_pages', "
    "'move_pages')))",
    "calls of the future": (
        "def unknown(n):\n    return libc.syscall(n, 0, 0, 0, 0, 0, 0) == -1 and ctypes.get_errno() == 38\n"
        "tell(not all(map(unknown, range(449, 1024))))"
    ),
    "network": (
        "import socket\n"
        "tell(any(through(socket.socket, f, k) for f in (*range(1, 46),) for k in (1, 2, 3, 5)))"
    ),
    "the harness's socket": (
        "import socket\n"
        "def reach(name):\n"
        "    with socket.socket(socket.AF_UNIX) as s: s.connect(name)\n"
        "tell(any(through(reach, n) for n in ('/run/docker.sock', '\\0left', '/tmp/left')))"
    ),
    "names of hosts": "import socket; tell(through(socket.getaddrinfo, 'localhost', 80, 0, "
    "socket.SOCK_STREAM) and"
    " through(socket.create_connection, ('127.0.0.1', 80)))",
    "socket pair": (
        "import socket\nkinds = [(f, k) for f in range(1, 46) for k in range(1, 8) if (f, k) != (1, 1)]\n"
        "tell(any(through(socket.socketpair, f, k) for f, k in kinds))"
    ),
    "socket pair that leaves its pair": (
        "import socket\n(one, other) = socket.socketpair()\n"
        "name = '\\0left'\n"
        "tell(any((through(one.bind, name), through(one.connect, name), through(one.listen, 1), "
        "through(one.sendto, b'x', name), through(one.accept))))"
    ),
}


@pytest.mark.parametrize("code", _BARRED.values(), ids=_BARRED)
def test_doors_are_barred(hold, code):
    """Each door is closed, whatever the arguments are worth."""
    hold(code, "barred")


@pytest.mark.skipif(not seccomp.SUPPORTED, reason="no filter for this machine")
def test_only_the_calls_of_the_list_are_made(hold):
    """Every number from 0 to 600 that is not in the list is refused, whatever its arguments are worth.

    But two, which Linux 6.13 lets pass every filter on x86-64 (`test_probes_do_nothing`).
    """
    listed = set(seccomp.find_numbers(seccomp._RUN).values())
    run = hold(
        f"listed = {sorted(listed)}\n"
        "worthless = [ctypes.c_long(-1)] * 6\n"
        "others = [number for number in range(601) if number not in listed + [335, 336]]\n"
        "ends = [(number, libc.syscall(number, *worthless), ctypes.get_errno()) for number in others]\n"
        "print(ends); tell(any(answer != -1 or error not in (1, 38) for _, answer, error in ends))",
        "barred",
    )
    ends = ast.literal_eval(run.stdout.splitlines()[0])
    unknown = [number for number, _, error in ends if error == errno.ENOSYS]
    assert set(range(449, 601)) <= set(unknown)
    assert len(ends) > 350


@pytest.mark.skipif(platform.machine() != "x86_64", reason="another machine has other numbers")
@pytest.mark.parametrize(
    "number",
    [pytest.param(335, id="uretprobe that nobody set"), pytest.param(336, id="uprobe that nobody set")],
)
def test_probes_do_nothing(attacked, number):
    """The calls of the kernel's own trampolines, which pass every filter, fail or end the run."""
    run = attacked.attack(
        f"print(libc.syscall({number}, 0), ctypes.get_errno() in (errno.ENOSYS, errno.ENXIO))"
    )
    ended = run.failure is not None and run.failure.type == "SIGILL"
    assert ended or run.stdout == "-1 True\n", run


@pytest.mark.skipif(platform.machine() != "x86_64", reason="another machine has other entries")
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("libc.syscall(0x40000000 + 41, 2, 1, 0); tell(True)", id="x32 calls"),
        pytest.param(
            "import mmap\n"
            "# mov eax, 20 (getpid of 32 bits); int 0x80; ret\n"
            "page = mmap.mmap(-1, 4096, prot=7); page.write(bytes.fromhex('b814000000cd80c3'))\n"
            "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))(); "
            "tell(True)",
            id="32-bit calls",
        ),
    ],
)
def test_foreign_entries_end_the_run(hold, code):
    """The kernel's other entries are not a way around the filter: whoever takes one is killed."""
    hold(code, "dead")
