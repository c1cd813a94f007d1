"""Attacks in C++: by programs, and by sources on the compiler. A canary in Python follows in the same worker.

All attacks at run time are one program, compiled once, which reads the name of the one to make.
"""

# ruff: noqa: E501 - C++ in tables, one attack a line

from __future__ import annotations

import os

import pytest

from sstar_code.sandbox import Program, Status
from sstar_code.sandbox.docker.probe import probe_engine
from sstar_code.sandbox.docker.sandbox import DockerSandbox
from sstar_code.sandbox.local.pipe_worker import list_ways
from sstar_code.sandbox.local.sandbox import LocalSandbox
from tests.attacks.conftest import _CANARY, _RUNNER, _enter
from tests.support import skip_unless_required

_HEAD = r"""
#include <bits/stdc++.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
using namespace std;
volatile int zero = 0;
bool some(function<bool(int)> f) {
    for (int p = 1; p < 300; p++) if (p != getpid() && f(p)) return true;
    return false;
}
bool opens(const char* path, int flags = O_RDONLY) { int f = open(path, flags); if (f >= 0) close(f); return f >= 0; }
bool reads(const string& path) { ifstream f(path); string s; return bool(getline(f, s)); }
int deep(int n) { volatile char c[4096]; c[0] = n; return deep(n + 1) + c[0]; }
"""

