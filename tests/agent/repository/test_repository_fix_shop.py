"""Every kind of open function in one repository, solved with recorded answers in the real sandbox."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from sstar_code.agent.repository.find.project_files import list_python, parse_source, read_source
from sstar_code.agent.repository.find.stubs import find_function, find_stubs
from sstar_code.agent.repository.write.splice import MisfitError, put_candidate

IMPOSSIBLE = {"untold", "outer.<locals>.inner", "unproved"}


def test_every_kind_of_function_is_in_the_repository(shop):
    """What is open there is what has answers, and three that nothing can prove."""
    opened = {stub.qualname for path in list_python(shop.root) for stub in find_stubs(read_source(path))}
    assert len(opened) >= 30
    assert opened - IMPOSSIBLE == set(shop.answers)


@pytest.mark.usefixtures("sandbox_local")
@pytest.mark.slow  # ./layouts shows one repository of many
def test_every_kind_of_function_is_solved(shop, fix):
    """Right answers win over wrong ones that pass the examples; hidden tests pass; other bytes stay."""
    before = {path: path.read_bytes() for path in list_python(shop.root)}
    answers = {name: [kinds["right"], kinds["wrong"], kinds["right"]] for name, kinds in shop.answers.items()}
    ended = fix(answers, "--n", "3", "--sandbox", "local", "--write", "--format", "json", shop.root)
    assert ended.code == 1
    findings = {item["qualname"]: item for item in json.loads(ended.out)["findings"]}
    unsolved = {
        name: item["message"] for name, item in findings.items() if item["rule"] != "function-written"
    }
    assert set(unsolved) == IMPOSSIBLE, ended.err
    (shop.root / "tests" / "test_hidden.py").write_text(shop.hidden)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=shop.root,
        env={"PYTHONPATH": str(shop.root / "src"), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    for path, data in before.items():
        names = [
            stub.qualname for stub in find_stubs(parse_source(path, data)) if stub.qualname in shop.answers
        ]
        assert outside(path, path.read_bytes(), names) == outside(path, data, names)


def outside(path, data, names):
    """The lines of a file without the bodies of the functions `names` and without marks."""
    source = parse_source(path, data)
    lines = data.splitlines(keepends=True)
    for name in names:
        node = find_function(source, name).node
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        first = body[0].lineno - 1
        before = lines[first][: body[0].col_offset]
        for number in range(first, node.end_lineno):
            lines[number] = b""
        if before.strip():
            lines[first] = before.rstrip() + source.newline.encode()
    return b"".join(line for line in lines if b"sstar: implement" not in line)


def test_every_answer_fits_and_leaves_the_rest(shop):
    """Right and wrong answers of every kind are put in place, and no byte outside a body changes."""
    for path in list_python(shop.root):
        for kind in ("right", "wrong"):
            source = read_source(path)
            names = [stub.qualname for stub in find_stubs(source) if stub.qualname in shop.answers]
            for name in names:
                if (name, kind) == ("Cart.pay", "wrong"):  # it is no coroutine, so it is refused
                    with pytest.raises(MisfitError):
                        put_candidate(find_function(source, name), shop.answers[name][kind])
                    continue
                source = put_candidate(find_function(source, name), shop.answers[name][kind]).source
            assert outside(path, source.data, names) == outside(path, path.read_bytes(), names)
            assert source.data.count(b"\r\n") in (0, source.data.count(b"\n"))
