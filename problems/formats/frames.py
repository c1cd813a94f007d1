"""C++ around a candidate that is a function, not a program: what its tests need, and their `main`.

Assertions share a process with the candidate there. They are run by a function, behind which a line is
printed that nobody knows who has not read the tests: a candidate that ends the process has not passed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sstar_code.problems.errors import UserError

if TYPE_CHECKING:
    from sstar_code.problems.problem import Problem

FRAME_KEYS = ("imports", "prompt", "name", "tests")
_MAIN = re.compile(r"\bint\s+main\s*\(\s*(?:void)?\s*\)")
_OWN_MAIN = re.compile(r"\bint\s+main\s*\(")
_SIGNATURE = re.compile(r"\b(\w+)\s*\([^(){};]*\)\s*\{\s*\Z")
_HEAD_LINE = re.compile(r"(?m)^[ \t]*(?:#[ \t]*include\b.*|using\b.*;[ \t]*)$")
_NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


def make_frame(imports: str, prompt: str, tests: str) -> tuple[dict[str, str], str]:
    """What stands around a candidate for `prompt`, and what its tests print where all hold.

    Raises:
        ValueError: the prompt does not end with the head of a function, or the tests have no `main`.
    """
    found = _SIGNATURE.search(prompt)
    if found is None:
        raise ValueError("the prompt does not end with the head of a function and {")
    body, count = _MAIN.subn("static int run_tests_of_problem()", tests.strip().removeprefix("}"))
    if count != 1 or not body.rstrip().endswith("}"):
        raise ValueError("the tests are not one `int main() {...}`")
    told = hashlib.sha256(tests.encode()).hexdigest()[:32]
    main = (
        "#include <cstdio>\n#include <iostream>\n"
        f"{body.rstrip()[:-1]}    return 0;\n}}\n"
        "int main() {\n    std::cout.setstate(std::ios_base::failbit);\n"
        f'    run_tests_of_problem();\n    std::puts("{told}");\n}}\n'
    )
    return {"imports": imports, "prompt": prompt, "name": found[1], "tests": main}, f"{told}\n"


def fill_frame(frame: Mapping[str, str], code: str) -> str:
    """The whole program for a candidate: a body goes behind the prompt, which a whole function does not need.

    A `main` of its own is put out of the way, and a body may leave out its last brace.
    """
    code = _OWN_MAIN.sub("int main_of_candidate(", code)
    defined = rf"(?m)^[^\n/]*\b{re.escape(frame['name'])}\s*\([^(){{}};]*\)\s*\{{"
    if re.search(defined, code):
        heads = "\n".join(_HEAD_LINE.findall(frame["prompt"]))
        source = f"{frame['imports']}\n{heads}\n{code}"
    else:
        source = f"{frame['imports']}\n{frame['prompt'].rstrip()}\n{code}"
    plain = _NO_CODE.sub("", source)
    open_ = plain.count("{") - plain.count("}")
    return f"{source.rstrip()}\n{'}' if open_ == 1 else ''}\n{frame['tests']}"


def refuse_framed(problems: Iterable[Problem]) -> None:
    """Promise that none of `problems` asks for a C++ function: programs for these are graded alone.

    Raises:
        UserError: one does.
    """
    framed = next((problem.id for problem in problems if problem.frame is not None), None)
    if framed is not None:
        raise UserError(
            f"{framed} asks for a C++ function: `sstar grade` and `sstar validate` judge such programs; no "
            "other command asks for them or compares them"
        )
