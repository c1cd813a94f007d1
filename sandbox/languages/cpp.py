"""What g++ and the programs that it made say when something goes wrong, in few lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

COMPILE_ERROR = "CompileError"
_MOST_ERRORS = 3
_MESSAGE_CHARS = 150
_ERROR = re.compile(
    r"^solution\.cpp:(\d+):(?:\d+:)? (?:fatal |internal compiler )?error: (.+)$", re.MULTILINE
)
_ANY_ERROR = re.compile(
    r"^.*?\b(?:[Ee]rror|undefined reference|multiple definition|relocation truncated)\b.*$", re.MULTILINE
)
_THROWN = re.compile(r"^terminate called after throwing an instance of '(.+)'$", re.MULTILINE)
_WHAT = re.compile(r"^  what\(\):  (.*)$", re.MULTILINE)
FAILED_ASSERTION = "assertion failed: "
_ASSERTED = re.compile(
    r"^(?:solution: |\./solution: )?solution\.cpp:(\d+): .*Assertion `(.*)' failed\.$", re.MULTILINE
)
_OWN_NAMES = re.compile(
    r"/proc/self/fd/\d:|(?:/usr)?/bin/(?:[\w-]*-)?(?:ld|as): |\{standard input\}:"
    r"|^(?:/|<stdin>|<artificial>)[^ ]*: (?:in function `\w+': ?)?"
)


def describe_errors(text: str) -> tuple[str, int | None]:
    """The first errors in what the compiler, the assembler or the linker wrote, and the line of the first.

    One line each: `line 3: 'x' was not declared in this scope`.
    """
    found = _ERROR.findall(text)
    if found:
        told = [f"line {line}: {_shorten(message)}" for (line, message) in found[:_MOST_ERRORS]]
        return "\n".join(told), int(found[0][0])
    lines = [_OWN_NAMES.sub("", line).strip() for line in _ANY_ERROR.findall(text)]
    told = [_shorten(line) for line in dict.fromkeys(lines) if line][:_MOST_ERRORS]
    if not told:
        told = [_shorten(line) for line in text.strip().splitlines()[:1]]
    return "\n".join(told) or "it cannot be compiled", None


def _shorten(text: str) -> str:
    return text if len(text) <= _MESSAGE_CHARS else f"{text[:_MESSAGE_CHARS]}..."


@dataclass(frozen=True, slots=True)
class End:
    """What a program said of its own end."""

    message: str
    line: int | None = None
    out_of_memory: bool = False


def describe_end(stderr: str) -> End | None:
    """The exception that nobody caught, or the assertion that failed; None where it was neither."""
    if (thrown := _last(_THROWN, stderr)) is not None:
        what = _last(_WHAT, stderr[thrown.end() :])
        message = f"{thrown[1]}: {what[1]}" if what else thrown[1]
        return End(message, out_of_memory=thrown[1] in ("std::bad_alloc", "std::bad_array_new_length"))
    if (asserted := _last(_ASSERTED, stderr)) is not None:
        return End(f"{FAILED_ASSERTION}{asserted[2]}", int(asserted[1]))
    return None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(reversed(list(pattern.finditer(text))), None)


SANITIZERS = "Sanitizers"
"""The type of the failure of a sanitized program of which they have something to say."""
_MOST_FINDINGS = 3
_MOST_FRAMES = 4
_UNDEFINED = re.compile(r"^solution\.cpp:(\d+):\d+: runtime error: (.+)$", re.MULTILINE)
_LIBRARY_ASSERTED = re.compile(r"^/\S+:\d+: .*?(?:Assertion '(.*)' failed\.)$", re.MULTILINE)
_ADDRESS_FAULT = re.compile(r"^==\d+==ERROR: \w+Sanitizer: ([\w-]+)(.*)$", re.MULTILINE)
_ACCESS = re.compile(r"^(READ|WRITE) of size \d+", re.MULTILINE)
_WHERE = re.compile(r"^0x[0-9a-f]+ is located (.+)$", re.MULTILINE)
_OTHER_STACK = re.compile(r"^(freed|(?:previously )?allocated) by thread \w+ here:$", re.MULTILINE)
_FRAME = re.compile(r"^ +#\d+ 0x[0-9a-f]+ in (.+) (?:/\S*/)?solution\.cpp:(\d+)", re.MULTILINE)
_SUMMARY = re.compile(
    r"^SUMMARY: AddressSanitizer: ([\w-]+) (?:/\S*/)?solution\.cpp:(\d+) in (.+)$", re.MULTILINE
)
"""What is left of a report whose stack is so deep that its beginning is cut off."""
_ADDRESS = re.compile(r" \[0x[0-9a-f]+,\s*0x[0-9a-f]+\)|(?: of)? address 0x[0-9a-f]+|0x[0-9a-f]{6,}")


def describe_sanitizers(stderr: str) -> End | None:
    """What the sanitizers found, in few lines without addresses; None where they found nothing.

    Told are the first faults of each kind, where in the program they are, and what is known of the memory in
    question: where it was made and where it was given back.
    """
    undefined = [(f"line {line}: {_ADDRESS.sub('', what)}", int(line))
                 for line, what in _UNDEFINED.findall(stderr)]  # fmt: skip
    told = list(dict(undefined))[:_MOST_FINDINGS]
    line = undefined[0][1] if undefined else None
    asserted = _last(_LIBRARY_ASSERTED, stderr)
    if (fault := _last(_ADDRESS_FAULT, stderr)) is not None:
        (first, *others) = _OTHER_STACK.split(stderr[fault.start() :])
        kind = f"the library's assertion '{asserted[1]}' failed" if asserted else fault[1]
        if (access := _ACCESS.search(first)) is not None:
            kind += f", {access[0]}"
        told.append(f"{kind}{_tell_frames(first)}")
        if (where := _WHERE.search(stderr, fault.start())) is not None:
            place = re.sub(r" '\S*solution\.cpp:\d+:\d+'| \([^)]*\)", "", _ADDRESS.sub("", where[1]))
            told.append(f"the address is {place}")
        stacks = zip(others[::2], others[1::2], strict=True)
        told += [f"{what}{_tell_frames(stack)}" for what, stack in stacks]
        if (frame := _FRAME.search(first)) is not None:
            line = int(frame[2])
    elif (summary := _last(_SUMMARY, stderr)) is not None:
        told.append(f"{summary[1]} at line {summary[2]} ({summary[3].partition('(')[0]})")
        line = int(summary[2])
    elif asserted is not None:
        told.append(f"the library's assertion '{asserted[1]}' failed")
    return End("\n".join(map(_shorten, told)), line) if told else None


def _tell_frames(stack: str) -> str:
    """The innermost lines of the program in a stack, like ` at line 3 (f), called at line 9 (main)`."""
    frames = list(dict.fromkeys((line, name.partition("(")[0]) for name, line in _FRAME.findall(stack)))
    shown = [f"line {line} ({name})" for line, name in frames[:_MOST_FRAMES]]
    return f" at {', called at '.join(shown)}" if shown else ""
