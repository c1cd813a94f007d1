"""Reads and writes samples: programs that answer problems, of any tool.

evalplus (`evalplus.evaluate --samples FILE`, a name that ends with .jsonl) wants every problem there and a
text under `solution`. LiveCodeBench (`lcb_runner.runner.custom_evaluator`) wants every problem of the
release and dates it is started with, no other, and as many programs for each. Where a problem has no program,
or fewer than another, the empty program stands in: it is no solution in either evaluator.
"""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.problems.bounds import MAX_ROWS, open_file, read_text
from sstar_code.problems.errors import ProblemFileError, shorten
from sstar_code.problems.files import why_outside
from sstar_code.problems.formats.rows import read_rows
from sstar_code.problems.prediction.answers import write_program
from sstar_code.problems.problem import MAX_PROGRAM, Asked

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row
    from sstar_code.problems.problem import Problem


_CRUXEVAL = re.compile(r"sample_\d+")
"""The keys of CRUXEval's file of generations, which is one object."""
_SUFFIXES = {".py": "", ".cpp": "cpp", ".cc": "cpp"}
"""Suffix of a program's file -> its language, where that is not the default."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A program for a problem; samples of one problem count from 0 in file order."""

    problem_id: str
    """For a file in a folder its path without the suffix, like `HumanEval_0/3`."""
    code: str
    completion: bool = False
    """`code` continues the problem's starter code, so it is not a program alone."""
    sources: tuple[str, ...] = ()
    """Who wrote it, where the file says so."""
    file: str = ""
    """The program's own file, relative to the folder that was given."""
    language: str = ""
    """The language that the row or the file's suffix names; empty: none."""
    fault: str = ""
    """Why there is no program, with path and line, where the row has null; `code` is empty then."""


def read_samples(path: Path | str) -> list[Sample]:
    """The samples of `iterate_samples`, all at once."""
    return list(iterate_samples(path))


def iterate_samples(path: Path | str) -> Iterator[Sample]:
    """The samples of a file, plain or gzip, JSON Lines or one JSON list, or of a folder, in order.

    A row is `{"task_id", "solution"}`, `{"task_id", "completion"}` or `{"question_id", "code_list": [...]}`;
    for predictions also `{"question_id", "test_id", "pred_list": [...]}`, `{"id", "pred_list": [...]}` or
    CRUXEval's one object `{"sample_0": [...], ...}`. An id may be a number. `source` (a text or a list of
    texts) says who wrote it, `sources` (a list) who wrote each of a list, `language` what it is written in.
    Further keys are ignored. A null in place of a program is a sample without one. Of a folder, every `.py`,
    `.cpp` and `.cc` file in it is a sample.

    Raises:
        ProblemFileError: the file cannot be read or a row has none of these forms.
    """
    path = Path(path)
    if path.is_dir():
        yield from (_read_program(path, file) for file in list_programs(path))
    else:
        yield from (sample for row in read_rows(path) for sample in _samples(row))


def list_programs(folder: Path) -> list[Path]:
    """The `.py`, `.cpp` and `.cc` files anywhere under `folder`, hidden ones left out, `2.py` before `10.py`.

    Raises:
        ProblemFileError: there are more than are read, or one is a link that leads out of the folder.
    """
    found = (
        file
        for file in folder.rglob("*.*")
        if file.suffix in _SUFFIXES
        and file.is_file()
        and not any(part.startswith((".", "__")) for part in file.relative_to(folder).parts)
    )
    files = list(islice(found, MAX_ROWS + 1))
    if len(files) > MAX_ROWS:
        raise ProblemFileError(
            folder, None, f"holds more than {MAX_ROWS} programs; give fewer, or JSON Lines"
        )
    for file in files:
        if (why := why_outside(folder, file)) is not None:
            raise ProblemFileError(file, None, why)
    return sorted(files, key=lambda file: _natural(file.relative_to(folder).as_posix()))


