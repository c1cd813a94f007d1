"""The headings of a statement, in the words and languages of the large sites."""

# ruff: noqa: RUF001 - letters and marks of other scripts are what such pages print
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Role = Literal["input", "output", "examples", "other"]

MAX_HEADING = 80
"""Characters of the longest line that can be a heading."""
_DECORATION = " \t#*_`~:：-=<>[]【】.|\\■●◆▼"
_NUMBER = r"\s*(?:[#№]|no\.?)?\s*\d{0,3}"
_IN = (
    r"(?:inputs?|in|entr[ée]es?|eingaben?|entradas?|ingresso|input\.txt|stdin|standard input"
    r"|входн(?:ые|ых|ой)\s+(?:данн\w+|файл\w*)|входе?|ввод\w*|输入|輸入|入力|입력)"
)
_OUT = (
    r"(?:outputs?|out|sorties?|ausgaben?|uscita|sa[ií]das?|salidas?|output\.txt|stdout|standard output"
    r"|(?:expected|correct)\s+(?:output|answer|result)"
    r"|выходн(?:ые|ых|ой)\s+(?:данн\w+|файл\w*)|выходе?|вывод\w*|输出|輸出|出力|출력)"
)
_SAMPLE = (
    r"(?:samples?|examples?|tests?(?:\s*cases?)?|cases?|ejemplos?|exemples?|exemplos?|esempi[oi]?|beispiele?"
    r"|пример\w*|样例|示例|例子|范例|範例|測試|例|예제|예시)"
)
_OF = r"(?:\s*(?:of|for|de|do|da|di|d['’]|der|für|для|-|_|/|\()?\s*)"
_COPY = r"\s*\)?(?:\s*\(?(?:copy|click to copy|скопировать|copier|copiar|복사|复制|copy to clipboard)\)?)?"
_AIZU = r"\s*for\s*(?:the\s*)?(?:sample|example)\s*(?:input|data)|\s*for\s*custom\s*testing"
_FILE = r"\s*\((?:file|from|to|in)\b[^()]{0,40}\)"


def _named(side: str) -> str:
    tail = rf"(?:{_AIZU}|{_FILE})?{_NUMBER}{_COPY}"
    return rf"(?:{_SAMPLE}{_NUMBER}{_OF}{side}|{side}{_OF}(?:the\s*)?{_SAMPLE}){tail}|{side}s?{_NUMBER}{tail}"


_ANSWER = rf"|(?:{_SAMPLE}\s*)?answers?\s*#?\s*\d{{1,3}}|sample\s*answer"
_BOTH = (
    rf"{_IN}\s*(?:and|&|/|et|und|y|e|и)?\s*{_OUT}{_OF}{_SAMPLE}|{_SAMPLE}{_OF}{_IN}\s*(?:and|&|/|et|und|y"
    rf"|e|и|,)"
    rf"?\s*{_OUT}|(?:входные и выходные данные)"
)
_WORDS: dict[Role, str] = {
    "other": r"notes?|(?:sample |example )?explanations?\s*\d{0,3}|constraints?|hints?|scoring|subtasks?"
    r"|limits?"
    r"|remarks?|interaction|sources?|(?:problem )?statement|follow[ -]up|(?:in|out)put"
    r"(?:\s+(?:format|specification|description|data|file|section|details))(?:\s*\(.{0,50}\))?"
    r"|explanation of (?:the )?(?:sample|example).{0,40}|explanation for (?:the )?(?:sample|example"
    r"|test).{0,40}"
    r"|format (?:of|d['’]|de|da|do|der) ?\w+|formato (?:de|da|do) \w+|(?:ein|aus)gabeformat"
    r"|формат (?:вход|выход|ввод|вывод).{0,30}|(?:输入|输出|輸入|輸出)(?:格式|描述|说明|說明)"
    r"|(?:입력|출력) ?형식|入力|出力|制約|問題文|注意|提示|说明|数据范围"
    r"|样例解释|样例说明|解释|힌트|출처|설명"
    r"|примечани[ея]|замечани[ея]|пояснени[ея]|источник|ограничения|explications?|explicaci[óo]n"
    r"|explica[çc][ãa]o"
    r"|erkl[äa]rung|hinweis|notas?|remarques?|restricciones|restri[çc][õo]es|contraintes|beschr[äa]nkungen"
    r"|discussion|solution|submit|part (?:one|two|\d)",
    "examples": rf"{_BOTH}|{_SAMPLE}(?:\s*(?:tests?|cases?|data|run|(?:de|da|do)\s+(?:testes?|prueba"
    rf"|test))(?:\(s\))?)?{_NUMBER}",
    "input": rf"{_named(_IN)}",
    "output": rf"{_named(_OUT)}{_ANSWER}",
}
_HEADINGS = {role: re.compile(rf"(?:{words})", re.IGNORECASE) for role, words in _WORDS.items()}
_SAYS_SAMPLE = re.compile(rf"{_SAMPLE}|copy|скопировать|복사|answer|\d", re.IGNORECASE)
_ONE = {"in", "out", "case", "cases", "tests", "test", "standard input", "standard output"}
"""Words that head nothing when they stand alone."""
_COLUMNS = re.compile(r"\t+|\s{2,}|\s*\|\s*")
_LABEL = re.compile(
    r"^[\s*_#>-]{0,8}(input|output|entr[ée]e|sortie|eingabe|ausgabe|entrada|sa[ií]da|salida"
    r"|输入|输出|輸入|輸出|入力|出力|입력|출력|вход|выход|ввод|вывод)[\s*_]{0,4}[:：][*_]{0,2}[ \t]*(\S.*)$",
    re.IGNORECASE,
)
_SIDE = re.compile(_IN, re.IGNORECASE)
_END = re.compile(
    r"[\s*_#>-]{0,6}(?:explanation|problem credits?|credits?|contest|time limit|memory limit|source limit"
    r"|cpu time"
    r"|source|author|resource|difficulty|submit|scoring|constraints|note|难度|时/空限制|总通过数|总尝试数|来源|算法标签"
    r"|时间限制|内存限制|解释|说明|样例解释|提示"
    r"|数据范围|출처|힌트|알고리즘 분류|автор|источник|примечание|пояснение"
    r"|explication|explicaci[óo]n|explica[çc][ãa]o|erkl[äa]rung|hinweis)\b[^:：\n]{0,40}(?:[:：]|$)",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"[ \t]{0,3}(?:【[^】\n]{1,30}】|#{2,6}[ \t]+[^\W\d_]{2}[^\n]{0,60})[ \t]*")
