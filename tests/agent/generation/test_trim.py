"""What stands beside a function: hazards go, what the function needs stays, and nothing else is touched."""

from __future__ import annotations

import pytest

from sstar_code.agent.generation.extract.trim import trim
from sstar_code.problems import Kind, Problem

FUNCTION = Problem("f", "S", Kind.FUNCTION, "triple")
METHOD = Problem("m", "S", Kind.FUNCTION, "Solution.triple")
BODY = Problem("b", "S", Kind.FUNCTION, "triple", "def triple(x):\n")

DEF = "def triple(x):\n    return 3 * x\n"
CLASS = "class Solution:\n    def triple(self, x):\n        return 3 * x\n"


@pytest.mark.parametrize(
    "after",
    [
        'x = int(input("Enter x: "))\nprint(triple(x))\n',
        "# Tests\nassert triple(2) == 7\n",
        "exit()\n",
        "raise SystemExit\n",
        "print(tripel(2))\n",
        "print(triple(2) / 0)\n",
        "y = triple(2)\nz = y + 1\nprint(f'{z}')\n",
        "while True:\n    line = input()\n    if not line:\n        break\n",
        "for x in map(int, input().split()):\n    print(triple(x))\n",
        "try:\n    print(triple(int(input())))\nexcept ValueError:\n    raise\n",
        "from solution import triple\n",
        "# It is\n# as it is\nbreakpoint()\n",
    ],
)
def test_demonstrations_are_cut_off(after):
    """What asks, asserts, ends or shows goes, with its comments and with what needs it."""
    assert trim(f"{DEF}\n\n{after}", FUNCTION).rstrip() == DEF.rstrip()


@pytest.mark.parametrize(
    ("code", "trimmed"),
    [
        (f"import sys\n{DEF}sys.exit(0)\n", f"import sys\n{DEF}"),
        (f"import sys\n{DEF}import os; sys.exit(0)\n", f"import sys\n{DEF}import os; pass\n"),
        (f"import pytest\n{DEF}@pytest.mark.slow\ndef test():\n    assert 0\n", DEF),
        (f"x = input()\n{DEF}", DEF),
        (f"import sys\n{DEF}x = int(sys.argv[1])\n", f"import sys\n{DEF}"),
        (f"import argparse as a\n{DEF}x = a.ArgumentParser().parse_args()\n", f"import argparse as a\n{DEF}"),
        (
            f"{DEF}def test():\n    assert triple(1) == 4\n\ntest()\n",
            f"{DEF}def test():\n    assert triple(1) == 4\n",
        ),
        (f"{DEF}def main():\n    print(triple(int(input())))\n\nmain()\n", None),
    ],
)
def test_only_the_hazard_goes(code, trimmed):
    """Definitions and imports beside it stay; a statement on the same line does too."""
    if trimmed is None:
        trimmed = code.replace("\nmain()\n", "")
    assert trim(code, FUNCTION).rstrip() == trimmed.rstrip()


def test_demonstrations_of_a_class_and_behind_a_body_are_cut_off():
    """Calls of the method count as calls of the entry point; a body is read with its `def` line."""
    assert (
        trim(f"{CLASS}\ns = Solution()\nprint(s.triple(int(input())))\n", METHOD)
        == f"{CLASS}\ns = Solution()"
    )
    assert trim("    return 3 * x\n\nassert triple(1) == 4\n", BODY) == "    return 3 * x"


_READS = "def triple(x):\n    return T[x]\n"


@pytest.mark.parametrize(
    "code",
    [
        DEF,
        f"{DEF}print('done')\n",
        f'{DEF}for i in range(3):\n    print("""\n```\n""", i)\n',
        f"{DEF}if __name__ == '__main__':\n    print(triple(int(input())))\n",
        f"import sys\nsys.setrecursionlimit(10**6)\n{DEF}",
        f"import numpy as np\n{DEF}",
        f"T = []\nfor i in range(9):\n    T.append(3 * i)\n{_READS}",
        f"T = [0]\nwhile len(T) < 9:\n    T += [T[-1] + 3]\n{_READS}",
        f"T = {{}}\ndef fill(k):\n    for i in range(k): T[i] = 3 * i\n    print(k + 1)\nfill(9)\n{_READS}",
        f"T = 0\ndef fill():\n    global T\n    T = [0, 3]\n    assert len(T) + 1\nfill()\n{_READS}",
        f"T = []\ndef fill():\n    T.extend(range(0, 27, 3))\n    return T\nprint(len(fill()))\n{_READS}",
        f"def keep(f):\n    T['f'] = f\n    print(1 + 1)\nT = {{}}\n@keep\ndef inner(x): ...\n{_READS}",
        "class K: ...\nK.three = max(3, len(str(2)))\ndef triple(x):\n    return K.three * x\n",
        "from functools import cache\ndef f(x):\n    return 3 * x\ntriple = cache(f)\n",
        "def three():\n    return 3\ndef triple(x):\n    return globals()['three']() * x\nassert 0\n",
    ],
)
def test_a_right_program_is_not_touched(code):
    """Tables stay however they are built, and so does what can do no harm."""
    assert trim(code, FUNCTION) == code


def test_programs_for_standard_input_are_never_cut():
    """There everything at the margin is the program."""
    code = f"{DEF}assert input()\nprint(triple(1))\n"
    assert trim(code, Problem("s", "S", Kind.STDIN)) == code
