"""The text of a page: without HTML, LaTeX commands, invisible characters, and with one kind of line end."""

from __future__ import annotations

import html
import re

_TAGS = (
    "p|div|span|strong|b|i|em|code|sup|sub|ul|ol|li|font|u|section|h[1-6]|var|pre|br|hr|img|a"
    "|table|tr|td|th|tbody|thead|center|body|html|kbd|samp|blockquote"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]{{0,400}})?/?>", re.IGNORECASE)
_BREAK = re.compile(r"<br\s{0,3}/?>|</(?:p|div|li|tr|section|h[1-6]|table)>", re.IGNORECASE)
BREAK_IN_CELL = "\u21b5"
"""Stands for `<br>` in a row of a Markdown table, which is one line."""
_LINE_BREAK = re.compile(r"<br\s{0,3}/?>", re.IGNORECASE)
_CELL = re.compile(r"</t[dh]>[ \t\n]{0,20}(?=<t[dh])", re.IGNORECASE)
_POWER = re.compile(r"<sup>\s{0,3}([-\u2212\u2013]?\d{1,3})\s{0,3}</sup>", re.IGNORECASE)
_PRE = re.compile(r"<pre(?:\s[^<>]{0,200})?>\n?|</pre>", re.IGNORECASE)
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\xad"))
_LATEX = re.compile(
    r"\\(?:(?:sub)*section|paragraph|textbf|emph|Input|Output|InputFile|OutputFile|begin|exmp|example)\b"
)
_LATEX_HEADING = re.compile(r"\\(?:(?:sub)*section|paragraph|textbf)\*?\{([^{}\n]{0,100})\}")
_LATEX_WORDS = ((re.compile(r"\\InputFile\b"), "\nInput\n"), (re.compile(r"\\OutputFile\b"), "\nOutput\n"))
_VERBATIM = re.compile(
    r"\\(?:begin|end)\{(?:verbatim\*?|lstlisting|minted|Verbatim)\}(?:\[[^\]\n]{0,80}\])?(?:\{\w{0,20}\})?"
)
_EXMP = re.compile(r"\\exmp\s{0,3}\{([^{}]{0,5000})\}\s{0,9}\{([^{}]{0,5000})\}")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{\w{1,20}\*?\}")


def clean_text(text: str) -> str:
    """`text` with one kind of line end, `<pre>` as fences, and without tags and invisible characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_INVISIBLE)
    if _TAG.search(text):
        text = "\n".join(
            _LINE_BREAK.sub(BREAK_IN_CELL, line) if line.lstrip().startswith("|") else line
            for line in text.split("\n")
        )
        text = _PRE.sub("\n```\n", _POWER.sub(r"^\1", text))
        text = html.unescape(_TAG.sub("", _BREAK.sub("\n", _CELL.sub("\t", text))))
    if _LATEX.search(text):
        text = _read_latex(text)
    return text.replace("\xa0", " ").replace("\u3000", " ")


def _read_latex(text: str) -> str:
    text = _EXMP.sub(
        lambda match: (
            f"\nSample Input\n```\n{match[1].strip()}\n```\nSample Output\n```\n{match[2].strip()}\n```\n"
        ),
        text,
    )
    text = _VERBATIM.sub("\n```\n", text)
    for pattern, word in _LATEX_WORDS:
        text = pattern.sub(word, text)
    return _ENVIRONMENT.sub("", _LATEX_HEADING.sub(r"\n\1\n", text))
