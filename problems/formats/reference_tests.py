"""Test programs of the EvalPlus sets: inputs run through a reference solution and the candidate.

The reference runs in the test's process, the candidate in another one.
Rules of comparison: `unsafe_execute` in evalplus's evalplus/eval/__init__.py.
"""

from __future__ import annotations

from typing import Any, Literal

from sstar_code.problems.statements.literals import isolate

Rule = Literal["equal", "set", "truth", "zero of polynomial"]
"""Condition for a right answer: the reference's value, its items in any order and number, its truth alone,
or being a zero of the polynomial that is the argument (HumanEval/32)."""

_CLOSE = """
def _close(got, want, absolute):
    if isinstance(got, (list, tuple)) and isinstance(want, (list, tuple)):
        return len(got) == len(want) and all(_close(a, b, absolute) for a, b in zip(got, want))
    numbers = (int, float, complex)
    if not (isinstance(got, numbers) and isinstance(want, numbers)):
        return False
    return got == want or abs(got - want) <= absolute + 1e-07 * abs(want)
"""
"""`numpy.allclose` with rtol 1e-7, without broadcasting."""

NUMPY_STAND_IN = (
    _CLOSE
    + """
class np:
    class ndarray:
        dtype = None
    float32 = float64 = float
    @staticmethod
    def allclose(got, want, rtol=1e-07, atol=1e-08):
        return _close(got, want, atol)
"""
)
"""The part of numpy that published test programs use; the sandbox has no numpy, so no value is an array."""

_RULES: dict[str, str] = {
    "equal": """
def _right(arguments, got, want):
    if got == want:
        return True
    floats = isinstance(want, float) or (
        isinstance(want, (list, tuple)) and len(want) > 0 and all(isinstance(item, float) for item in want))
    absolute = ATOL or (1e-06 if floats else 0)
    return absolute != 0 and type(got) is type(want) and _close(got, want, absolute)
""",
    "set": """
def _right(arguments, got, want):
    return set(got) == set(want)
""",
    "truth": """
def _right(arguments, got, want):
    return bool(got) == bool(want)
""",
    "zero of polynomial": """
def _right(arguments, got, want):
    return abs(sum(factor * math.pow(got, power) for power, factor in enumerate(arguments[0]))) <= ATOL
""",
}

_LOOP = """
_space = {"__name__": "reference", "__builtins__": builtins}
exec(compile(REFERENCE, "<reference>", "exec"), _space)
_reference = _space[NAME]
_answers = getattr(candidate, "__answers__", lambda rows: (candidate(*copy.deepcopy(row)) for row in rows))
for _arguments, _got in zip(INPUTS, _answers(INPUTS)):
    _want = _reference(*copy.deepcopy(_arguments))
    assert _right(_arguments, _got, _want), f"{NAME} of {_arguments!r}: got {_got!r}, not {_want!r}"[:2000]
"""


def compare_with_reference(
    entry_point: str, reference: str, inputs: list[Any], *, absolute: float = 0.0, rule: Rule = "equal"
) -> str:
    """The test program that asserts, for every list of arguments, that the candidate answers as `reference`.

    Both get deep copies, so that neither sees what the other did to its arguments. `absolute` is the set's
    tolerance (0: exact, but 1e-6 where the reference gives floats).
    """
    head = "import builtins, copy, math\ninf, nan = math.inf, math.nan\n"
    head += f"NAME, ATOL = {entry_point!r}, {absolute!r}\n"
    data = f"REFERENCE = {reference!r}\nINPUTS = {inputs!r}\n"
    return isolate(head + data + _CLOSE + _RULES[rule] + _LOOP, entry_point)
