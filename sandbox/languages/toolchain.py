"""Finds g++ and lays down what a sandbox needs of it: the tools' exact commands and precompiled headers.

`python3 -I toolchain.py FOLDER` does it in an image as the sandbox does it on this machine. Standard library
only, nothing of ours imported, any Python from 3.11 on. `tools.json` in the folder holds `compiler` (name and
version), `languages` (name -> steps; a step is a program and its arguments, which reads standard input and
writes standard output), `sanitized` (the same for builds that watch themselves; empty where the static
sanitizers are missing), `loaders` (programs that start the tools), `trees` and `files` (what else they need).
In arguments `{folder}` stands for the folder, wherever it is seen.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

STANDARDS = {"cpp17": "c++17", "cpp20": "c++20"}
_FLAGS = (
    "-O2",
    "-DONLINE_JUDGE",
    "-w",
    "-fmax-errors=5",
    "-fdiagnostics-color=never",
    "-fno-diagnostics-show-caret",
)
"""Those that change code are told to models as well (`table.LANGUAGES`)."""
_LINK = ("-static", "-Wl,-u,__cxa_pure_virtual")
"""Tables of virtual functions name the second weakly, so that a static link would leave it out, and a pure
virtual call would end by SIGSEGV in the place of SIGABRT."""
_SANITIZE = (
    *("-O1", "-g1", "-fno-omit-frame-pointer", "-D_GLIBCXX_ASSERTIONS", "-fno-pie"),
    "-fsanitize=address,undefined",
)
_SANITIZE_LINK = (
    *("-fsanitize=address,undefined", "-no-pie", "-static-libasan", "-static-libubsan"),
    *("-static-libstdc++", "-static-libgcc"),
)
"""All static but the C library, which AddressSanitizer has to find in its own file; at a fixed address, since
elsewhere the program may lie where its allocator has to be."""
_SANITIZERS = ("libasan.a", "libubsan.a", "libasan_preinit.o")
_HEADER = "bits/stdc++.h"
_STATIC = ("libstdc++.a", "libc.a", "libm.a", "crt1.o")
_LIMIT_S = 600


LAUNCH = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
enum { FILE_, UID, DOMAIN, DIES_WITH_PARENT, FLAG, PROGRAM, CODE, HOLES, LIMITS, KEPT, FIRST };
static int fail(int step) {
    char text[64];
    int size = snprintf(text, sizeof text, "step %d of a start failed with error %d", step, errno);
    if (write(3, text, size) < 0) size = 0;
    _exit(71);
}
/* What `run.confine` does, in a child that borrows the memory of its parent until it becomes the file. */
static void become(const long *plan, char *const *arguments, char *const *environment) {
    const long *hole = plan + FIRST, *limit = hole + plan[HOLES];
    int file = dup3(plan[FILE_], 4, O_CLOEXEC), place;
    if (file != 4) fail(1);
    for (place = 0; place < 3; place++) if (fcntl(place, F_SETFD, 0) != 0) fail(2);
    if (fcntl(3, F_SETFD, FD_CLOEXEC) != 0) fail(3);
    if (setsid() < 0) fail(4);
    if (plan[DOMAIN] >= 0 && syscall(446, plan[DOMAIN], 0) != 0) fail(5);
    for (place = 5 + plan[KEPT]; place < 64; place++) close(place);
    for (place = 0; place < plan[LIMITS]; place++, limit += 3) {
        struct rlimit wanted = {limit[1], limit[2]};
        if (setrlimit(limit[0], &wanted) != 0) fail(6);
    }
    if (plan[UID] >= 0) {
        long uid = plan[UID];
        if (syscall(SYS_setgroups, 0, 0) != 0 || syscall(SYS_setresgid, uid, uid, uid) != 0) fail(7);
        if (syscall(SYS_setresuid, uid, uid, uid) != 0) fail(8);
    }
    if (plan[DIES_WITH_PARENT] && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail(9);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, 0) != 0) fail(10);
    if (plan[PROGRAM]) {
        unsigned pid = syscall(SYS_getpid);
        for (place = 0; place < plan[HOLES]; place++) *(unsigned *)(plan[CODE] + hole[place]) = pid;
        if (prctl(PR_SET_SECCOMP, 2, plan[PROGRAM], 0, 0) != 0) fail(11);
    }
    *(volatile char *)plan[FLAG] = 1;
    syscall(SYS_execveat, 4, "", arguments, environment, 0x1000);
    fail(12);
}
int launch(const long *plan, char *const *arguments, char *const *environment) {
    int pid = vfork();
    if (pid == 0) become(plan, arguments, environment);
    return pid;
}
"""
"""Starts a file, confined as a run is (`inside.run.confine`). A fork of the interpreter in its place would
cost more than most programs."""


class ToolchainError(Exception):
    """There is no compiler here that can be used; the message says what to install."""


def find_compiler() -> str:
    """The path of g++.

    Raises:
        ToolchainError: there is none.
    """
    found = shutil.which("g++")
    if found is None:
        raise ToolchainError("C++ needs a compiler: install g++ (`sudo apt-get install g++`)")
    return found


def describe_compiler(compiler: str) -> str:
    """Name and version, like `g++ 12.2.0`.

    Raises:
        ToolchainError: it does not run.
    """
    return f"g++ {_ask(compiler, '-dumpfullversion').strip()}"


