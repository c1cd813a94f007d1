"""Finds candidates of several functions that pass together the checks that call all of them.

A check that calls two open functions says nothing of a candidate for one of them alone. So candidates that
were tried are put together, the likeliest of each function first, until one set of them passes everything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.stubs import find_again
from sstar_code.agent.repository.verify.runner import TEST_LIMITS
from sstar_code.agent.repository.write.splice import MisfitError, put_candidate
from sstar_code.sandbox.outcome import Mode, Program, Status

if TYPE_CHECKING:
    from pathlib import Path

    from sstar_code.agent.repository.find.project_files import Source
    from sstar_code.agent.repository.write_function import FunctionWriter, WriteResult

_MOST_SETS = 48
"""Sets of candidates that are tried; each runs in a sandbox of its own."""
_MOST_EACH = 8


async def combine(
    group: Sequence[WriteResult], sources: Mapping[Path, Source], writer: FunctionWriter
) -> tuple[str, ...] | None:
    """A candidate for each of `group` with which all their checks pass; None where none was found.

    `sources` are the files with every other function as it is.
    """
    for number, codes in enumerate(itertools.islice(order_sets([item.tried for item in group]), _MOST_SETS)):
        try:
            present = put_all(zip(group, codes, strict=True), sources)
        except MisfitError:
            continue
        writer.runner.texts = {path: source.data for path, source in present.items()}
        if await _pass_together(group, codes, present, writer, f"set {number}"):
            return codes
    return None


def split_group(results: Sequence[WriteResult]) -> list[list[WriteResult]]:
    """`results` in groups that have no check in common."""
    groups: list[tuple[set[str], list[WriteResult]]] = []
    for result in results:
        assert result.task is not None
        texts, members = set(result.task.all_checks.texts), [result]
        for group in [item for item in groups if item[0] & texts]:
            groups.remove(group)
            texts |= group[0]
            members = [*group[1], *members]
        groups.append((texts, members))
    return [members for _, members in groups]


def order_sets(tried: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """One candidate of each, in every way, those first that stand near the front of their lists."""
    places = itertools.product(*(range(min(len(codes), _MOST_EACH)) for codes in tried))
    for chosen in sorted(places, key=lambda item: (sum(item), item)):
        yield tuple(codes[place] for codes, place in zip(tried, chosen, strict=True))


def put_all(written: Iterator[tuple[WriteResult, str]], sources: Mapping[Path, Source]) -> dict[Path, Source]:
    """`sources` with each of the functions written.

    Raises:
        MisfitError: one does not fit beside the others.
    """
    present = dict(sources)
    for result, code in written:
        path = result.stub.source.path
        found = find_again(present[path], result.stub)
        if found is None:
            raise MisfitError(f"{result.stub.qualname} is gone")
        present[path] = put_candidate(found, code).source
    return present


async def passes(
    result: WriteResult,
    texts: Sequence[str],
    sources: Mapping[Path, Source],
    writer: FunctionWriter,
    mark: str,
) -> bool:
    """Whether the checks `texts` pass with the code of `result` in the files `sources`.

    The runner's texts have to be those of `sources`; `mark` tells this version from others.
    """
    assert result.task is not None
    present = find_again(sources[result.stub.source.path], result.stub)
    assert present is not None
    preamble = f"{result.task.mark} {mark}"
    writer.sandbox.add(replace(result.task, stub=present, mark=preamble, checks=result.task.all_checks))
    program = Program(result.code, Mode.ASSERT, preamble=preamble)
    runs = await writer.sandbox.run(program, texts, TEST_LIMITS)
    return all(run.status is Status.OK for run in runs)


async def _pass_together(
    group: Sequence[WriteResult],
    codes: Sequence[str],
    sources: Mapping[Path, Source],
    writer: FunctionWriter,
    mark: str,
) -> bool:
    seen: set[str] = set()
    for result, code in zip(group, codes, strict=True):
        assert result.task is not None
        texts = [text for text in result.task.all_checks.texts if text not in seen]
        seen.update(texts)
        if texts and not await passes(replace(result, code=code), texts, sources, writer, mark):
            return False
    return True