ATTACKS = {
    "fork": ("barred", "through(fork() >= 0);"),
    "vfork": ("barred", "through(syscall(SYS_vfork) >= 0);"),
    "clone": ("barred", "through(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0);"),
    "clone3": ("barred", "char a[88] = {}; through(syscall(SYS_clone3, a, sizeof a) >= 0);"),
    "execute a tool": ("barred", 'char* a[] = {(char*)"as", 0}; execve("/usr/bin/as", a, a + 1); through(false);'),
    "execute the loader": ("barred", 'char* a[] = {(char*)"ld", 0}; execve("/lib64/ld-linux-x86-64.so.2", a, a + 1); through(false);'),
    "execute by descriptor": (
        "barred",
        ('int f = open("/usr/bin/as", O_RDONLY); dup2(f, 5); char* a[] = {(char*)"as", 0};'
        ' syscall(SYS_execveat, 5, "", a, a + 1, 0x1000); through(false);'),
    ),
    "execute at the open place": (
        "barred",
        ('int f = open("/usr/bin/as", O_RDONLY); char* a[] = {(char*)"as", (char*)"--version", 0};'
        ' if (f < 0) { through(false); return 0; } dup2(f, 4); syscall(SYS_execveat, 4, "", a, a + 2, 0x1000); through(false);'),
    ),
    "execute a made file": ("barred", 'through(syscall(SYS_memfd_create, "x", 0) >= 0);'),
    "shell": ("barred", 'through(system("echo through") == 0);'),
    "popen": ("barred", 'through(popen("ls", "r") != nullptr);'),
    "kill others": ("barred", "through(some([](int p) { return kill(p, 0) == 0; }) || kill(-1, 9) == 0);"),
    "kill the parent": ("barred", "through(kill(getppid(), SIGKILL) == 0);"),
    "trace": ("barred", "through(some([](int p) { return ptrace(PTRACE_ATTACH, p, 0, 0) == 0; }));"),
    "read memory": (
        "barred",
        ("char b[8]; iovec l{b, 8}, r{(void*)0x400000, 8};"
        " through(some([&](int p) { return process_vm_readv(p, &l, 1, &r, 1, 0) > 0; }));"),
    ),
    "memory of others": ("barred", 'through(some([](int p) { return opens(("/proc/" + to_string(p) + "/mem").c_str(), O_RDWR); }));'),
    "environment of others": ("barred", 'through(some([](int p) { return reads("/proc/" + to_string(p) + "/environ"); }) && getenv("SECRET"));'),
    "limits of others": ("barred", "rlimit l{1, 1}; through(some([&](int p) { return prlimit(p, RLIMIT_CPU, &l, 0) == 0; }));"),
    "raise a limit": ("barred", "rlimit l{RLIM_INFINITY, RLIM_INFINITY}; through(setrlimit(RLIMIT_CPU, &l) == 0);"),
    "socket": ("barred", "through(socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0);"),
    "namespaces": ("barred", "through(unshare(CLONE_NEWUSER) == 0);"),
    "mount": ("barred", 'through(mount("x", "/tmp", "tmpfs", 0, 0) == 0);'),
    "become root": ("barred", "through(setuid(0) == 0 && getuid() == 0);"),
    "bpf": ("barred", "char a[64] = {}; through(syscall(SYS_bpf, 0, a, 64) >= 0);"),
    "io_uring": ("barred", "char a[128] = {}; through(syscall(425, 8, a) >= 0);"),
    "userfaultfd": ("barred", "through(syscall(SYS_userfaultfd, 0) >= 0);"),
    "shared memory": ("barred", "through(shmget(77, 4096, IPC_CREAT | 0666) >= 0);"),
    "message queue": ("barred", 'through(syscall(SYS_mq_open, "left", O_CREAT | O_RDWR, 0600, 0) >= 0);'),
    "passwords": ("barred", 'through(reads("/etc/shadow") || reads("/etc/passwd"));'),
    "write to the root": ("barred", 'through(opens("/left", O_CREAT | O_RDWR) || opens("/usr/left", O_CREAT | O_RDWR) || opens("/languages/cpp/left", O_CREAT | O_RDWR));'),
    "change the headers": ("barred", 'through(opens("/languages/cpp/tools.json", O_RDWR) || opens("/usr/include/stdio.h", O_RDWR));'),
    "change the program": ("barred", 'through(opens("/proc/self/exe", O_RDWR));'),
    "seal a stream": ("barred", "through(fcntl(1, 1033, 8) == 0);"),
    "descriptors": ("barred", "bool b = false; for (int f = 3; f < 256; f++) b |= fcntl(f, F_GETFD) >= 0; through(b);"),
    "leave a file": ("barred", 'ofstream("left") << "left"; ofstream("/tmp/left") << 1; symlink("/", "left2"); through(false);'),
    "fill the folder": ("barred", 'string s(1 << 20, 120); for (int i = 0; i < 80; i++) ofstream("f" + to_string(i)) << s; through(false);'),
    "many files": ("barred", 'for (int i = 0; i < 3000; i++) ofstream("f" + to_string(i)) << 1; through(false);'),
    "a handler for everything": ("TLE", "for (int i = 1; i < 65; i++) signal(i, SIG_IGN); for (;;) {}"),
    "stop": ("TLE", "raise(SIGSTOP); for (;;) pause();"),
    "busy threads": ("TLE", "for (int i = 0; i < 4; i++) thread([] { for (;;) zero = 0; }).detach(); for (;;) zero = 0;"),
    "closed streams": ("TLE", "for (int f = 0; f < 64; f++) close(f); for (;;) zero = 0;"),
    "threads without end": ("dead", "for (;;) thread([] { pause(); }).detach();"),
    "heap": ("dead", "for (;;) memset(malloc(1 << 20), 1, 1 << 20);"),
    "mapping": ("dead", "for (;;) memset(mmap(0, 1 << 24, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 1 << 24);"),
    "stack": ("dead", "deep(zero);"),
    "output": ("dead", "signal(SIGXFSZ, SIG_IGN); for (;;) write(1, string(65536, 120).data(), 65536);"),
    "errors": ("dead", "for (;;) cerr << string(65536, 120);"),
    "jump": ("dead", "((void (*)())8)();"),
    "report": ("barred", r'dprintf(3, "{\"token\": \"\", \"failure\": null}"); through(false);'),
}  # fmt: skip
"""Name -> the end that is allowed, and what is done; `through(true)` is what nothing excuses."""

_ENDS = {"barred": {Status.OK}, "TLE": {Status.TLE}, "dead": {Status.RE, Status.TLE, Status.MLE, Status.OLE}}
_LIMITS = {"cpu_s": 1.0, "wall_s": 1.5, "memory_mb": 128, "output_kb": 1024}


def _make_program():
    cases = "".join(f'    if (name == "{name}") {{ {body} }}\n' for name, (_, body) in ATTACKS.items())
    source = f'{_HEAD}\nvoid through(bool b) {{ puts(b ? "through" : "barred"); }}\n'
    return Program(
        f"{source}int main() {{\n    string name; getline(cin, name);\n{cases}}}\n", language="cpp"
    )


