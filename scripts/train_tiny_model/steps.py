"""What the made-up tasks are composed of: each step with its words, right code and plausible wrong code.

Code is written for a list `v`; an element is `x`, the step's constant `K`. A wrong form is a mistake that a
hurried reader makes: a limit taken in or left out, the other end, the other parity, a crash on an empty list.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["NUMBERS", "NUMBER_RESULTS", "WORDS", "WORD_RESULTS", "Form", "Step"]


class Form(Enum):
    """How the code of a step stands in a program."""

    FILTER = auto()
    """A condition on `x`."""
    MAP = auto()
    """An expression of `x`."""
    LIST = auto()
    """An expression of `v` that gives the next list."""
    RESULT = auto()
    """An expression of `v` that gives the answer."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step; every text may hold K."""

    name: str
    form: Form
    says: tuple[str, ...]
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    constants: tuple[int | str, ...] = ()
    hard: float = 1.0
    """How much likelier than another step it is got wrong."""
    many: bool = False
    """Whether the result is a list."""


def keep(name: str, words: str, right: str, *wrong: str, constants: tuple[int | str, ...] = ()) -> Step:
    says = (f"keep only {words}", f"drop all but {words}")
    return Step(name, Form.FILTER, says, (right,), wrong, constants)


_SMALL = (2, 3, 4, 5)
_LIMITS = (-4, -1, 0, 2, 3, 5, 7, 9)

NUMBERS = (
    keep("even", "the even numbers", "x % 2 == 0", "x % 2 == 1", "x % 2 == 0 and x > 0"),
    keep("odd", "the odd numbers", "x % 2 != 0", "x % 2 == 0", "x % 2 == 1 and x > 0"),
    keep("positive", "the numbers above zero", "x > 0", "x >= 0", "x < 0"),
    keep("above", "the numbers greater than K", "x > K", "x >= K", "x < K", constants=_LIMITS),
    keep("below", "the numbers less than K", "x < K", "x <= K", "x > K", constants=_LIMITS),
    keep("least", "the numbers that are at least K", "x >= K", "x > K", "x <= K", constants=_LIMITS),
    keep("most", "the numbers that are at most K", "x <= K", "x < K", "x >= K", constants=_LIMITS),
    keep("multiples", "the multiples of K", "x % K == 0", "x // K == 0", "x % K != 0", constants=(3, 4, 5)),
    Step("add", Form.MAP, ("add K to each number",), ("x + K",), ("x - K", "x * K"), (1, 2, 3, 5, 7)),
    Step("less", Form.MAP, ("subtract K from each number",), ("x - K",), ("K - x", "x + K"), (1, 2, 3, 5, 7)),
    Step("times", Form.MAP, ("multiply each number by K",), ("x * K",), ("x + K", "x ** K"), _SMALL),
    Step("square", Form.MAP, ("square each number",), ("x * x", "x ** 2"), ("x * 2", "abs(x) * 2")),
    Step("absolute", Form.MAP, ("take the absolute value of each number",), ("abs(x)",), ("-x", "max(x, 0)")),
    Step("negate", Form.MAP, ("change the sign of each number",), ("-x",), ("abs(x)", "-abs(x)")),
    Step(
        "remainder",
        Form.MAP,
        ("replace each number by its remainder modulo K",),
        ("x % K",),
        ("x // K", "abs(x) % K"),
        (3, 4, 5, 7),
    ),
    Step("reverse", Form.LIST, ("reverse the list",), ("v[::-1]",), ("sorted(v, reverse=True)", "v[::-2]")),
    Step("ascending", Form.LIST, ("sort the list",), ("sorted(v)",), ("sorted(set(v))", "v[::-1]")),
    Step(
        "descending",
        Form.LIST,
        ("sort the list from high to low",),
        ("sorted(v, reverse=True)", "sorted(v)[::-1]"),
        ("sorted(v)", "v[::-1]"),
    ),
    Step(
        "distinct",
        Form.LIST,
        ("remove repeated items",),
        ("list(dict.fromkeys(v))",),
        ("sorted(set(v))", "[x for x in v if v.count(x) == 1]"),
        hard=1.5,
    ),
    Step("first", Form.LIST, ("take the first K items",), ("v[:K]",), ("v[:K - 1]", "v[K:]"), _SMALL),
    Step("last", Form.LIST, ("take the last K items",), ("v[-K:]",), ("v[:K]", "v[-K:-1]"), _SMALL),
    Step("skip", Form.LIST, ("leave out the first K items",), ("v[K:]",), ("v[:K]", "v[K - 1:]"), (1, 2, 3)),
    Step("second", Form.LIST, ("take every second item",), ("v[::2]",), ("v[1::2]", "v[:2]"), hard=1.5),
    Step(
        "totals",
        Form.LIST,
        ("replace each number by the total up to it",),
        ("[sum(v[:i + 1]) for i in range(len(v))]",),
        ("[sum(v[:i]) for i in range(len(v))]", "[sum(v[i:]) for i in range(len(v))]"),
        hard=1.5,
    ),
    Step(
        "changes",
        Form.LIST,
        ("replace the list by the differences of neighbours",),
        ("[b - a for a, b in zip(v, v[1:])]",),
        ("[a - b for a, b in zip(v, v[1:])]", "[v[i + 1] - v[i] for i in range(len(v))]"),
        hard=1.5,
    ),
)

