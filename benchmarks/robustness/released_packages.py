"""`sstar check` on released packages: what it reports there, and whether it sees functions that are emptied.

    python -m benchmarks.robustness.released_packages WHEELS [--count 30] [--seed 0]

WHEELS is a folder of wheels (`pip download --no-deps`). A released package has hardly a function that
somebody forgot, so each finding is shown with its source, to be judged by a person. Then `--count` functions
of each package, drawn by the seed, lose their bodies in each of four ways, and `check` has to name them.
Drawn are functions and methods outside tests, not inside another function, with more than one line of code.
"""

from __future__ import annotations

import argparse
import ast
import random
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tables import write_table
from sstar_code.agent.repository.find.assess import check_files
from sstar_code.agent.repository.find.project_files import (
    is_test_file,
    list_python,
    read_source,
    read_targets,
)
from sstar_code.agent.repository.find.syntax import Stub, all_functions
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.repository.findings import Finding

FORMS = ("raise NotImplementedError", "...", "pass", 'raise NotImplementedError("not implemented yet")')


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheels", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--missed", action="store_true", help="name the emptied functions that were not reported"
    )
    options = parser.parse_args()
    rows, told = [], []
    for wheel in sorted(options.wheels.glob("*.whl")):
        with tempfile.TemporaryDirectory() as name:
            root = Path(name).resolve() / "package"
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(root)
            (root / "pyproject.toml").touch()  # the mark of a repository
            found = check([root])
            release = "-".join(wheel.name.split("-")[:2])
            told += [f"{release} {line}" for line in (describe(root, item) for item in found)]
            drawn = draw(root, options.count, random.Random(options.seed))
            row = [release, len(list_python(root)), len(found), len(drawn)]
            for form in FORMS:
                seen, missed = count_seen(root, drawn, form)
                row.append(seen)
                told += [f"{release} missed {form}: {item}" for item in missed if options.missed]
            rows.append(tuple(row))
        print(*told, sep="\n", flush=True)
        told.clear()
    total = ("all", *(sum(row[place] for row in rows) for place in range(1, len(FORMS) + 4)))
    print(
        write_table(
            ("package", "files", "findings", "emptied", *(f"`{form}`" for form in FORMS)), [*rows, total]
        )
    )


def check(paths: Iterable[Path]) -> list[Finding]:
    """What the command says of files and folders."""
    return check_files(read_targets([str(path) for path in paths]))


def describe(root: Path, item: Finding) -> str:
    """Place and source of a finding, in a line."""
    lines = (root / item.path).read_text("utf-8", "replace").splitlines()[item.line - 1 :]
    indent = len(lines[0]) - len(lines[0].lstrip())
    inner = [line for line in lines[1:] if not line.strip() or len(line) - len(line.lstrip()) > indent]
    length = next((n for n, line in enumerate(lines[1:]) if line not in inner), len(inner))
    text = " ".join(" ".join(lines[: length + 1]).split())
    return f"{item.path}:{item.line} {item.rule} {item.qualname}: {text[:300]}"


def draw(root: Path, count: int, rng: random.Random) -> list[Stub]:
    """`count` functions that have code."""
    found = []
    for path in list_python(root):
        name = path.relative_to(root)
        if is_test_file(name.as_posix()) or {"test", "tests"} & set(name.parts):
            continue
        try:
            found += [stub for stub in all_functions(read_source(path)) if is_drawn(stub)]
        except UserError:
            continue
    return rng.sample(found, min(count, len(found)))


def is_drawn(stub: Stub) -> bool:
    body = stub.node.body[1:] if ast.get_docstring(stub.node) is not None else stub.node.body
    return not stub.is_nested and bool(body) and body[0].lineno < (stub.node.end_lineno or 0)


def count_seen(root: Path, drawn: list[Stub], form: str) -> tuple[int, list[str]]:
    """How many of the functions are reported once their bodies are `form`, and those that are not."""
    texts = {stub.source.path: stub.source.data for stub in drawn}
    for stub in sorted(drawn, key=lambda item: item.line, reverse=True):
        body = stub.node.body[1:] if ast.get_docstring(stub.node) is not None else stub.node.body
        lines = stub.source.path.read_bytes().split(b"\n")
        first = body[0].lineno - 1
        lines[first : stub.node.end_lineno] = [b" " * body[0].col_offset + form.encode()]
        stub.source.path.write_bytes(b"\n".join(lines))
    found = {(item.path, item.qualname) for item in check(texts)} if texts else set()
    for path, data in texts.items():
        path.write_bytes(data)
    names = [(stub.source.path.relative_to(root).as_posix(), stub.qualname) for stub in drawn]
    return sum(name in found for name in names), ["::".join(name) for name in names if name not in found]


if __name__ == "__main__":
    main()