@pytest.fixture(scope="session")
def cpp_root(portal, cpp_tools):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with _enter(portal, LocalSandbox(1, ways=list_ways(tools=cpp_tools))) as held:
        yield held


@pytest.fixture(scope="session")
def cpp_ordinary(portal, cpp_tools):
    """By user namespaces: as root here, whose way is the same but for the uid outside."""
    ways = [way for way in list_ways(ordinary=True, tools=cpp_tools) if way.name == "user namespaces"]
    with _enter(portal, LocalSandbox(1, ways=ways)) as held:
        yield held


@pytest.fixture(scope="session")
def cpp_docker(portal):
    reason = probe_engine(10, cpp=True).reason
    if reason is not None:
        skip_unless_required("DOCKER", reason)
    with _enter(portal, DockerSandbox(1, languages=["cpp17"]), "DOCKER") as held:
        yield held


@pytest.fixture(
    params=[
        pytest.param("root", marks=pytest.mark.root),
        pytest.param("ordinary", marks=pytest.mark.slow),
        pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.slow]),
    ]
)
def attacked_cpp(request):
    return request.getfixturevalue(f"cpp_{request.param}")


def _inspect(held):
    (canary,) = held.run(_RUNNER, _CANARY, cpu_s=10)
    held._inspect(canary)


@pytest.mark.parametrize("name", ATTACKS)
def test_program_is_held(attacked_cpp, name):
    """A hostile program ends as its kind does, reaches nothing, and leaves nothing for the next run."""
    (run,) = attacked_cpp.run(_make_program(), f"{name}\n", **_LIMITS)
    (end, _) = ATTACKS[name]
    assert run.status in _ENDS[end], run
    assert "through" not in run.stdout, run
    assert end != "barred" or "barred" in run.stdout, run
    _inspect(attacked_cpp)