def _natural(name: str) -> list[tuple[bool, int, str]]:
    parts = re.findall(r"\d+|\D+", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _read_program(folder: Path, file: Path) -> Sample:
    name = file.relative_to(folder)
    identifier, fault = name.with_suffix("").as_posix(), _too_long(str(file), file.stat().st_size)
    code, language = "" if fault else _read_source(file), _SUFFIXES[file.suffix]
    return Sample(identifier, code, file=name.as_posix(), fault=fault, language=language)


def _too_long(where: str, size: int) -> str:
    """Why a program of `size` characters counts as none; empty where it is short enough."""
    if size <= MAX_PROGRAM:
        return ""
    return f"{where}: a program of {size} characters; at most {MAX_PROGRAM} are run"


def _read_source(file: Path) -> str:
    """The text of a program in the encoding that its byte order mark or its coding line names.

    Raises:
        ProblemFileError: it cannot be read, or is text neither in that encoding nor in UTF-8.
    """
    try:
        with open_file(file):  # nothing but a regular file
            pass
        with tokenize.open(file) as stream:
            return stream.read(MAX_PROGRAM)
    except (SyntaxError, UnicodeDecodeError, OSError):
        return read_text(file)  # which says what is wrong


def _samples(row: Row) -> Iterator[Sample]:
    language = row.get("language", str) or ""
    key = "pred_list" if "pred_list" in row.data else "code_list"
    if row.data and all(_CRUXEVAL.fullmatch(name) for name in row.data):
        for name in row.data:
            for place, answer in enumerate(row.need(name, list)):
                if not isinstance(answer, str):
                    raise row.fail(f"{name}[{place}] must be a string")
                where = f"{row.path}:{row.line}: {name}[{place}]"
                fault = _too_long(where, len(answer))
                yield Sample(name, "" if fault else answer, fault=fault)
    elif key in row.data and ("question_id" in row.data or (key == "pred_list" and "id" in row.data)):
        identifier = _identify(row)
        codes = row.need(key, list)
        sources = row.get("sources", list, [None] * len(codes))
        if len(sources) != len(codes):
            raise row.fail(f"'sources' has {len(sources)} entries for {len(codes)} of {key!r}")
        for place, (code, source) in enumerate(zip(codes, sources, strict=True)):
            if not isinstance(code, str | None):
                raise row.fail(f"{key}[{place}] must be a string")
            where = f"{key}[{place}]"
            fault = (
                _missing(row, where)
                if code is None
                else _too_long(f"{row.path}:{row.line}: {where}", len(code))
            )
            yield Sample(
                identifier,
                "" if fault else code or "",
                sources=_sources(row, source),
                fault=fault,
                language=language,
            )
    elif "solution" in row.data or "completion" in row.data:
        completion = "solution" not in row.data
        key = "completion" if completion else "solution"
        code = row.get(key, str)
        sources = _sources(row, row.data.get("source"))
        where = f"{row.path}:{row.line}: key {key!r}"
        fault = _missing(row, f"key {key!r}") if code is None else _too_long(where, len(code))
        identifier = str(row.need("task_id", (str, int)))
        is_part = completion and not fault
        yield Sample(
            identifier, "" if fault else code or "", is_part, sources, fault=fault, language=language
        )
    else:
        raise row.fail(
            "a sample needs 'task_id' with 'solution' or 'completion', or 'question_id' with 'code_list' "
            "(for predictions 'pred_list'); "
            f"this row has {shorten(', '.join(map(repr, sorted(row.data))), 200) or 'no key'}"
        )


def _identify(row: Row) -> str:
    """`id` of an answer to code execution, `question_id/test_id` of one to test output prediction."""
    if "question_id" not in row.data:
        return str(row.need("id", (str, int)))
    identifier = str(row.need("question_id", (str, int)))
    if "pred_list" not in row.data:
        return identifier
    if "id" in row.data:
        return str(row.need("id", (str, int)))
    return f"{identifier}/{row.need('test_id', (str, int))}"


def _missing(row: Row, what: str) -> str:
    return f"{row.path}:{row.line}: {what} is null"


def _sources(row: Row, value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise row.fail("a source must be a text or a list of texts")
    return tuple(dict.fromkeys(name for name in names if name))


def resolve(sample: Sample, problem: Problem) -> str:
    """The whole program: a completion goes behind the problem's starter code as it stands.

    A predicted value or call becomes a program; what is neither stays as it is, and will not define one.
    """
    if problem.asks is not Asked.PROGRAM and not sample.fault:
        return write_program(sample.code, problem) or _NONE
    return problem.starter_code + sample.code if sample.completion else sample.code


_NONE = "raise ValueError('the answer is neither an expression nor an assert that compares with one')\n"


def make_evalplus_rows(grouped: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """The lines of a samples file of evalplus; a problem without a program gets the empty one.

    `grouped` holds whole programs by problem id, here and below.
    """
    return [{"task_id": name, "solution": code} for name, codes in grouped.items() for code in codes or [""]]


def make_livecodebench_rows(grouped: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The one JSON list of LiveCodeBench's custom evaluation; every problem gets as many programs."""
    most = max((len(codes) for codes in grouped.values()), default=0) or 1
    return [
        {"question_id": name, "code_list": [*codes, *[""] * (most - len(codes))]}
        for name, codes in grouped.items()
    ]