"""Headings of any words, by their marks."""
_UNGLUED = re.compile(
    r"(?:(Examples?)(Input(?:[Cc]opy)?)|(?<=\S)((?:Sample|Example) (?:Input|Output) ?\d{0,3}:?))$"
)


@dataclass(frozen=True, slots=True)
class Heading:
    """What one line heads."""

    role: Role
    named: bool
    """It says "sample" or the like; a bare "Input" may head the format description instead."""
    text: str = ""
    """What follows on the same line, as in `Input: 3 4`."""
    pair: int | None = None
    """Input and output stand beside each other: where in the line the second heading begins."""
    lead: int = 0
    """Columns before the first of such a pair."""


def read_heading(line: str) -> Heading | None:
    """The heading that `line` is; None where it is none."""
    pair = _read_pair(line)
    if pair is not None:
        return pair
    found = _read_words(line)
    if found is not None:
        return Heading(*found)
    label = _LABEL.match(line[:2_000])
    if label is None:
        return Heading("other", named=False) if _UNKNOWN.fullmatch(line[:MAX_HEADING]) else None
    return Heading(
        "input" if _SIDE.fullmatch(label[1]) else "output", named=False, text=line[label.start(2) :]
    )


def _read_words(line: str) -> tuple[Role, bool] | None:
    if len(line) > MAX_HEADING:
        return None
    words = line.replace("\\", "").strip(_DECORATION)
    if not words or words.lower() in _ONE:
        return None
    for role, pattern in _HEADINGS.items():
        if pattern.fullmatch(words):
            return role, _SAYS_SAMPLE.search(words) is not None
    return None


def _read_pair(line: str) -> Heading | None:
    """`Sample Input 1    Sample Output 1`, `№  INPUT.TXT  OUTPUT.TXT`, `| Input | Output |`."""
    if len(line) > 2 * MAX_HEADING or not _COLUMNS.search(line.strip()):
        return None
    cells = [cell for cell in _COLUMNS.split(line.strip().strip("|")) if cell.strip()]
    if len(cells) < 2:
        return None
    heads = [_read_words(cell) for cell in cells]
    roles = [head[0] if head else None for head in heads]
    if "input" not in roles or "output" not in roles or roles.index("output") != roles.index("input") + 1:
        return None
    if roles.index("input") > 1 or len(cells) > roles.index("output") + 2:
        return None
    place = line.index(cells[roles.index("output")], line.index(cells[roles.index("input")]) + 1)
    named = heads[roles.index("input")] == ("input", True)
    return Heading("input", named=named, pair=place, lead=roles.index("input"))


def ends_sample(line: str) -> bool:
    """Whether `line` is one that pages print behind a sample: credits, limits, an explanation."""
    return _END.match(line) is not None


def split_glued(line: str) -> list[str]:
    """The line, and headings glued to its end, as copied pages have them (`end.Sample Input 1:`)."""
    glued = _UNGLUED.search(line[-MAX_HEADING:])
    pieces = (line[: -len(glued[0])], *glued.groups()) if glued else (line,)
    return [piece for piece in pieces if piece] or [""]
