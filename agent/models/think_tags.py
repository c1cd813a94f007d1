"""Tells thinking that a model wrote into its answer from the answer itself.

Each family of models has its own pair of tags. A tag counts where it stands in the text; one inside a quoted
phrase, inside inline code or inside a fenced block that is Python is only spoken of: programs parse such
tags.
Time is linear in the text's length.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from sstar_code.problems.python_source import parse_python

_NAMES = "think|thinking|thoughts?|reasoning|seed:think"
OPEN_TAG = "<think>"
_BARE_OPEN = "analysis"
_OPEN = re.compile(
    rf"<(?:{_NAMES})(?:\s[^<>\n]{{0,100}})?>|◁think▷|<\|begin_of_thought\|>|<\|START_THINKING\|>|\[THINK\]"
    r"|<unused94>(?:thought\b)?|(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>"
    rf"|(?<![\s\S]){_BARE_OPEN}(?=[A-Z])"  # harmony without its special tokens
)
_CLOSE = re.compile(
    rf"</(?:{_NAMES})>|◁/think▷|<\|end_of_thought\|>|<\|END_THINKING\|>|\[/THINK\]|<unused95>"
    r"|(?:<\|end\|>)?(?:<\|start\|>assistant)?<\|channel\|>final<\|message\|>|(?<=[.!?`])assistantfinal"
)
_WORDS = ("think", "thought", "reasoning", "THINK", "unused9", "channel", "analysis", "assistantfinal")
"""One of them is in every tag: a look for words takes a twentieth of the time of a look for tags."""
_QUOTED = re.compile(r"(?<!\w)'[^'\n]*'(?!\w)|(?<!\w)\"[^\"\n]*\"(?!\w)|(?<!`)(`{1,2})[^`\n]+\1(?![`\w])")
_FENCE_LINE = re.compile(r"^[^\n`]*```[^\n`]*$", re.MULTILINE)
_CODE = re.compile(r"```|^(?:def|class|import|from)\s", re.MULTILINE)
_MAX_NESTED = 4
_BLANK = re.compile(r"(?:[ \t\r]*\n)+|[ \t]*")
"""The blank lines before an answer; not the indent of its first line, which may be code."""
_SPACE = re.compile(r"\s*")
_GOES_ON = re.compile(r"[.,;:!?)]|[ \t]+[a-z(]")
"""What follows a tag that a sentence names."""


@dataclass(slots=True)
class _Context:
    """Where in `text` a tag is only spoken of."""

    text: str
    starts: list[int]
    ends: list[int]
    """Fenced blocks that are Python, in order."""
    is_program: bool
    """The whole text is."""

    @classmethod
    def read(cls, text: str) -> _Context:
        starts: list[int] = []
        ends: list[int] = []
        opened: int | None = None
        tries = 0
        for line in _FENCE_LINE.finditer(text):
            if opened is None or tries == _MAX_NESTED:
                opened, tries = line.end(), 0
            elif line[0].strip() == "```":
                block = text[opened : line.start()]
                if not has_tag(block):
                    opened = None
                elif parse_python(block.strip("\n")) is None:
                    tries += 1  # the fence may stand in a string of the program
                else:
                    starts.append(opened)
                    ends.append(line.start())
                    opened = None
        is_program = not _OPEN.match(text.lstrip()) and parse_python(text) is not None
        return cls(text, starts, ends, is_program)

    def is_mention(self, tag: re.Match[str]) -> bool:
        """Whether the text speaks of the tag."""
        if self.is_program:
            return True
        block = bisect_right(self.starts, tag.start()) - 1
        if block >= 0 and tag.end() <= self.ends[block]:
            return True
        start = self.text.rfind("\n", 0, tag.start()) + 1
        before = self.text[max(start, tag.start() - 200) : tag.start()]
        after = self.text[tag.end() : tag.end() + 200].partition("\n")[0]
        place = len(before)
        quoted = _QUOTED.finditer(before + tag[0] + after)
        return any(span.start() < place and span.end() > place + len(tag[0]) for span in quoted)

    def closes(self, start: int) -> Iterator[re.Match[str]]:
        """Closing tags from `start` on that are more than spoken of."""
        return (tag for tag in _CLOSE.finditer(self.text, start) if not self.is_mention(tag))

    def is_in_sentence(self, tag: re.Match[str]) -> bool:
        """Whether a sentence goes on around a closing tag that nothing opened."""
        line = self.text[max(0, tag.start() - 200) : tag.start()].rpartition("\n")[2]
        return bool(line.strip()) and _GOES_ON.match(self.text, tag.end()) is not None


def split_thinking(content: str) -> tuple[str, str]:
    """`content` as (text, thinking), where the model thinks aloud first, between tags like `<think>`.

    A closing tag alone ends thinking that the chat template began. An opening tag alone is thinking that was
    cut: there is no text. Content without tags is the text, unchanged; the text is always a tail of it.
    """
    if not has_tag(content):
        return content, ""
    context = _Context.read(content)
    thoughts: list[str] = []
    start = 0
    while True:
        opened = _OPEN.match(content, _end_of(_SPACE, content, start))
        if opened is None and thoughts:
            break
        first = opened.end() if opened else start
        closings = (tag for tag in context.closes(first) if opened or not context.is_in_sentence(tag))
        closing = next(closings, None)
        if closing is None and (opened is None or opened[0] == _BARE_OPEN):
            break
        if opened is None and closing is not None and _follows_code(context, closing):
            break
        thoughts.append(content[first : closing.start() if closing else None].strip())
        start = _end_of(_BLANK, content, closing.end()) if closing else len(content)
    return content[start:], "\n".join(thoughts)


def _follows_code(context: _Context, closing: re.Match[str]) -> bool:
    """Whether the thinking that ends here began behind a part of the answer that holds code."""
    opened = next((tag for tag in _OPEN.finditer(context.text) if not context.is_mention(tag)), None)
    return (
        opened is not None
        and opened.start() < closing.start()
        and _CODE.search(context.text, 0, opened.start()) is not None
    )


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def cut_later_thinking(text: str) -> tuple[str, str]:
    """`text` without the thinking that begins on a line of its own behind the answer's first words."""
    if not _may_have_tag(text) or not _OPEN.search(text):
        return text, ""
    context = _Context.read(text)
    kept: list[str] = []
    thoughts: list[str] = []
    start = 0
    for tag in _OPEN.finditer(text):
        line = text[max(0, tag.start() - 200) : tag.start()].rpartition("\n")[2].strip()
        if tag.start() < start or line.strip("`") or context.is_mention(tag):
            continue
        closing = next(context.closes(tag.end()), None)
        kept.append(text[start : tag.start()])
        thoughts.append(text[tag.end() : closing.start() if closing else None])
        start = closing.end() if closing else len(text)
        if closing is None:
            break
    return "\n".join([*kept, text[start:]]), "\n".join(thoughts)


def has_end(text: str) -> bool:
    """Whether thinking ends in `text`."""
    return _may_have_tag(text) and _CLOSE.search(text) is not None


def has_tag(text: str) -> bool:
    """Whether `text` has any tag of thinking."""
    return _may_have_tag(text) and (_OPEN.search(text) is not None or has_end(text))


def _may_have_tag(text: str) -> bool:
    return any(word in text for word in _WORDS)