NUMBER_RESULTS = (
    Step("sum", Form.RESULT, ("the sum",), ("sum(v)",), ("sum(v) // len(v)", "sum(set(v))")),
    Step(
        "largest",
        Form.RESULT,
        ("the largest number, or 0 if there is none",),
        ("max(v, default=0)", "max(v) if v else 0"),
        ("max(v)", "max(v + [0])", "min(v, default=0)"),
        hard=1.5,
    ),
    Step(
        "smallest",
        Form.RESULT,
        ("the smallest number, or 0 if there is none",),
        ("min(v, default=0)", "min(v) if v else 0"),
        ("min(v)", "min(v + [0])", "max(v, default=0)"),
        hard=1.5,
    ),
    Step("count", Form.RESULT, ("how many there are",), ("len(v)",), ("len(set(v))", "sum(v)")),
    Step("kinds", Form.RESULT, ("how many different ones there are",), ("len(set(v))",), ("len(v)",)),
    Step(
        "spread",
        Form.RESULT,
        ("the largest minus the smallest, or 0 if there is none",),
        ("max(v) - min(v) if v else 0",),
        ("max(v) - min(v)", "v[-1] - v[0] if v else 0"),
        hard=1.5,
    ),
    Step(
        "end",
        Form.RESULT,
        ("the last number, or 0 if there is none",),
        ("v[-1] if v else 0",),
        ("v[-1]", "v[0] if v else 0"),
    ),
    Step("all", Form.RESULT, ("the list",), ("v",), ("v[::-1]", "v[:-1]"), hard=0.5, many=True),
)

_LETTERS = ("a", "e", "o", "n", "s", "t")

WORDS = (
    keep(
        "longer",
        "the words longer than K letters",
        "len(x) > K",
        "len(x) >= K",
        "len(x) < K",
        constants=_SMALL,
    ),
    keep(
        "shorter",
        "the words shorter than K letters",
        "len(x) < K",
        "len(x) <= K",
        "len(x) > K",
        constants=_SMALL,
    ),
    keep(
        "starting",
        "the words that start with K",
        'x[0] == "K"',
        '"K" in x',
        'x[-1] == "K"',
        constants=_LETTERS,
    ),
    keep(
        "ending", "the words that end with K", 'x[-1] == "K"', '"K" in x', 'x[0] == "K"', constants=_LETTERS
    ),
    keep("having", "the words that contain K", '"K" in x', 'x[0] == "K"', '"K" not in x', constants=_LETTERS),
    Step("upper", Form.MAP, ("write each word in capitals",), ("x.upper()",), ("x.title()", "x.lower()")),
    Step(
        "capital", Form.MAP, ("make the first letter of each word a capital",), ("x.title()",), ("x.upper()",)
    ),
    Step("mirror", Form.MAP, ("write each word backwards",), ("x[::-1]",), ("x[::-2]", "x[-1]")),
    Step(
        "cut", Form.MAP, ("cut each word to its first K letters",), ("x[:K]",), ("x[:K - 1]", "x[K:]"), _SMALL
    ),
    Step("double", Form.MAP, ("write each word twice",), ("x * 2", "x + x"), ('x + " " + x', "x[0] + x")),
    *(step for step in NUMBERS if step.name in {"reverse", "distinct", "first", "last", "skip", "second"}),
    Step("alphabet", Form.LIST, ("sort the list",), ("sorted(v)",), ("sorted(v, key=len)", "sorted(set(v))")),
    Step(
        "lengths",
        Form.LIST,
        ("sort the list by length",),
        ("sorted(v, key=len)",),
        ("sorted(v)", "sorted(v, key=len)[::-1]"),
        hard=1.5,
    ),
)

WORD_RESULTS = (
    Step(
        "joined",
        Form.RESULT,
        ("the words joined by a dash",),
        ('"-".join(v)',),
        ('" ".join(v)', '"".join(v)'),
    ),
    Step(
        "longest",
        Form.RESULT,
        ("the first of the longest words, or none if there is none",),
        ('max(v, key=len, default="none")',),
        ("max(v, key=len)", 'max(v, default="none")', 'max(v[::-1], key=len, default="none")'),
        hard=1.5,
    ),
    Step(
        "letters",
        Form.RESULT,
        ("the number of letters",),
        ("sum(map(len, v))",),
        ("len(v)", 'len(" ".join(v))'),
    ),
    *(step for step in NUMBER_RESULTS if step.name in {"count", "kinds", "all"}),
)
