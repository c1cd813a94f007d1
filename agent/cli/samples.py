"""Samples of any tool matched to the problems that were chosen."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.problems import UserError
from sstar_code.problems.errors import suggest
from sstar_code.sandbox.languages.table import PYTHON, find_language

if TYPE_CHECKING:
    from sstar_code.agent.jobs.choices import SandboxChoice
    from sstar_code.problems import Problem, Sample
    from sstar_code.problems.sets.load import ProblemSet

_MARKDOWN = re.compile(r"^[ \t>]{0,12}(?:```|~~~)|</think>|\[BEGIN\]", re.MULTILINE)
_SHOWN = 5
_EXAMPLE = '{"task_id": "PROBLEM", "solution": "PROGRAM"}'
_NUMBER = re.compile(r"[-_.]\d+$")


@dataclass(frozen=True, slots=True)
class Matched:
    """A sample of a problem that was chosen."""

    problem: Problem
    number: int
    """Counts the samples of its problem in the order given, from 0."""
    code: str
    sources: tuple[str, ...] = ()
    file: str = ""
    """Where a program has a file of its own."""
    fault: str = ""
    """Why there is no program (`code` is empty then)."""
    is_markdown: bool = False
    """Whether the program stands in Markdown, so that it does not compile as it is."""


def digest(*paths: Path) -> str:
    """Content hash of files and of folders of programs, 16 hex characters.

    Raises:
        UserError: one cannot be read.
    """
    from sstar_code.problems.bounds import hash_bytes
    from sstar_code.problems.samples import list_programs

    found = hashlib.sha256()
    for path in paths:
        try:
            if path.is_dir():
                for file in list_programs(path):
                    name = f"{file.relative_to(path)}\0{file.stat().st_size}\0"
                    found.update(name.encode("utf-8", "surrogateescape"))
                    hash_bytes(file, found)
            else:
                hash_bytes(path, found)
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    return found.hexdigest()[:16]


@dataclass(slots=True)
class Survey:
    """What samples of a file are like, counted while they pass by."""

    counts: Counter[str] = field(default_factory=Counter)
    """Samples by problem."""
    markdown: int = 0
    languages: set[str] = field(default_factory=set)
    """What they are written in, beside Python."""
    faults: list[str] = field(default_factory=list)

    def choose_languages(self, sandbox: SandboxChoice) -> SandboxChoice:
        """`sandbox` with what the samples need."""
        return replace(sandbox, languages=tuple(sorted(self.languages)))

    def watch(self, matched: Iterable[Matched]) -> Iterator[Matched]:
        """The same samples, counted."""
        from sstar_code.sandbox.languages.marks import read_mark

        for item in matched:
            self.counts[item.problem.id] += 1
            self.markdown += item.is_markdown
            if (name := read_mark(item.code)[0].name) != PYTHON:
                self.languages.add(name)
            if item.fault:
                self.faults.append(item.fault)
            yield item

    def tell(self, chosen: Sequence[Problem], say: Callable[[str], None], *, verb: str) -> list[str]:
        """Say what is odd about them; the ids of the chosen problems without a sample, which `verb`."""
        missing = [problem.id for problem in chosen if not self.counts[problem.id]]
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
            say(
                f"sstar: {len(missing)} of {len(chosen)} problems have no sample and {verb}: {shown}; "
                "for a part of the set choose it with --filter or --limit"
            )
        if self.markdown:
            say(f"sstar: {self.markdown} samples are Markdown, no programs: --extract takes the programs out")
        if self.faults:
            more = f" ({len(self.faults)} such)" if len(self.faults) > 1 else ""
            say(f"sstar: {self.faults[0]}: a sample without a program{more}")
        return missing


def match_samples(
    paths: Sequence[Path],
    whole: ProblemSet,
    chosen: Sequence[Problem],
    *,
    extract: bool = False,
    language: str = PYTHON,
) -> list[Matched]:
    """The samples of `iterate_matches`, all at once."""
    return list(iterate_matches(paths, whole, chosen, extract=extract, language=language))


def iterate_matches(
    paths: Sequence[Path],
    whole: ProblemSet,
    chosen: Sequence[Problem],
    *,
    extract: bool = False,
    language: str = PYTHON,
) -> Iterator[Matched]:
    """Every sample of `paths` whose problem was chosen, in order, read as they are asked for.

    With `extract` a sample is a model's answer, and the program is what `eval` would take out of it.
    Of several paths the name of each is the source of its samples that name none. A folder holds a folder or
    a file for each problem, named like the problem (`_` for `/`); for one problem it may hold its programs.
    `language` is that of samples that name none; another than Python stands in the program's first line.

    Raises:
        UserError: a sample names a problem that the set does not have, or a language that cannot be, or none
            is left.
    """
    from sstar_code.problems.samples import iterate_samples

    known = _names(whole)
    wanted = {problem.id: problem for problem in chosen}
    numbers: Counter[str] = Counter()
    is_empty = True
    for path in paths:
        for sample in iterate_samples(path):
            is_empty = False
            name = _find(sample, path, known, whole, chosen)
            if name in wanted:
                sources = sample.sources or ((_stem(path),) if len(paths) > 1 else ())
                written_in = _choose_language(sample, wanted[name], path, language)
                code, fault, marked = _read_program(
                    sample, wanted[name], path, extract=extract, language=written_in
                )
                yield Matched(wanted[name], numbers[name], code, sources, sample.file, fault, marked)
                numbers[name] += 1
    if not numbers:
        shown = ", ".join(map(str, paths))
        if is_empty:
            raise UserError(f"{shown}: holds no sample; a line is like {_EXAMPLE}")
        raise UserError(f"{shown}: no sample for any of the chosen problems")


def _choose_language(sample: Sample, problem: Problem, path: Path, default: str) -> str:
    """The language of `sample`, by name.

    Raises:
        UserError: there is no such language, or the problem asks for a function.
    """
    from sstar_code.sandbox.languages.marks import read_mark

    where = f"{path}/{sample.file}" if sample.file else str(path)
    own = "" if sample.language else read_mark(sample.code)[0].name
    if problem.frame is not None and default == PYTHON:
        default = "cpp"
    try:
        name = find_language(sample.language or (own if own != PYTHON else default)).name
    except ValueError as error:
        raise UserError(f"{where}: {problem.id}: {error}") from error
    refuse_functions([problem], name, where)
    if problem.frame is not None and name == PYTHON:
        raise UserError(f'{where}: {problem.id} asks for a C++ function; give the samples as "cpp"')
    return name


def refuse_functions(problems: Sequence[Problem], language: str, where: str = "") -> None:
    """Promise that programs in `language` can solve `problems`: all but Python's read standard input.

    Raises:
        UserError: they cannot.
    """
    calls = [problem.id for problem in problems if problem.kind.value != "stdin"]
    if calls and find_language(language).name != PYTHON:
        title = find_language(language).title
        place = f"{where}: " if where else ""
        raise UserError(
            f"{place}{calls[0]} asks for a Python function, which a {title} program cannot be: problems that "
            "read standard input can be solved in other languages; choose those with --filter"
        )


def _read_program(
    sample: Sample, problem: Problem, path: Path, *, extract: bool, language: str
) -> tuple[str, str, bool]:
    """The program, why there is none, and whether it still stands in Markdown."""
    from sstar_code.problems.python_source import parse_python
    from sstar_code.problems.samples import resolve
    from sstar_code.sandbox.languages.marks import mark

    marked = _MARKDOWN.search(sample.code) is not None
    if extract and not sample.fault and (marked or not sample.completion):
        from sstar_code.agent.generation.extract import extract_code

        found = extract_code(sample.code, problem, language).code
        where = f"{path}/{sample.file}" if sample.file else str(path)
        fault = "" if found else f"{where}: {problem.id}: --extract finds no program in a sample"
        return found or "", fault, False
    if language != PYTHON:
        return mark(sample.code, language) if sample.code else "", sample.fault, marked
    code = mark(resolve(sample, problem), PYTHON)
    return code, sample.fault, marked and parse_python(code) is None


def _names(whole: ProblemSet) -> dict[str, str]:
    """What samples may call a problem -> its id."""
    known = {problem.id: problem.id for problem in whole.problems}
    for name in list(known):
        known.setdefault(name.replace("/", "_"), name)  # evalplus names folders so
        known.setdefault(name.rpartition("/")[2], name)  # `2` for `Mbpp/2`, as some tools write
    return known


def _find(
    sample: Sample, path: Path, known: dict[str, str], whole: ProblemSet, chosen: Sequence[Problem]
) -> str:
    """The id of the sample's problem."""
    names = [sample.problem_id]
    if sample.file:
        folder, _, stem = sample.problem_id.rpartition("/")
        names = [folder, folder.rpartition("/")[2]] if folder else []
        names += [sample.problem_id, stem, _NUMBER.sub("", stem)]
    for name in names:
        if name in known:
            return known[name]
    if sample.file and len(chosen) == 1:
        return chosen[0].id
    where = f"{path}/{sample.file}" if sample.file else str(path)
    hint = "; name its folder like the problem, or choose one problem with --filter" if sample.file else ""
    raise UserError(f"{where}: no problem {names[0]!r} in {whole.name}:{whole.path}{hint}")


def find_answered(name: str | None, ids: list[str], *, as_json: bool) -> str | None:
    """The id of `ids`, problems with samples, that `--explain` names.

    Raises:
        UserError: none or several are meant, or JSON is asked for too.
    """
    if name is None:
        return None
    if as_json:
        raise UserError(
            "--explain prints text; leave out --json (the file in the run folder has the same as JSON)"
        )
    found = [one for one in ids if name == one] or [one for one in ids if name == one.rpartition("/")[2]]
    if len(found) != 1:
        hint = suggest(name, ids)
        raise UserError(f"--explain {name!r}: no such problem among those with samples{hint}")
    return found[0]


def _stem(path: Path) -> str:
    return path.name.partition(".")[0] or path.name
