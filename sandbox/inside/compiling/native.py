"""Programs of compiled languages: compiled once to an image in memory, which is executed for every input.

Compiler, assembler and linker are three runs like any other: one process each, confined by the same limits
and the same filter, which lets them become the one tool that was opened for them and start nothing. What they
read and write are the memory files of a run, so nothing of a program ever lies in a folder. The image is
sealed, so that no run can change it for the next; the process that starts programs keeps the last ones.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import resource
import signal
import struct
from typing import Any, NamedTuple

from sstar_code.sandbox.inside import kernel, run, seccomp

_COMPILE_CPU_S = 20.0
_COMPILE_WALL_S = 60.0
_COMPILE_MB = 1024
_WRITTEN_MB = 64
"""Most that a tool may write: assembly, an object, an image."""
_MESSAGE_BYTES = 16 << 10
_MOST_IMAGES = 12
_LARGEST_KEPT = 8 << 20
_MARKER = b'# 1 "solution.cpp"\n'
"""In front of the source, for messages and for what `assert` prints."""
_ANY_PID = 0x7FFFFFF0
_NAME = "./solution"
FIRST_FILE = 5
"""The descriptor of the first file that a program is given beside its streams."""
_KEPT = (slice(32, 64), slice(256, 288))
"""Where in the shared page the names of images stand that are to be kept: the judge's is the second."""
(_ADD_SEALS, _SEALS, _MAY_SEAL, _EXECUTABLE) = (1033, 0xF, 2, 0x10)
_TOOL_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TMPDIR": "/tmp"}  # noqa: S108 - inside
_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": "/", "TZ": "UTC"}
_SANITIZER_ENVIRONMENT = {
    **_ENVIRONMENT,
    "ASAN_OPTIONS": "detect_leaks=0:handle_abort=1:print_legend=0:color=never:malloc_context_size=8",
    "UBSAN_OPTIONS": "color=never",
}
"""Leaks are found by tracing, which no run may do, and are no fault of a program that ends."""
_HEADER = struct.Struct("=16sHHIQQQIHHHHHH")  # struct Elf64_Ehdr
_SEGMENT = struct.Struct("=IIQQQQQQ")  # struct Elf64_Phdr
_LOADED = 1
SANITIZED = "+sanitized"
"""Behind the name of a language: a build that watches itself."""


class _Walls(NamedTuple):
    """What a run has around it."""

    filter: kernel.Filter | None
    domain: int | None
    environment: dict[str, str]
    sanitized: bool


class Tools:
    """The tools of the languages that this sandbox has, open, and the images that are kept.

    `folder` holds what `languages.toolchain` laid down there.
    """

    def __init__(self, folder: str, *, has_filter: bool, has_domain: bool) -> None:
        with open(f"{folder}/tools.json", encoding="utf-8") as file:  # noqa: PTH123 - one import less
            facts = json.load(file)
        self.steps: dict[str, list[tuple[int, list[str]]]] = {}
        """By language, also with `SANITIZED`: the tools in order, each its descriptor and its arguments."""
        opened: dict[str, int] = {}
        sanitized = {name + SANITIZED: steps for name, steps in facts["sanitized"].items()}
        self.languages = sorted(facts["languages"])
        for name, steps in {**facts["languages"], **sanitized}.items():
            for path, *_ in steps:
                if path not in opened:
                    opened[path] = run.move_up(os.open(path, os.O_RDONLY)) or 0
            self.steps[name] = [
                (opened[step[0]], [part.replace("{folder}", folder) for part in step]) for step in steps
            ]
        self.launch: Any = ctypes.CDLL(f"{folder}/launch.so", use_errno=True).launch
        """Starts a file, confined, without a copy of this process: `toolchain.LAUNCH`."""
        wall = kernel.Filter(seccomp.build_run(_ANY_PID, native=True), _ANY_PID) if has_filter else None

        def surround(environment: dict[str, str], *programs: str, sanitized: bool = False) -> _Walls:
            domain = run.move_up(kernel.make_domain(programs) if has_domain else None)
            return _Walls(wall, domain, environment, sanitized)

        self.walls = {
            False: surround(_ENVIRONMENT),
            # it maps the C library, by the loader that the kernel starts for it
            True: surround(_SANITIZER_ENVIRONMENT, *facts["loaders"], sanitized=True),
        }
        """What a program's run has around it, and that of a sanitized one (True)."""
        self.compiler_walls = surround(_TOOL_ENVIRONMENT, *opened, *facts["loaders"])
        self.images: dict[bytes, int] = {}
        """Descriptors of images by the hash of what they were made of; that used last is the last."""
        self.spares = [-1 for _ in _KEPT]
        """Memory files for the next images: a program, and where it talks to a judge that judge."""

    def prepare(self, page: Any) -> None:
        """Have empty memory files ready for the process that compiles next.

        One that was filled before is kept, where `page` names it, in the place of that unused for longest.
        """
        for place, where in enumerate(_KEPT):
            (name, spare) = (bytes(page[where]), self.spares[place])
            page[where] = bytes(32)
            filled = spare >= 0 and os.fstat(spare).st_size > 0
            if name in self.images:
                self.images[name] = self.images.pop(name)
            elif any(name) and filled:
                self.images[name] = spare
                self.spares[place] = -1
                filled = False
                if len(self.images) > _MOST_IMAGES:
                    os.close(self.images.pop(next(iter(self.images))))
            if filled:
                os.close(spare)
            if filled or self.spares[place] < 0:
                self.spares[place] = _make_file()