_DEEP = "template <int N> struct A { static const int v = A<N - 1>::v + A<N - 2>::v + A<N * 2>::v; };\n"
SOURCES = {
    "passwords": '#include "/etc/shadow"\nint main() {}',
    "users": '#include "/etc/passwd"\nint main() {}',
    "standard input": '#include "/dev/stdin"\nint main() {}',
    "its own descriptor": '#include "/proc/self/fd/0"\nint main() {}',
    "environment": "#include </proc/self/environ>\nint main() {}",
    "environment of the first": "#include </proc/1/environ>\nint main() {}",
    "memory": '#include "/proc/self/mem"\nint main() {}',
    "noise": '#include "/dev/urandom"\nint main() {}',
    "zeros": '#include "/dev/zero"\nint main() {}',
    "a folder": '#include "/"\nint main() {}',
    "itself": "#include __FILE__\nint main() {}",
    "incbin": 'asm(".incbin \\"/etc/passwd\\"");\nint main() {}',
    "incbin of zeros": 'asm(".incbin \\"/dev/zero\\"");\nint main() {}',
    "incbin of the source": 'asm(".incbin \\"/proc/1/environ\\"");\nint main() {}',
    "include of the assembler": 'asm(".include \\"/etc/passwd\\"");\nint main() {}',
    "assembler without end": 'asm(".rept 2000000000\\n.quad 1\\n.endr");\nint main() {}',
    "assembler's space": 'asm(".space 4000000000");\nint main() {}',
    "plugin": '#pragma GCC plugin "/tmp/x.so"\n#pragma GCC optimize("-fplugin=/tmp/x.so")\nint main() { return 0; }',
    "specs": '#pragma GCC optimize("-specs=/etc/passwd", "-o/tmp/left", "-wrapper,sh")\nint main() {}',
    "dump": '#pragma GCC optimize("-fdump-tree-all", "-save-temps")\nint main() {}',
    "embed": '#if __has_include("/etc/passwd")\n#error through\n#endif\nint main() {}',
    "templates": _DEEP + "int main() { return A<900>::v; }",
    "endless templates": "template <class T> struct A { A<A<T>> a; };\nint main() { A<int> a; }",
    "wide templates": "template <int N, int M> struct A { static const long v = A<N - 1, M * 2>::v + A<N - 1, M * 2 + 1>::v; };\n"
    "template <int M> struct A<0, M> { static const long v = M; };\nint main() { return A<40, 1>::v; }",
    "constexpr without end": "constexpr long f(long n) { while (true) n++; return n; }\nconstexpr long x = f(1);\nint main() {}",
    "macros": "".join(f"#define a{n} a{n - 1} a{n - 1} a{n - 1} a{n - 1}\n" for n in range(1, 40)) + "int main() { return a39; }",
    "macro calls": "#define E(x) E2(x) E2(x)\n#define E2(x) x x\nint main() { " + "E(" * 40 + "1;" + ")" * 40 + " }",
    "brackets": "int main() { return " + "(" * 100_000 + "1" + ")" * 100_000 + "; }",
    "errors": "int main() {\n" + "".join(f"  undeclared_{n};\n" for n in range(20_000)) + "}",
    "a long error": "#error " + "x" * 300_000 + "\nint main() {}",
    "messages": "".join(f'#pragma message "{"x" * 1000}"\n' for _ in range(2000)) + "int main() { return x; }",
    "a long name": "int " + "a" * 3_000_000 + "; int main() {}",
    "an array in the file": "int a[1 << 28] = {1};\nint main() { return a[5]; }",
    "arrays in the file": "".join(f"char a{n}[1 << 26] = {{1}};\n" for n in range(16)) + "int main() {}",
    "a string": 'const char* s = "' + "y" * 500_000 + '";\nint main() {}',
    "an initialiser": "int a[] = {" + "1," * 90_000 + "};\nint main() {}",
    "NUL": "int main() {\0}",
    "bad bytes": 'int main() { const char* s = "\ud800"; }',
    "trigraphs": '??=include "/etc/passwd"\nint main() {}',
    "coroutine of preprocessor": '#line 2000000000 "/etc/passwd"\n#error told\nint main() {}',
    "linker's section": '__attribute__((section(".interp"))) const char i[] = "/etc/passwd";\nint main() {}',
    "constructor": "__attribute__((constructor)) void f() { __builtin_trap(); }\nint main() {}",
    "entry": 'asm(".globl _start\\n_start: hlt");\nint main() {}',
    "no code at all": 'asm(".section .note.GNU-stack,\\"x\\"");\nint main() {}',
    "resolver": 'extern "C" int f() __attribute__((ifunc("g")));\nextern "C" void* g() { for (;;) {} }\nint main() { return f(); }',
}  # fmt: skip
"""Sources made to break the compiler, or to read what it can read."""

_ALSO_RUN = {"plugin", "specs", "dump", "embed", "macros", "itself", "a long name"}
_HEAVY = {"templates", "endless templates", "wide templates", "constexpr without end", "macros", "macro calls",
          "assembler without end", "brackets", "noise", "zeros", "incbin of zeros", "arrays in the file",
          "a long name", "an initialiser", "messages", "errors"}  # fmt: skip
"""They cost seconds of CPU time each, up to the limit of a compilation."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in _HEAVY else []) for name in SOURCES]
)
def test_compiler_is_held(attacked_cpp, name):
    """Source made to break the compiler costs its own program at most; nothing is read, nothing is left."""
    worker = attacked_cpp._live()
    (run,) = attacked_cpp.run(Program(SOURCES[name], language="cpp"), "x", **_LIMITS)
    assert run.status in {Status.CE, Status.RE, Status.OK, Status.TLE}, run
    said = run.stdout + (run.failure.message if run.failure else "")
    assert "root:" not in said
    assert "through" not in said
    assert len(said) < 1000
    assert attacked_cpp._live() == worker
    _inspect(attacked_cpp)


def test_inputs_are_out_of_the_compilers_reach(attacked_cpp):
    """The compiler finds an empty standard input behind the source, and no descriptor that leads to the inputs."""
    includes = "".join(
        f'#if __has_include("/proc/self/fd/{n}")\n#error has {n}\n#endif\n' for n in range(5, 64)
    )
    (run,) = attacked_cpp.run(Program(includes + "int main() {}", language="cpp"), "SECRET INPUT", **_LIMITS)
    assert run.status is Status.OK, run
