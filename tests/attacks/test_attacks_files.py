"""Attacks through files: what may be read, and whether anything can be left for another run to find."""

from __future__ import annotations

import pytest

_BARRED = {
    "write anywhere": (
        "places = ['/', '/dev/shm', '/var/tmp', '/run', '/empty', '/dev/mqueue', "
        "'/dev', '/usr/lib',\n"
        "    '/proc', '/sys', os.path.dirname(os.__file__)]\n"
        "tell(any(through(open, p + '/left', 'w') for p in places))"
    ),
    "write a file without a name": (
        "tell(any(through(os.open, p, os.O_TMPFILE | os.O_RDWR) for p in ('/', '/dev/shm', '/run')))"
    ),
    "fill a folder with names": "tell(any(through(os.mkdir, f'{p}/left') for p in ('/empty', '/dev/shm')))",
    "symbolic link": "tell(any(through(os.symlink, '/', p + '/left') for p in ('/', '/empty', '/dev/shm')))",
    "hard link": "tell(any(through(os.link, os.__file__, p + '/left') for p in ('/', '/usr/lib')))",
    "named pipe": "tell(any(through(os.mkfifo, p + '/left') for p in ('/', '/empty', '/dev/shm')))",
    "device": "tell(any(through(os.mknod, p + '/left', 0o60666, os.makedev(7, 0)) for p in ('.', '/tmp')))",
    "message queue": (
        "tell(not barred('mq_open', b'left', 0o102, 0o666, 0) or through(open, '/dev/mqueue/left', 'w'))"
    ),
    "system V memory": "tell(not barred('shmget', 4711, 4096, 0o1777))",
    "system V queue": "tell(not barred('msgget', 4711, 0o1777))",
    "semaphore": "tell(not barred('semget', 4711, 1, 0o1777))",
    "module in front of the library's": (
        "import sysconfig\n"
        "tell(any(through(open, os.path.join(p, 'heapq.py'), 'w') for p in [*sys.path, '/'] if p))"
    ),
    "compiled module": "tell(through(open, os.path.dirname(os.__file__) + '/__pycache__/left.pyc', 'wb'))",
    "change a shared file": "tell(through(open, os.__file__, 'r+b') or through(os.truncate, os.__file__, 0))",
    "set-user-id": "tell(any(through(os.chmod, p, 0o6755) for p in (sys.executable, 1, '/proc/self/exe')))",
    "owner": "tell(any(through(os.chown, p, os.getuid(), -1) for p in (sys.executable, 1, '/')))",
    "mode of a stream": "tell(any(through(os.fchmod, f, 0o1234) for f in range(4)))",
    "times of a shared file": "tell(any(through(os.utime, p) for p in (os.__file__, '/', '/dev/null')))",
    "times of a stream": "tell(any(through(lambda: os.utime(f, ns=(5, 6))) for f in range(4)))",
    "attribute of a stream": (
        "tell(any(through(os.setxattr, f, 'user.left', b'secret') for f in (0, 1, 2, 3)))"
    ),
    "attribute of a shared file": "tell(through(os.setxattr, os.__file__, 'user.left', b'secret'))",
    "flags of a stream": (
        "import fcntl\n"
        "tell(any(through(fcntl.fcntl, f, fcntl.F_SETFL, v) for f in range(4) for v in (0o2000, "
        "0o4000, 0o40000)))"
    ),
    "a stream that does not block": (
        "for f in range(4): os.set_blocking(f, False)\ntell(not barred('fcntl', 1, 4, 0o4000))"
    ),
    "flags of a stream's file": (
        "import fcntl\nvalue = ctypes.create_string_buffer(bytes([64, 0, 0, 0]), 8)\n"
        "tell(any(through(libc.ioctl, f, 0x40086602, value) for f in range(4)))"
    ),
    "hint of a stream": (
        "hint = ctypes.c_uint64(3); tell(any(through(libc.fcntl, 1, c, ctypes.byref(hint)) for c in "
        "(1036, 1038)))"
    ),
    "seals of a stream": "import fcntl; tell(any(through(fcntl.fcntl, f, 1033, 0xF) for f in range(4)))",
    "lock of a shared file": "import fcntl; tell(through(fcntl.flock, os.open(os.__file__, 0), "
    "fcntl.LOCK_EX))",
    "range lock of a shared file": (
        "import fcntl; tell(through(fcntl.lockf, os.open(os.__file__, 0), fcntl.LOCK_SH | fcntl.LOCK_NB))"
    ),
    "lease of a shared file": (
        "import fcntl; tell(through(fcntl.fcntl, os.open(os.__file__, 0), fcntl.F_SETLEASE, fcntl.F_RDLCK))"
    ),
    "watch who reads a folder": (
        "import fcntl\n"
        "tell(through(fcntl.fcntl, os.open(os.path.dirname(os.__file__), 0), fcntl.F_NOTIFY, 1))"
    ),
    "watch the memory of files": (
        "tell(not barred('mincore', 0, 0, 0)); tell(libc.syscall(451, 0, 0, 0, 0) == 0 or "
        "ctypes.get_errno() != 38)"
    ),
    "open by handle": "tell(not barred('open_by_handle_at', 3, 0, 0))",
    "host's secrets": (
        "names = ['/etc/shadow', '/etc/passwd', '/etc/hostname', '/root', '/home', '/var/log', "
        "'/var/run/docker.sock',\n"
        "    '/run/docker.sock', '/root/.ssh/id_rsa', os.path.expanduser('~root/.bashrc')]\n"
        "def look(name):\n"
        "    if not os.path.isdir(name): return bool(open(name, 'rb').read())\n"
        "    return [n for n in os.listdir(name) if not sys.prefix.startswith(f'{name}/{n}')]\n"
        "def found(name):\n"
        "    try: return look(name)\n"
        "    except OSError: return False\n"
        "harmless = {'/etc/passwd', '/etc/hostname', '/var/log'} if os.path.exists('/.dockerenv') "
        "else set()\n"
        "tell([n for n in names if n not in harmless and found(n)])"
    ),
    "environment of others": "tell(any(through(lambda: open(f'/proc/{p}/environ').read()) for p in others))",
    "environment tells nothing": "tell(set(os.environ) - {'PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', "
    "'PYTHONHASHSEED',"
    " 'MALLOC_ARENA_MAX', 'OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS', "
    "'HOSTNAME', 'PWD', 'LC_CTYPE'})",
    "memory of others": "tell(any(through(open, f'/proc/{p}/mem', m) for p in others for m in ('rb', "
    "'r+b')))",
    "descriptors of others": "tell(any(through(os.listdir, f'/proc/{p}/fd') for p in others))",
    "links of others": (
        "tell(any(through(os.readlink, f'/proc/{p}/{n}') for p in others for n in ('exe', 'cwd', "
        "'root', 'ns/pid')))"
    ),
    "mappings of others": (
        "names = ('maps', 'smaps', 'pagemap', 'auxv', 'stack', 'syscall', 'io', 'personality', "
        "'clear_refs')\n"
        "tell(any(through(lambda: open(f'/proc/{p}/{n}').read()) for p in others for n in names))"
    ),
    "settings of others": (
        "names = ('oom_score_adj', 'timerslack_ns', 'comm', 'autogroup', 'coredump_filter', "
        "'uid_map', 'attr/current')\n"
        "tell(any(through(lambda: open(f'/proc/{p}/{n}', 'wb', 0).write(b'1')) for p in others for n "
        "in names))"
    ),
    "kernel's settings": (
        "names = ('/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/proc/sys/vm/drop_caches',\n"
        "    '/proc/sys/kernel/hostname', '/sys/kernel/mm/ksm/run', '/sys/power/state', "
        "'/sys/fs/cgroup/left',\n"
        "    '/sys/fs/cgroup/memory/memory.limit_in_bytes', '/proc/self/autogroup', "
        "'/proc/self/clear_refs')\n"
        "tell(any(through(lambda: open(n, 'wb', 0).write(b'1')) for n in names))"
    ),
    "kernel's memory": (
        "names = ('/dev/mem', '/dev/kmem', '/proc/kcore', '/dev/kmsg', '/proc/kmsg', '/dev/kvm', "
        "'/dev/fuse',\n"
        "    '/dev/sda', '/dev/vda', '/dev/loop0', '/dev/userfaultfd', '/dev/net/tun')\n"
        "def read(name):\n    with open(name, 'rb', 0) as file: return len(file.read(16))\n"
        "def found(name):\n    try: return read(name)\n    except OSError: return 0\n"
        "tell(any(map(found, names)))"
    ),
    "memory of a past life": ("tell(any(len(set(os.pread(f, 1 << 20, 0))) > 1 for f in (1, 2, 3)))"),
}


