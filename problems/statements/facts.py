"""What a statement says about judging: limits, tolerance, order, letter case, several answers."""

# ruff: noqa: RUF001 - letters and marks of other scripts are what such pages print
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sstar_code.problems.problem import Kind, Test

LEAST_TIME_S = 1.0
LEAST_MEMORY_MB = 256
"""Limits below these are meant for other languages: Python does not even start in 16 MB."""
_MOST_TIME_S = 300.0
_MOST_MEMORY_MB = 16_384

_SENTENCE = re.compile(r"(?<=[.!?])\s+|[。！？]|\n\s*\n|\n\s*[-*•]\s")
_TIME_WORDS = (
    r"(?:cpu\s*)?time\s*limit|limit\s*time|ограничение\s+(?:по\s+)?времени|предел\s+времени"
    r"|время(?:\s+выполнения|(?=\s{0,3}:))"
    r"|实行时间限制|時間制限|時間限制|时间限制|时限|시간\s*제한|l[íi]mite\s+de\s+tiempo|limite\s+de\s+temps|tempo\s+limite"
    r"|limite\s+de\s+tempo|zeitlimit|zeitbeschränkung"
)
_MEMORY_WORDS = (
    r"(?:memory|space|ram)\s*limit|limit\s*memory|ограничение\s+(?:по\s+)?памяти|предел\s+памяти"
    r"|память(?=\s{0,3}:)|メモリ制限|記憶體限制"
    r"|内存限制|空间限制|메모리\s*제한|l[íi]mite\s+de\s+memoria|limite\s+(?:de\s+)?m[ée]moire|limite\s+de\s+mem[óo]ria"
    r"|speicherlimit|speicherbeschränkung"
)
_BETWEEN = (
    r"(?:\s*\(?per\s+test(?:\s+case)?\)?|\s+на\s+тест|\s*\([^()\n]{0,30}\))?[ \t]*[:：=\-|]?\s{0,3}\**\s?"
)
_SECONDS = r"(m(?:s|illi)\w*|мс|毫秒|ミリ秒|s(?:ec\w*|egund\w*|ek\w*)?\b|сек\w*|с\b|秒|초)"
_BYTES = r"([mgk](?:i?b\w*|\b)|(?:mega|giga|kilo)\s?b\w*|[мгк](?:иб|б)\w*|(?:мега|гига|кило)байт\w*)"
_NUMBER = r"(\d{1,7}(?:[.,]\d{1,3})?)"
_TIME = re.compile(rf"(?i)(?:{_TIME_WORDS}){_BETWEEN}{_NUMBER}(?:/\d{{1,7}})?\s{{0,2}}{_SECONDS}")
_MEMORY = re.compile(rf"(?i)(?:{_MEMORY_WORDS}){_BETWEEN}{_NUMBER}(?:/\d{{1,7}})?\s{{0,2}}{_BYTES}")
_BOTH = re.compile(  # Baekjoon's table; AcWing's "1s / 64MB"
    rf"(?i)(?:시간\s*제한[^\n]{{0,120}}\n\s{{0,3}}"
    rf"|时/空限制[:：]\s?){_NUMBER}\s?{_SECONDS}[^\n\d]{{0,40}}?{_NUMBER}\s?{_BYTES}"
)

