"""The prompt templates.

Everything is a deterministic function of its arguments, because prompts are the keys of stored answers.

A template makes one user message, or several: a line that is exactly `[system]`, `[user]` or `[assistant]`
starts a message of that role. Only such lines of the template itself count, never those of a value, so a
problem statement cannot start a message. Messages lose surrounding blank lines; empty ones are left out.

Values (`VALUES` says which template gets which), all text unless said otherwise:

    problem      id, statement (without the markup of its page), raw_statement (as it was published), kind
                 ("stdin", "function"), asks ("program", "value", "call"), entry_point, starter_code,
                 public_tests (each: input, output, program; the last two may be None),
                 unshown_tests (those of them that the statement does not show), time_limit_s,
                 memory_limit_mb, several_answers (other outputs than the tests' may be right),
                 same_output (a sentence on which differences between outputs do not count; may be empty)
    environment  python (like "3.11"), libraries (import names beside the standard library), language (title
                 and flags, None for Python); None where nothing is known, as for a function of a repository
    code         the program to repair, None where no answer held one; for audit.j2 that to find faults in
    failures     its failures on public tests, `feedback.FailureNote` each; may be empty. The text of one that
                 ends with the same error as one before it is empty
    summary      how many public tests passed and failed and how, and what they used of their limits
    passed total its public tests
    earlier      the other rounds, oldest first: code, failures, passed, total each; empty for context "last"
    reason       why there is no code: "no code found", or that the answer was cut
    is_cut       whether the answer with `code` was cut
    generate     for kit.j2: whether a generator of inputs is wanted, not the validator alone
    count        how many inputs or tests to write
    first second for distinguish.j2 and compare.j2 two programs
    cases        for judge.j2: input, first, second each
    input        for choose.j2 and expect.j2, as a person would write it; outputs: two to four texts, A first
    style        "cot", "direct", "draft" or "plan": how much is to be written before the answer
    plan         with style "plan" the idea that the program is to follow, None where there is none
    case         for critique.j2, a test on which `first` and `second` differ: input, first, second, verdicts;
                 None where there is none. `second` may be None
    critique     for changes.j2 the answer to critique.j2; advice: for rewrite.j2 that to changes.j2 or
                 review.j2
    lessons      notes of other attempts, `memory.Shown`; None where there are none and none is asked for
    about        for style.j2 and lessons.j2, which other templates include: "program", "repair" or "judge",
                 and "told" or "asked"

Filters: `fence(tag)`, `cap(characters)`, `pyrepr` (an encoded value as a Python literal). Function:
`call(test)`, like `f(1, 'a')`, and `arguments(test)`, like `[1, 'a']`.
Templates run in Jinja2's sandbox: a directory may come from a repository.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.models.request import Message
from sstar_code.agent.prompts.shown import cap, fence, show_arguments, show_call, show_value
from sstar_code.agent.prompts.statement import clean_statement, describe_checker, list_unshown
from sstar_code.problems import UserError
from sstar_code.problems.bounds import MIB, read_text
from sstar_code.problems.files import why_outside

if TYPE_CHECKING:
    import jinja2
    from jinja2 import BaseLoader, Template, TemplateError

    from sstar_code.agent.generation.memory import Shown
    from sstar_code.problems import Problem, Test
    from sstar_code.sandbox import Environment

VALUES: dict[str, frozenset[str]] = {
    "generate": frozenset({"problem", "environment", "style", "plan", "lessons"}),
    "debug": frozenset(
        {
            *("problem", "environment", "code", "failures", "summary"),
            *("passed", "total", "earlier", "reason", "is_cut", "style", "lessons"),
        }
    ),
    "inputs": frozenset({"problem", "count"}),
    "distinguish": frozenset({"problem", "first", "second", "count"}),
    "judge": frozenset({"problem", "cases", "style"}),
    "audit": frozenset({"problem", "code", "count"}),
    "kit": frozenset({"problem", "generate"}),
    "reference": frozenset({"problem"}),
    "choose": frozenset({"problem", "input", "outputs", "style"}),
    "expect": frozenset({"problem", "input", "style"}),
    "tests": frozenset({"problem", "count"}),
    "compare": frozenset({"problem", "first", "second", "style"}),
    "style": frozenset({"style", "plan", "about"}),
    "lessons": frozenset({"lessons", "about", "style"}),
    "ideas": frozenset({"problem", "environment", "count"}),
    "associate": frozenset({"problem", "environment", "lessons", "code", "failures", "summary"}),
    "critique": frozenset({"problem", "environment", "first", "second", "case"}),
    "changes": frozenset({"problem", "environment", "first", "critique"}),
    "review": frozenset({"problem", "environment", "code", "failures", "summary"}),
    "rewrite": frozenset({"problem", "environment", "style", "code", "summary", "advice"}),
    "predict": frozenset({"problem", "style"}),
}
"""Template name -> the values it is rendered with."""

NAMES = tuple(f"{name}.j2" for name in VALUES)
FOR_REPOSITORY = Path(str(resources.files("sstar_code.agent.prompts") / "repository"))
"""Folder of the templates that `sstar fix` has instead of those for problems."""
FOR_CPP = Path(str(resources.files("sstar_code.agent.prompts") / "cpp"))
"""Folder of the templates that ask for C++; `environment.language` says which."""
_OF_STRATEGIES = ("style", "lessons", "ideas", "associate", "critique", "changes", "review", "rewrite")
_PARTS = frozenset(("style.j2", "lessons.j2"))
"""Those that others include; one may be meant to add nothing."""
_OF_VALUES = ("predict.j2", "expect.j2")
_FOLDERS = {f"{name}.j2": "strategies/" for name in _OF_STRATEGIES} | dict.fromkeys(_OF_VALUES, "prediction/")
_FOLDERS["audit.j2"] = "checking/"
"""The folders of those that do not stand with the others."""

_MOST_BYTES = MIB
"""The longest template that is read."""
_ROLES = ("system", "user", "assistant")
_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Errors that an expression of a template can raise besides Jinja2's own."""