@pytest.mark.parametrize("code", _BARRED.values(), ids=_BARRED)
def test_files_neither_tell_nor_keep(hold, code):
    """Each try to read what is not the run's, or to leave a mark, is refused."""
    hold(code, "barred")


_LEFT = {
    "a file": "open('/tmp/left', 'w').write('secret'); os.symlink('/', 'link'); os.mkfifo('pipe')",
    "folders in folders": (
        "for _ in range(500):\n os.mkdir('x' * 200); os.chdir('x' * 200)\nopen('left', 'w').close()"
    ),
    "folders that cannot be listed": (
        "os.umask(0)\nos.mkdir('left', 0o300); os.mkdir('left/in', 0o700)\n"
        "os.umask(0o777); os.mkdir('left/no')"
    ),
    "all names": "for n in range(5000): os.symlink('x', f'left{n}')",
    "all bytes": "file = open('left', 'wb', 0)\nfor _ in range(5000): file.write(bytes(1 << 20))",
    "a file without a name": "os.write(os.open('.', os.O_TMPFILE | os.O_RDWR), b'secret')",
    "a name that is no text": "open(b'left\\xff\\n', 'w').close()",
    "a mapped file": (
        "import mmap\nwith open('left', 'w+b') as file:\n file.truncate(1 << 20)\n"
        " m = mmap.mmap(file.fileno(), 0)\nm.write(b'secret')"
    ),
}