_MINUS = r"[-−–‐‑]"
_SMALL = re.compile(
    rf"10\s?\^\s?[{{(]?\s?{_MINUS}\s?(\d{{1,2}})|10\s?\{{?\s?{_MINUS}\s?([3-9]|1[0-5])(?!\d)|10\*\*\(?{_MINUS}(\d{{1,2}})\)?"
    rf"|1?\.?0?e{_MINUS}(\d{{1,2}})"
    r"|(0[.,]0{0,11}[15])(?!\d)",
    re.IGNORECASE,
)
_SAYS_ERROR = re.compile(
    r"(?i)\b(?:error|precision|tolerance|accura\w+|differs?|answers?\s+within|within\s+(?:10|1e|0\.)|erreur|fehler|genauigkeit"
    r"|(?:considered|judged|regarded)\s+(?:as\s+)?(?:correct|right|accepted)\s+if"
    r"|precisi[óo]n|precis[ãa]o"
    r"|tolerancia|erro|погрешност\w*|точност\w*)\b|誤差|误差|精度|오차"
)
_OUTPUT = (
    r"\b(?:print|output|return|display|write|report|give|answer|produce|list|imprim\w+|affiche\w*"
    r"|devuelv\w+|gib|gebe"
    r"|ausgeben|выве\w+|выводит\w*|letter|character)\w*\b|出力|输出|返回|答案|출력"
)
_SAYS_OUTPUT = re.compile(_OUTPUT, re.IGNORECASE)
_SAYS_GIVEN = re.compile(r"(?i)\b(?:given|read|comes?|listed in the input|input)\b")
_ANY_ORDER = re.compile(
    r"(?i)\bany\s+order|order\s+(?:of\s+[\w ]{1,40}\s+)?(?:does\s*n[o']t|is\s+not)\s+(?:matter|important)"
    r"|\bin\s+arbitrary\s+order"
    r"|irrespective\s+of\s+(?:the\s+)?order|dans\s+n['’]importe\s+quel\s+ordre|en\s+cualquier\s+orden"
    r"|em\s+qualquer\s+ordem"
    r"|in\s+beliebiger\s+reihenfolge|в\s+любом\s+порядке|в\s+произвольном\s+порядке|任意の順|順序は問|任意顺序|顺序任意"
    r"|순서는? 상관"
)
_ANY_CASE = re.compile(
    r"(?i)\b(?:letters?|characters?|print|output|answers?|written|string|word)\b[^.\n]{0,60}"
    r"\bin\s+any\s+(?:letter\s+)?case\b|\bany\s+letter\s+case\b"
    r"|\b(?:output|answers?|judge|checker|yes|no)\b[^.\n]{0,60}\bcase[\s-]*insensitive"
    r"|\bcase[\s-]*insensitive[^.\n]{0,60}\b(?:output|answers?|judge|checker|yes|no)\b"
    r"|\bcase\s+(?:of\s+[\w ]{1,30}\s+)?(?:does\s*n[o']t\s+matter|is\s+ignored)"
    r"|\bprint\b[^.\n]{0,60}\bin\s+(?:either\s+)?(?:upper|lower)\s*-?\s*case\s+or\s+(?:in\s+)?(?:upper|lower)"
    r"|regardless\s+of\s+(?:the\s+)?case|в\s+любом\s+регистре"
    r"|不区分大小写|大小写不限|大小写均可|大文字と小文字は区別|대소문자를? 구분하지"
)
_SEVERAL = re.compile(
    r"(?i)\b(?:print|output|return|report|find|write|give|show)\s+any(?:one|\s+one)?\b(?!\s*(?:order"
    r"|case))(?:\s+of\b|\s+(?:such|valid|correct"
    r"|solution|answer|possible|optimal|suitable)|\s*[.,;)]|\s*$)"
    r"|\bany\s+(?:one\s+)?(?:of\s+them|valid|correct|possible|optimal|such|solution|answer)\b[^.\n]{0,60}"
    r"\b(?:accepted|acceptable|allowed|suffices|will\s+do|printed|is\s+(?:fine|correct|ok(?:ay)?|enough))"
    r"|\b(?:multiple|several|many|more\s+than\s+one)\s+(?:\w+\s+)?(?:answers?|solutions?|ways"
    r"|arrangements?|possibilities|outputs?)\b"
    r"[^.\n]{0,80}(?:\bany\b|\baccept|\bone\s+of\s+them)"
    r"|(?:лю[бб](?:ое|ой|ую|ые)\s+из|выведите\s+лю[бб])|если\s+(?:ответов|решений)\s+несколько|どれを(?:出力"
    r"|答え)|いずれ(?:を|か)[^\n]{0,20}出力"
    r"|任意(?:输出)?(?:一|其中)|输出任意|任何一[个種种]|아무거나|cualquiera\s+de|n['’]importe\s+laquelle|l['’]une\s+quelconque"
    r"|qualquer\s+uma"
    r"|(?:eine\s+)?beliebige\s+(?:davon|lösung|ausgeben)"
)
_INTERACTIVE = re.compile(
    r"(?i)\binteractive\s+(?:problem|task)|\b(?:problem|task)\s+is\s+interactive|\binteractor\b"
    r"|интерактивн\w+\s+задач|задача\s+интерактивн"
    r"|インタラクティブ|リアクティブ|交互题|交互式(?:题|问题)|인터랙티브|flush[^.\n]{0,60}\bafter\s+(?:each|every)\s+(?:query"
    r"|question|guess|output)"
)
_FILES = re.compile(r"(?i)\b(?:file|файл\w*)\s+[\"'`«]?(\w{1,20}\.(?:in|out|txt|dat))\b")
_UNICODE_POWER = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the statement says; None and empty where it says nothing."""

    time_s: float | None = None
    memory_mb: int | None = None
    checker: str = "exact"
    several_answers: bool = False
    interactive: bool = False
    files: tuple[str, ...] = ()
    """Files that the program is to read or write."""


def find_facts(text: str, kind: Kind, tests: Sequence[Test]) -> Facts:
    """The facts that the cleaned statement `text` tells of a problem of `kind` with the public `tests`."""
    tolerance, any_order, any_case, several = _read_sentences(text)
    checker = "exact"
    if tolerance is not None:
        checker = "codecontests" if any_case and kind is Kind.STDIN else f"floats:{tolerance:g}"
    elif any_order and _has_items(tests, kind):
        checker = "unordered"
        several = several or any_case or _has_inner_order(tests, kind)
    elif any_case:
        checker = "any-case"
    time_s, memory_mb = _read_limits(text)
    return Facts(
        time_s,
        memory_mb,
        checker,
        several,
        _INTERACTIVE.search(text) is not None,
        tuple(dict.fromkeys(_FILES.findall(text))),
    )


def _read_sentences(text: str) -> tuple[float | None, bool, bool, bool]:
    tolerance: float | None = None
    any_order = any_case = several = False
    for sentence in _sentences(text.translate(_UNICODE_POWER).replace("$", "")):
        if _SAYS_ERROR.search(sentence):
            found = [value for match in _SMALL.finditer(sentence) if (value := _small(match)) is not None]
            tolerance = max([*found, tolerance or 0.0]) or None
        says_output = _SAYS_OUTPUT.search(sentence) is not None
        if says_output and _ANY_ORDER.search(sentence) and not _SAYS_GIVEN.search(sentence):
            any_order = True
        any_case = any_case or (says_output and _ANY_CASE.search(sentence) is not None)
        several = several or _SEVERAL.search(sentence) is not None
    return tolerance, any_order, any_case, several


def _sentences(text: str) -> Iterator[str]:
    """Sentences, in pieces of at most 1,000 characters."""
    for sentence in _SENTENCE.split(text):
        for start in range(0, len(sentence), 1_000):
            yield " ".join(sentence[start : start + 1_000].split())


def _small(match: re.Match[str]) -> float | None:
    exponent = match[1] or match[2] or match[3] or match[4]
    value = 10.0 ** -int(exponent) if exponent else float(match[5].replace(",", "."))
    return value if 1e-15 <= value <= 0.1 else None


def _has_items(tests: Sequence[Test], kind: Kind) -> bool:
    outputs = [(test.output or "").strip() for test in tests]
    if kind is Kind.STDIN:
        return any(len(text.split()) > 1 for text in outputs)
    return any(text.startswith(("[", "{")) for text in outputs)


def _has_inner_order(tests: Sequence[Test], kind: Kind) -> bool:
    """Whether items of an output have items themselves, whose order may be free as well."""
    outputs = [(test.output or "").strip() for test in tests]
    if kind is Kind.STDIN:
        return any(len(line.split()) > 1 for text in outputs for line in text.split("\n"))
    return any(text.startswith("[[") for text in outputs)


def _read_limits(text: str) -> tuple[float | None, int | None]:
    """The first limits that are told, in seconds and MB."""
    both = _BOTH.search(text)
    if both:
        return _seconds(both[1], both[2]), _megabytes(both[3], both[4])
    time, memory = _TIME.search(text), _MEMORY.search(text)
    return (
        _seconds(time[1], time[2]) if time else None,
        _megabytes(memory[1], memory[2]) if memory else None,
    )


def _seconds(number: str, unit: str) -> float | None:
    value = float(number.replace(",", "."))
    if unit.lower().startswith(("ms", "milli", "мс", "毫", "ミリ")):
        value /= 1000
    return value if 0 < value <= _MOST_TIME_S else None


def _megabytes(number: str, unit: str) -> int | None:
    value = float(number.replace(",", "."))
    first = unit.lower()[0]
    value = value / 1024 if first in "kк" else value * 1024 if first in "gг" else value
    return max(1, round(value)) if 0 < value <= _MOST_MEMORY_MB else None
