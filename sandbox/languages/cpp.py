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
        return End(f"assertion failed: {asserted[2]}", int(asserted[1]))
    return None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(reversed(list(pattern.finditer(text))), None)