class Image:
    """A program that can be executed."""

    mode = "native"

    def __init__(self, descriptor: int, *, sanitized: bool = False) -> None:
        self.descriptor = descriptor
        self.sanitized = sanitized
        self.mapped_mb = _mapped_mb(descriptor)
        """Memory that it is given before its first instruction, most of it never touched."""


def _make_file() -> int:
    try:
        made = os.memfd_create("program", os.MFD_CLOEXEC | _MAY_SEAL | _EXECUTABLE)
    except OSError:  # before Linux 6.3 every such file can be executed
        made = os.memfd_create("program", os.MFD_CLOEXEC | _MAY_SEAL)
    return run.move_up(made) or 0


def _mapped_mb(image: int) -> int:
    head = _HEADER.unpack(os.pread(image, _HEADER.size, 0))
    (start, size, count) = (head[5], head[9], head[10])
    total = 0
    for place in range(count):
        segment = _SEGMENT.unpack(os.pread(image, _SEGMENT.size, start + place * size))
        total += segment[6] if segment[0] == _LOADED else 0
    return total >> 20


def compile_program(
    request: dict[str, Any], state: run.SupervisorState, place: int = 0
) -> Image | dict[str, Any]:
    """The image of the program in `request`, made or kept, or why it does not compile.

    `place` is 0 for a program and 1 for the judge that it talks to.

    The reason has `type`, `message`, `line`; or `errors`, the compiler's own words; or `lost`, where
    nobody knows whether it would compile.

    Raises:
        OSError: a tool could not be started.
    """
    tools: Tools = state.tools
    sanitized = request["sanitized"]
    language = request["language"] + (SANITIZED if sanitized else "")
    if sanitized and (language not in tools.steps or not state.watches_memory):
        return {"type": "CompileError", "message": "there are no sanitizers here", "line": None}
    code = request["code"].encode("utf-8", "surrogatepass")
    name = hashlib.sha256(language.encode("ascii") + b"\0" + code).digest()
    if name in tools.images:
        state.page[_KEPT[place]] = name
        return Image(tools.images[name], sanitized=sanitized)
    run.renew_streams()
    _write(0, _MARKER + code)
    limits = {
        "cpu_s": _COMPILE_CPU_S,
        "wall_s": _COMPILE_WALL_S,
        "memory_mb": min(_COMPILE_MB, state.compile_mb),
        "output_kb": _WRITTEN_MB << 10,
    }
    for step, (tool, arguments) in enumerate(tools.steps[language]):
        if step:  # it reads what the one before it wrote
            taken = run.move_up(os.dup(1))
            assert taken is not None
            run.renew_streams()
            os.dup2(taken, 0)
            os.close(taken)
            os.lseek(0, 0, os.SEEK_SET)
        start = run.begin(state, limits)
        plan = _Plan(tool, arguments, tools.compiler_walls)
        end = _wait(state, _launch(state, start, limits, plan), start)
        if (why := _explain(end, limits)) is not None:
            return why
    return _take_image(tools, name, state, place, sanitized=sanitized)


def _explain(end: run.End, limits: dict[str, Any]) -> dict[str, Any] | None:
    """Why a tool did not do its work; None where it did."""
    number = os.WTERMSIG(end.status) if os.WIFSIGNALED(end.status) else 0
    if end.status == 0 and end.killed is None:
        return None
    told = os.pread(2, _MESSAGE_BYTES, 0).decode("utf-8", "replace")
    if end.killed == b"memory" or "out of memory" in told or "virtual memory exhausted" in told:
        message = f"it cannot be compiled in {limits['memory_mb']} MB"
    elif end.killed is not None or number == signal.SIGXCPU:
        message = f"it cannot be compiled in {_COMPILE_CPU_S:g} s"
    elif number == signal.SIGXFSZ or os.fstat(1).st_size >= _WRITTEN_MB << 20 or "File too large" in told:
        message = f"what the compiler makes of it is over {_WRITTEN_MB} MB"
    elif number == signal.SIGKILL:
        return {"lost": "a compiler was ended by signal 9"}
    elif number:
        message = "it cannot be compiled: the compiler crashed"
    else:
        return {"errors": told}
    return {"type": "CompileError", "message": message, "line": None}


