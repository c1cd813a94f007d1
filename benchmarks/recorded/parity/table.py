"""Compares an official judge's readings with our verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.tables import write_table
from sstar_code.sandbox import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.recorded.parity.programs import Program

__all__ = ["compare", "list_differences", "print_loads", "print_table"]


def compare(
    programs: Sequence[Program],
    official: Mapping[str, Mapping[str, Mapping[str, Any]]],
    ours: Sequence[tuple[Verdict, dict[str, Any]]],
) -> list[dict[str, Any]]:
    """One row a verdict; `official` holds the judge's verdict in every reading."""
    rows = []
    verdicts = iter(ours)
    for program in programs:
        readings = official[program.question["case"]]
        for place, case in enumerate(program.cases):
            verdict, details = next(verdicts)
            rows.append(
                {
                    "set": case.name,
                    "id": case.problem.id,
                    "sample": case.sample,
                    "ours": verdict.value,
                    "official": {name: row["passed"][place] for name, row in readings.items()},
                    **details,
                    "code": case.code,
                }
            )
    return rows


def is_steady(row: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether the judge says the same in the readings `names`."""
    return len({row["official"][name] for name in names}) == 1


def agrees(row: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether the judge, steady in the readings `names`, says what we say."""
    passes: bool = row["official"][names[0]]
    return row["ours"] != Verdict.IE and (row["ours"] == Verdict.AC) is passes


def print_table(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    """The table of the readings `names`, a row a set; "only it" counts the verdicts that we lost (IE) too."""
    cells = []
    for name in dict.fromkeys(row["set"] for row in rows):
        items = [row for row in rows if row["set"] == name]
        steady = [row for row in items if is_steady(row, names)]
        differ = [row for row in steady if not agrees(row, names)]
        only_ours = sum(row["ours"] == Verdict.AC for row in differ)
        agree = len(steady) - len(differ)
        share = f"{100 * agree / len(steady):.2f}%" if steady else "-"
        unsteady, only_it = len(items) - len(steady), len(differ) - only_ours
        cells.append((name, len(items), unsteady, agree, share, only_ours, only_it))
    head = ("verdicts", "judge contradicts itself", "agree, of the rest", "share", "only ours", "only it")
    print(f"\nReadings: {', '.join(names)}\n\n{write_table(('set', *head), cells)}")


def print_loads(official: Mapping[str, Mapping[str, Mapping[str, Any]]], names: Sequence[str]) -> None:
    """The machine's load average in every reading: lowest, median, highest."""
    for name in names:
        loads = sorted(rows[name]["load"] for rows in official.values() if name in rows)
        if loads:
            print(f"load in {name!r}: {loads[0]}, {loads[len(loads) // 2]}, {loads[-1]}")


def list_differences(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Every verdict that differs from ours in a reading, or between readings."""
    return [row for row in rows if not (is_steady(row, names) and agrees(row, names))]
