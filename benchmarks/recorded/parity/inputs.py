"""Names the problems of MBPP+ whose published tests are not evalplus's inputs and expected outputs.

    python -m benchmarks.recorded.parity.inputs FOLDER WORK

WORK is that of a run of benchmarks/recorded/parity/compare.py, which has what evalplus tests with. It is
compared, types included, with the program that MbppPlus-OriginFmt.jsonl.gz publishes, and with the arguments
to which our loader restores the types that JSON lost in MbppPlus.jsonl.gz.
"""

from __future__ import annotations

import argparse
import ast
import base64
import pickle
import zlib
from collections import Counter
from math import inf, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.recorded.data import read_lines
from benchmarks.tables import write_head, write_row
from sstar_code.problems.formats.evalplus import read_arguments, restore

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = {"inf": inf, "nan": nan, "Counter": Counter}


def spell(value: Any) -> str:
    """A text that values have in common if they are equal in all their types too."""
    kind = type(value)
    if isinstance(value, dict):
        items = sorted(f"{spell(key)}: {spell(item)}" for key, item in value.items())
    elif isinstance(value, (set, frozenset)):
        items = sorted(map(spell, value))
    elif isinstance(value, (list, tuple)):
        items = list(map(spell, value))
    else:
        return hex(value) if kind is int else repr(value)  # decimal digits are limited
    return f"{kind.__name__}({', '.join(items)})"


def read_published(source: str) -> tuple[list[Any], list[Any] | None]:
    """Inputs and results of a published test program; None where it calls a reference for the results."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("inputs", "results"):
                code = compile(ast.Expression(node.value), name, "eval")
                found[name] = eval(code, dict(_NAMES))
    return found["inputs"], found.get("results")


def count_missing(ours: Sequence[Any], theirs: Sequence[Any]) -> int:
    """How many of `theirs` are not among `ours`, whatever the order."""
    return (Counter(map(spell, theirs)) - Counter(map(spell, ours))).total()


def unpack(text: str) -> Any:
    """What official_inputs.py packed; our own file, so a pickle is no risk."""
    return pickle.loads(zlib.decompress(base64.b85decode(text)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("work", type=Path)
    options = parser.parse_args()
    place = options.folder / "mbpp"
    published = {f"Mbpp/{row['task_id']}": row for row in read_lines(place / "MbppPlus-OriginFmt.jsonl.gz")}
    untyped = {row["task_id"]: row for row in read_lines(place / "MbppPlus.jsonl.gz")}
    names = ("evalplus's inputs", "not published", "not our loader's", "published with another output")
    print(write_head(("problem", *names)))
    totals: Counter[str] = Counter()
    for row in read_lines(options.work / "mbpp.expected.jsonl"):
        task = row["task"]
        base, plus = (list(map(list, unpack(row[part][0]))) for part in ("base", "plus"))
        inputs, results = read_published(published[task]["test"])
        inputs = list(map(list, inputs))
        loaded = restore_all(untyped[task])
        known = results is not None and None not in (row["base"][1], row["plus"][1])
        other = {
            "inputs not published": count_missing(inputs, [*base, *plus]),
            "inputs not our loader's": count_missing(loaded, plus),
            "outputs that differ": 0,
        }
        if known:
            wanted = [value for part in ("base", "plus") for value in unpack(row[part][1])]
            theirs = list(zip([*base, *plus], wanted, strict=True))
            published_pairs = list(zip(inputs, results or [], strict=True))
            pairs = count_missing(published_pairs, theirs)
            other["outputs that differ"] = pairs - other["inputs not published"]
        totals.update(problems=1, with_outputs=int(known))
        totals.update({name: int(count > 0) for name, count in other.items()})
        if any(other.values()):
            print(write_row((task, len(base) + len(plus), *other.values())))
    print(dict(totals))


def restore_all(row: dict[str, Any]) -> list[list[Any]]:
    """The plus inputs of a row of MbppPlus.jsonl.gz as our loader restores them."""
    examples = read_arguments(row["assertion"], row["entry_point"])
    columns = [
        [seen[place] for seen in examples if place < len(seen)]
        for place in range(max(map(len, examples), default=0))
    ]
    return [
        [
            restore(value, columns[place] if place < len(columns) else [])
            for place, value in enumerate(arguments)
        ]
        for arguments in row["plus_input"] or []
    ]


if __name__ == "__main__":
    main()