def _take_image(
    tools: Tools, name: bytes, state: run.SupervisorState, place: int, *, sanitized: bool
) -> Image:
    size = os.fstat(1).st_size
    (sent, spare) = (0, tools.spares[place])
    os.lseek(spare, 0, os.SEEK_SET)
    while sent < size:
        sent += os.sendfile(spare, 1, sent, size - sent)
    fcntl.fcntl(spare, _ADD_SEALS, _SEALS)
    # What cannot be read cannot be looked into while it runs, by its own user either. One that watches itself
    # reads its own lines, and decides nothing.
    os.fchmod(spare, 0o555 if sanitized else 0o111)
    image = Image(spare, sanitized=sanitized)
    if size <= _LARGEST_KEPT:
        state.page[_KEPT[place]] = name
    return image


def execute(
    state: run.SupervisorState,
    image: Image,
    limits: dict[str, Any],
    arguments: tuple[str, ...] = (),
    *,
    files: int = 0,
) -> run.End:
    """Run `image` once, as `run.execute` runs a Python program.

    It keeps so many `files`, on the descriptors from `FIRST_FILE` on.

    Raises:
        OSError: the run could not be made or cleaned up after; this is not the candidate's doing.
    """
    if (end := refuse(image, limits)) is not None:
        return end
    start = run.begin(state, limits)
    pid = launch(state, start, limits, image, arguments, files=files)
    return _wait(state, pid, start, sanitized=image.sanitized)


def refuse(image: Image, limits: dict[str, Any]) -> run.End | None:
    """How a program ends that is given more memory before its first instruction than it may have."""
    if image.mapped_mb <= limits["memory_mb"] + run.RESERVE_MB:
        return None
    return run.End("", signal.SIGKILL, b"memory", 0.0, 0.0, image.mapped_mb << 10)


class _Plan(NamedTuple):
    """What is started, and how."""

    file: int
    arguments: list[str]
    walls: _Walls
    flag: int = 0
    """The byte of the page that says that it has confined itself."""
    kept: int = 0
    """Descriptors from `FIRST_FILE` on that it keeps."""


def launch(
    state: run.SupervisorState,
    start: kernel.Start,
    limits: dict[str, Any],
    image: Image,
    arguments: tuple[str, ...] = (),
    *,
    files: int = 0,
    flag: int = 0,
) -> int:
    """Start `image` on our descriptors 0 to 3; its process. `arguments` and `files` as in `execute`.

    Raises:
        OSError: it cannot be started.
    """
    named = [_NAME, *arguments]
    plan = _Plan(image.descriptor, named, state.tools.walls[image.sanitized], flag, files)
    return _launch(state, start, limits, plan)


def _wait(state: run.SupervisorState, pid: int, start: kernel.Start, *, sanitized: bool = False) -> run.End:
    end = run.watch_to_end(state, pid, start, run.wait_for_child, tables=sanitized)
    if os.fstat(3).st_size:
        raise OSError(os.pread(3, 300, 0).decode("utf-8", "replace"))
    return end


def _launch(state: run.SupervisorState, start: kernel.Start, limits: dict[str, Any], plan: _Plan) -> int:
    (wall, domain, environment, sanitized) = plan.walls
    kinds = run.list_limits(state, limits, start)
    if sanitized:  # it reserves terabytes for its shadow: what it uses is watched
        kinds = tuple(kind for kind in kinds if kind[0] != resource.RLIMIT_AS)
    (program, code, holes) = wall.parts if wall is not None else (0, 0, [])
    flag_at = ctypes.addressof(ctypes.c_char.from_buffer(state.page, plan.flag))
    numbers = [
        *(plan.file, start.uid, -1 if domain is None else domain, 0 if state.alone else 1),
        *(flag_at, program, code, len(holes), len(kinds), plan.kept),
        *holes,
        *(value for kind in kinds for value in kind),
    ]
    pid = state.tools.launch(
        (ctypes.c_long * len(numbers))(*numbers), *_point_at(plan.arguments, environment)
    )
    if pid < 0:
        raise OSError(ctypes.get_errno(), "a program could not be started")
    return int(pid)


def _point_at(arguments: list[str], variables: dict[str, str]) -> tuple[Any, Any]:
    """Arguments and environment as C has them."""
    environment = [f"{name}={value}" for name, value in variables.items()]
    (first, second) = (
        (ctypes.c_char_p * (len(texts) + 1))(*(text.encode() for text in texts), None)
        for texts in (arguments, environment)
    )
    return first, second


def _write(descriptor: int, data: bytes) -> None:
    sent = 0
    while sent < len(data):
        sent += os.write(descriptor, data[sent:])
    os.lseek(descriptor, 0, os.SEEK_SET)