@pytest.mark.parametrize("code", _LEFT.values(), ids=_LEFT)
def test_a_runs_own_folder_is_empty_for_the_next(attacked, code):
    """Files may be written there, and no run finds another's, nor when it was written."""
    look = "\nprint(sorted(os.listdir('.')), os.stat('.').st_mtime_ns, os.statvfs('.').f_bfree)"
    clean, *_, after = attacked.run(
        _RUN, look, f"try:\n {code.replace(chr(10), chr(10) + ' ')}\nfinally: pass", look
    )
    assert clean.stdout.startswith("[] ")
    assert after.stdout == clean.stdout
    (alone,) = attacked.run(_RUN, look)
    assert alone.stdout == clean.stdout


def test_a_runs_own_folder_does_not_tell_when_another_wrote(attacked):
    """When its folder was last changed is every run's own time, or that of none."""
    look = (
        "import time\nprint(os.stat('.').st_ctime_ns)\nclock = time.CLOCK_REALTIME + 5\n"
        "now = time.clock_gettime(clock)\nwhile time.clock_gettime(clock) == now: pass"  # the kernel's tick
    )
    write = "try: open('left', 'w').close()\nexcept OSError: pass\n"
    seen = [run.stdout for run in attacked.run(_RUN, look, write + look, look, look)]
    del seen[1]
    assert all(seen)
    assert len(set(seen)) in (1, len(seen))


_RUN = "import os, sys\nexec(compile(sys.stdin.read(), 'attack', 'exec'))"


def test_what_a_run_writes_is_gone(attacked):
    """Whatever a run leaves on its streams, the next finds nothing of it."""
    leave = (
        "import mmap, os\n"
        "for f in (0, 1, 2, 3):\n"
        "    os.ftruncate(f, 1 << 19); os.pwrite(f, b'secret' * 999, 4096)\n"
        "    os.posix_fallocate(f, 0, 1 << 19); os.lseek(f, 99, 0)\n"
        "    mmap.mmap(f, 1 << 16).write(b'secret' * 99)"
    )
    look = (
        "import os\nfiles = (1, 2, 3)\n"
        "print([os.pread(f, 1 << 21, 0) for f in files], [os.fstat(f).st_blocks for f in files])"
    )
    attacked.run(leave, "x" * 99)
    for _ in range(2):
        (run,) = attacked.run(look)
        assert run.stdout == "[b'', b'', b''] [0, 0, 0]\n"