def find_tools(compiler: str) -> dict[str, Any]:
    """The content of `tools.json`.

    Raises:
        ToolchainError: it does not run, is another compiler, or lacks the static libraries.
    """

    def find_file(name: str) -> str:
        return _ask(compiler, f"-print-file-name={name}").strip()

    for name in _STATIC:
        if not Path(find_file(name)).is_absolute():
            raise ToolchainError(
                f"{compiler} lacks {name}: install the static libraries of C++ and C "
                "(`sudo apt-get install g++ libc6-dev`)"
            )
    (assembler,) = _dry_run(compiler, "-c", "-x", "assembler", "-", "-o", "made.o")
    assemble = ["/proc/self/fd/1" if part == "made.o" else part for part in assembler[1:] if part != "-"]
    tools = [os.path.realpath(_ask(compiler, f"-print-prog-name={name}").strip()) for name in ("as", "ld")]
    tools = [shutil.which(Path(path).name) or path if not Path(path).exists() else path for path in tools]

    def list_steps(flags: tuple[str, ...], link: tuple[str, ...]) -> list[list[str]]:
        (compiling,) = _dry_run(compiler, *flags, "-S", "-x", "c++", "-", "-o", "-")
        return [compiling, [tools[0], *assemble], [tools[1], *_list_link_arguments(compiler, link)]]

    languages, sanitized = {}, {}
    for name, standard in STANDARDS.items():
        flags = (f"-std={standard}", *_FLAGS)
        languages[name] = list_steps((*flags, f"-I{{folder}}/{name}"), _LINK)
        if all(Path(find_file(file)).is_absolute() for file in _SANITIZERS):
            sanitized[name] = list_steps((*flags, *_SANITIZE), _SANITIZE_LINK)
    programs = {step[0] for steps in languages.values() for step in steps}
    trees = set(_list_header_folders(compiler)) | {
        str(Path(os.path.realpath(find_file(name))).parent) for name in (*_STATIC, "crtbeginT.o")
    }
    return {
        "compiler": describe_compiler(compiler),
        "languages": languages,
        "sanitized": sanitized,
        "loaders": sorted({loader for program in programs if (loader := _find_loader(program))}),
        "trees": sorted(
            tree
            for tree in trees
            if not any(other != tree and Path(tree).is_relative_to(other) for other in trees)
        ),
        "files": sorted(programs),
    }


def _list_link_arguments(compiler: str, flags: tuple[str, ...]) -> list[str]:
    (linker,) = _dry_run(compiler, *flags, "made.o", "-o", "program")
    places = {"made.o": "/proc/self/fd/0", "program": "/proc/self/fd/1"}
    return [
        places.get(part, part)
        for part in linker[1:]
        if not part.startswith("-plugin") and not part.endswith("lto_plugin.so")
    ]


def _ask(compiler: str, *arguments: str) -> str:
    environment = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - the user's own compiler
            [compiler, *arguments],
            capture_output=True, text=True, timeout=_LIMIT_S, check=True, env=environment,
            input="",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        detail = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise ToolchainError(f"{compiler} does not work: {detail[0][:200] if detail else error}") from error
    return done.stdout + done.stderr


def _dry_run(compiler: str, *arguments: str) -> list[list[str]]:
    """The commands that the driver would start."""
    lines = [line for line in _ask(compiler, "-###", *arguments).splitlines() if line.startswith(" ")]
    commands = [shlex.split(line) for line in lines]
    if len(commands) != 1:
        raise ToolchainError(
            f"{compiler} is no g++ that can be used here: it starts {len(commands)} commands"
        )
    return commands


def _list_header_folders(compiler: str) -> list[str]:
    text = _ask(compiler, "-E", "-v", "-x", "c++", "-")
    part = text.partition("search starts here:")[2].partition("End of search list")[0]
    return [os.path.realpath(line.strip()) for line in part.splitlines() if line.strip().startswith("/")]


def _find_loader(program: str) -> str | None:
    """The program interpreter that an ELF file names."""
    found = re.search(rb"/lib[\w./-]*/ld-[\w.-]+", Path(program).read_bytes()[:4096])
    return os.path.realpath(found[0].decode("ascii")) if found else None


def prepare(folder: Path, compiler: str | None = None) -> None:
    """Fill the new folder `folder`.

    Raises:
        ToolchainError: there is no compiler that can be used.
    """
    compiler = compiler or find_compiler()
    tools = find_tools(compiler)
    header = _find_header(compiler)
    folder.mkdir(parents=True)

    def precompile(item: tuple[str, str]) -> None:
        (name, standard) = item
        target = folder / name / f"{_HEADER}.gch"
        target.parent.mkdir(parents=True)
        _ask(compiler, f"-std={standard}", *_FLAGS, "-x", "c++-header", header, "-o", str(target))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(precompile, STANDARDS.items()))
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "launch.c"
        source.write_text(LAUNCH)
        _ask(compiler, "-x", "c", "-O2", "-shared", "-fPIC", str(source), "-o", str(folder / "launch.so"))
    (folder / "tools.json").write_text(json.dumps(tools, indent=1) + "\n", "utf-8")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _find_header(compiler: str) -> str:
    for folder in _list_header_folders(compiler):
        if (path := Path(folder) / _HEADER).is_file():
            return str(path)
    raise ToolchainError(f"{compiler} has no <{_HEADER}>: it is no GNU C++ compiler")


if __name__ == "__main__":
    try:
        prepare(Path(sys.argv[1]))
    except ToolchainError as problem:
        sys.exit(str(problem))
