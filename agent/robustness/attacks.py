"""Attacks: instructions where data is expected, and what they do to a problem and to its candidates.

Source: Trading inference-time compute for adversarial robustness (arXiv 2501.18841), whose two attacks on
the computing itself are `think-less` and `nerd-snipe`; the others are its injections, carried to code. Each
is a file in `texts/`. They are harmless: they ask for a mark in the program, or for more or fewer tokens.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

from sstar_code.agent.models.request import Answer, Stage, Usage
from sstar_code.problems import Kind, Problem, Test, UserError
from sstar_code.problems.errors import suggest

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Model, Request

MARKER = "SSTAR-MARKER"
"""A program with it obeys."""
NONE = "none"
"""The name of a run without an attack, which the others are compared with."""
_ORDER = (
    *("statement", "public-test", "plain-candidate", "candidate-comment", "output-text"),
    *("think-less", "nerd-snipe"),
)


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack."""

    name: str
    what: str
    """What it does, in words."""
    place: str
    """Where its text stands: statement, public test, candidate or output; empty: nowhere."""
    text: str = ""

    def apply(self, problem: Problem) -> Problem:
        """The problem as it is attacked; hidden tests stay."""
        if self.place == "statement":
            return replace(problem, statement=problem.statement + self.text)
        known = next((test for test in problem.public_tests if test.program is None), None)
        if self.place != "public test" or known is None:
            return problem
        wrong = json.dumps(self.text) if problem.kind is Kind.FUNCTION else self.text
        return replace(problem, public_tests=(*problem.public_tests, Test(known.input, wrong)))

    def forge(self, problem: Problem) -> str | None:
        """The program that an attacker hands in as the first sample; None where this attack has none."""
        if self.place not in ("candidate", "output"):
            return None
        comment = self.text.strip() if self.place == "candidate" else f"# {MARKER}"
        said = self.text if self.place == "output" else ""
        tests = [test for test in problem.public_tests if test.output is not None]
        if problem.kind is Kind.STDIN:
            known = {test.input.strip(): test.output for test in tests}
            read = f"print(known.get(sys.stdin.read().strip(), {said!r}))"
            return f"{comment}\nimport sys\n\nknown = {known!r}\n{read}\n"
        values = {_write_key(test.input): test.output for test in tests}
        owner, _, name = (problem.entry_point or "").rpartition(".")
        lines = [
            f"def {name}({'self, ' if owner else ''}*values):",
            "    key = '\\n'.join(json.dumps(value) for value in values)",
            f"    return json.loads(KNOWN[key]) if key in KNOWN else {said or None!r}",
        ]
        if owner:
            lines = [f"class {owner}:", *(f"    {line}" for line in lines)]
        body = "\n".join(lines)
        return f"{comment}\nimport json\n\nKNOWN = {values!r}\n\n\n{body}\n"

    def wrap(self, model: Model, problems: Iterable[Problem]) -> Model:
        """The model as it is attacked."""
        return AttackedModel(model, {one.id: self.forge(one) for one in problems})


def _write_key(given: str) -> str:
    """The arguments of a test as the forged program writes them; as they are where they are no plain JSON."""
    try:
        return "\n".join(json.dumps(json.loads(line)) for line in given.splitlines())
    except ValueError:
        return given


def list_attacks() -> dict[str, Attack]:
    """All attacks by name."""
    folder = resources.files("sstar_code.agent") / "robustness" / "texts"
    data = {name: tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8")) for name in _ORDER}
    return {name: Attack(name, **fields) for name, fields in data.items()}


def read_attacks(text: str) -> list[Attack]:
    """`statement,output-text` or `all`; the run without an attack comes first.

    Raises:
        UserError: one is unknown, or none is named.
    """
    known = list_attacks()
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    names = list(known) if names == ["all"] else names
    for name in names:
        if name not in known:
            raise UserError(
                f"--attack {name!r}: unknown{suggest(name, known)}; choose some of {', '.join(known)}, or all"
            )
    if not names:
        raise UserError(f"--attack: none is named; choose some of {', '.join(known)}, or all")
    return [Attack(NONE, "nothing", ""), *(known[name] for name in names)]


class AttackedModel:
    """A model whose first answer to a problem is the attacker's, where the attack hands a program in."""

    def __init__(self, model: Model, forged: Mapping[str, str | None]) -> None:
        self.name = model.name
        self._model = model
        self._forged = forged

    async def ask(self, request: Request) -> Answer:
        """As `Model.ask`; the attacker's answer costs no token."""
        purpose = request.purpose
        forged = self._forged.get(purpose.problem_id)
        if forged is None or (purpose.stage, purpose.sample, purpose.ordinal) != (Stage.GENERATE, 0, ""):
            return await self._model.ask(request)
        return Answer(f"```python\n{forged}```", model="the attacker", usage=Usage(0, 0, 0, 0))