@dataclass(frozen=True, slots=True)
class PromptProblem:
    """The part of a problem that a template may see: nothing that grades it."""

    id: str
    statement: str
    raw_statement: str
    kind: str
    asks: str
    entry_point: str | None
    starter_code: str
    public_tests: tuple[Test, ...]
    unshown_tests: tuple[Test, ...]
    time_limit_s: float
    memory_limit_mb: int
    several_answers: bool
    same_output: str

    @classmethod
    def of(cls, problem: Problem) -> PromptProblem:
        """The public face of `problem`."""
        return cls(
            problem.id,
            clean_statement(problem),
            problem.statement,
            problem.kind.value,
            problem.asks.value,
            problem.entry_point,
            problem.starter_code,
            problem.public_tests,
            list_unshown(problem, show_value),
            problem.time_limit_s,
            problem.memory_limit_mb,
            problem.several_answers,
            describe_checker(problem),
        )


class Prompts:
    """The templates, each the package's or the user's."""

    def __init__(self, *directories: Path | None) -> None:
        """Read and check the templates; files of `directories` named like ours replace them, the last first.

        Raises:
            UserError: no such directory, a template of an unknown name, a syntax error or an unknown value.
        """
        package = resources.files("sstar_code.agent.prompts") / "text"
        places = {name: f"{_FOLDERS.get(name, '')}{name}" for name in NAMES}
        self._sources = {name: (package / places[name]).read_text(encoding="utf-8") for name in NAMES}
        self._paths = {name: f"agent/prompts/text/{places[name]}" for name in NAMES}
        self._last: tuple[Any, tuple[Message, ...]] = (None, ())
        """What was rendered last without further values: the samples of a problem begin with one text."""
        self._marker = secrets.token_hex(16)  # no value can hold it, so no value can start a message
        for directory in filter(None, directories):
            self._replace(directory)
        for name in NAMES:  # at the end, since the environment keeps what it has compiled
            if self._paths[name] != f"agent/prompts/text/{places[name]}":
                self._check(name)

    def render(
        self,
        name: str,
        problem: Problem,
        *,
        environment: Environment | None = None,
        style: str = "cot",
        plan: str | None = None,
        lessons: Shown | None = None,
        **values: Any,
    ) -> tuple[Message, ...]:
        """The messages of template `name` ("generate", "debug", ...) for `problem`.

        `environment` is what programs find where they run; None: nothing is said of it. `style` and `plan`
        say what is to be written before the answer, `lessons` what other attempts have taught.

        Raises:
            UserError: the template fails; path and line are named.
        """
        from jinja2 import TemplateError

        file, same = f"{name}.j2", (name, problem, environment, style, plan, lessons)
        if not values and self._last[0] == same:
            return self._last[1]
        context = {
            "problem": PromptProblem.of(problem),
            "environment": environment,
            "style": style,
            "plan": plan,
            "lessons": lessons,
            "call": partial(show_call, problem.entry_point),
            "arguments": show_arguments,
        }
        try:
            text = self._environment.get_template(file).render({**context, **values})
        except (TemplateError, *_FAULTS) as error:
            raise self._explain(file, error) from error
        messages = self._split(text)
        if not messages:
            raise UserError(
                f"{self._paths[file]}: the prompt is empty; write the text of at least one message"
            )
        if not values:
            self._last = (same, messages)
        return messages

    @property
    def digest(self) -> str:
        """Content hash of all templates, 16 hex characters: other prompts are another experiment."""
        body = "".join(f"{name}\0{self._sources[name]}\0" for name in NAMES)
        return hashlib.sha256(body.encode()).hexdigest()[:16]

    @cached_property
    def _environment(self) -> jinja2.Environment:
        from jinja2 import FunctionLoader

        def load(name: str) -> tuple[str, str, None] | None:
            source = self._sources.get(name)
            return None if source is None else (self._mark(source), self._paths[name], None)

        return _make_environment(FunctionLoader(load))

    def _replace(self, directory: Path) -> None:
        if not directory.is_dir():
            raise UserError(f"{directory}: no such directory of prompt templates")
        packages = [str(resources.files(f"sstar_code.{name}")) for name in ("problems", "agent")]
        is_ours = any(map(directory.is_relative_to, packages))  # some installers make links of their files
        for path in sorted(directory.glob("*.j2")):
            if path.name not in NAMES:
                raise UserError(f"{path}: unknown prompt template; the names are {', '.join(NAMES)}")
            if not is_ours and (why := why_outside(directory, path)) is not None:
                raise UserError(f"{path}: {why}")
            self._sources[path.name] = read_text(path, _MOST_BYTES)
            self._paths[path.name] = str(path)

    def _check(self, file: str) -> None:
        """Find syntax errors, misspelt values and an empty file before a model is asked anything."""
        from jinja2 import TemplateError, meta, nodes

        if not self._sources[file].strip() and file not in _PARTS:
            raise UserError(f"{self._paths[file]}: is empty; write the text of a message, or remove the file")
        try:
            tree = self._environment.parse(self._mark(self._sources[file]), file, self._paths[file])
            self._environment.get_template(file)
        except TemplateError as error:
            raise self._explain(file, error) from error
        known = VALUES[file.removesuffix(".j2")]
        set_here = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
        known_here = {"call", "arguments", *self._environment.globals, *set_here}
        unknown = meta.find_undeclared_variables(tree) - known - known_here
        for node in tree.find_all(nodes.Name):
            if node.name in unknown:
                raise UserError(
                    f"{self._paths[file]}:{node.lineno}: unknown value {node.name!r}; "
                    f"this template gets {', '.join(sorted(known))}"
                )

    def _explain(self, file: str, error: TemplateError | Exception) -> UserError:
        path = self._paths[file]
        line = getattr(error, "lineno", None)
        trace = error.__traceback__
        while trace is not None:  # Jinja2 rewrites its tracebacks to the template's lines
            if trace.tb_frame.f_code.co_filename == path:
                line = trace.tb_lineno
            trace = trace.tb_next
        where = f"{path}:{line}" if line else path
        return UserError(f"{where}: {type(error).__name__}: {error}".replace("\n", " "))

    def _mark(self, source: str) -> str:
        lines = source.split("\n")
        separators = {f"[{role}]": f"{self._marker}:{role}:" for role in _ROLES}
        return "\n".join(separators.get(line.rstrip(), line) for line in lines)

    def _split(self, text: str) -> tuple[Message, ...]:
        first, *rest = text.split(f"{self._marker}:")
        pairs = [("user", first)]
        for part in rest:
            role, _, content = part.partition(":")
            pairs.append((role, content))
        return tuple(Message(role, content.strip()) for role, content in pairs if content.strip())


@cache
def load_fixed(file: str) -> Template:
    """A template of the package that no directory of the user's replaces: it is no prompt by itself."""
    from jinja2 import PackageLoader

    return _make_environment(PackageLoader("sstar_code.agent.prompts", "text")).get_template(file)


def render_macro(file: str, macro: str, *values: Any) -> str:
    """The text that `macro` of the fixed template `file` makes of `values`, without its last line end."""
    return str(getattr(load_fixed(file).module, macro)(*values)).removesuffix("\n")


def _make_environment(loader: BaseLoader) -> jinja2.Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=False,  # the result is a prompt, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cap": cap, "fence": fence, "pyrepr": show_value}
    return environment
