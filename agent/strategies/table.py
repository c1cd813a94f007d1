"""All strategies by name: ours, and those that other packages bring.

An entry point is a frozen dataclass whose objects are strategies (`protocol.Strategy`):

    [project.entry-points."sstar_code.strategies"]
    mine = "my_package:Mine"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from sstar_code.agent.strategies.allocate import Allocate
from sstar_code.agent.strategies.backtracking.backtrack import Backtrack
from sstar_code.agent.strategies.feedback_edit import FeedbackEdit
from sstar_code.agent.strategies.sample import Sample
from sstar_code.agent.strategies.search.beam import Beam
from sstar_code.agent.strategies.search.coat import Coat
from sstar_code.agent.strategies.search.tree import Tree
from sstar_code.agent.strategies.tpo import Tpo
from sstar_code.agent.strategies.trained.depth import Depth
from sstar_code.agent.strategies.trained.learn import Learn
from sstar_code.agent.strategies.waves import Waves
from sstar_code.problems import UserError
from sstar_code.problems.errors import suggest
from sstar_code.problems.plugins import Plugin, list_plugins

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.run.store import Store
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample, Strategy
    from sstar_code.problems import Problem

STRATEGIES: Mapping[str, Callable[..., Strategy]] = {
    "sample": Sample,
    "waves": Waves,
    "beam": Beam,
    "tree": Tree,
    "coat": Coat,
    "tpo": Tpo,
    "feedback-edit": FeedbackEdit,
    "backtrack": Backtrack,
    "allocate": Allocate,
    "depth": Depth,
    "learn": Learn,
}
"""The strategies known here, as dataclasses of their settings; installed packages may bring more."""

_TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def list_strategies() -> Mapping[str, Plugin]:
    """Every strategy that installed packages bring, by name."""
    return list_plugins("strategy", "sstar_code.strategies", "sstar.strategies")


def choose_strategy(settings: Settings) -> Strategy:
    """The strategy that `settings` ask for.

    Raises:
        UserError: there is none of that name or with those settings, or it does not go with `n`.
    """
    name = settings.strategy_name
    if name == "waves" and settings.least is None:
        raise UserError("--strategy waves: it needs a range of samples; give --n 4..32, or --n auto")
    if name != "waves" and settings.least is not None:
        raise UserError(
            f"--n {settings.least}..{settings.n}: a range is for the strategy waves; "
            f"give a number beside --strategy {name}"
        )
    strategy = parse_strategy(settings.strategy or name)
    in_pieces = isinstance(strategy, Beam) and strategy.steps > 0
    in_pieces |= isinstance(strategy, Backtrack) and bool(strategy.token)
    if in_pieces and settings.thinking.is_led:
        raise UserError(
            f"--strategy {settings.strategy}: it writes each answer in pieces of its own; leave --think-..., "
            "--switch-penalty, --cut-loops, --confidence and --mur out"
        )
    return strategy


def keep_ways(settings: Settings, store: Store) -> None:
    """See that `store` is of a run with this strategy and this style, and keep that it is.

    Raises:
        UserError: it is of one with others.
    """
    for name, kept in store.ways().items():
        if (now := settings.ways.get(name)) != kept:
            raise UserError(
                f"{store.path}: the {name} of this run is {kept}, not {now}; use --fresh or another --out"
            )
    store.put_ways(settings.ways)


def parse_strategy(text: str) -> Strategy:
    """`beam:width=2,dvts=yes` -> the strategy with these settings; the others have their defaults.

    A name of ours is not taken over by a package.

    Raises:
        UserError: an unknown name or key (all are listed, the nearest is suggested), a value that does not
            suit its key, a key given twice, or a package that is broken.
    """
    name, colon, rest = text.partition(":")
    plugin = None if name in STRATEGIES else list_strategies().get(name)
    if plugin is not None:
        kind = plugin.load()
        if not is_dataclass(kind):
            raise UserError(
                f"strategy {name!r} of {plugin.package}: a dataclass of settings is expected; that package "
                f"is at fault ({plugin.entry_point.value})"
            )
        made: Strategy = _make(name, kind, rest, colon=bool(colon))
        return _Blamed(plugin, made)
    if name not in STRATEGIES:
        names = [*STRATEGIES, *list_strategies()]
        raise UserError(
            f"--strategy {text!r}: unknown strategy {name!r}{suggest(name, names)}; "
            f"choose one of {', '.join(names)}"
        )
    own: Strategy = _make(name, STRATEGIES[name], rest, colon=bool(colon))
    return own


def _make(name: str, kind: Any, rest: str, *, colon: bool) -> Any:
    """The object of the dataclass `kind` with what `rest` sets, like `width=2,dvts=yes`."""
    hints = get_type_hints(kind)
    known = {item.name: hints[item.name] for item in fields(kind) if item.init}
    told = f"its keys are {', '.join(known)}" if known else "it has no settings"
    given: dict[str, Any] = {}
    for part in rest.split(",") if colon else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key:
            raise UserError(f"--strategy {name}: {part!r} is no key=value; {told}")
        if key not in known:
            raise UserError(f"--strategy {name}: unknown key {key!r}{suggest(key, known)}; {told}")
        if key in given:
            raise UserError(f"--strategy {name}: {key} is given twice")
        given[key] = _read_value(name, key, value, known[key])
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise UserError(f"--strategy {name}: {error}") from error


def _read_value(name: str, key: str, text: str, kind: Any) -> Any:
    """The value of `kind` (bool, int, float or str) that `text` says."""
    words = {bool: "yes or no", int: "a whole number", float: "a number"}
    try:
        return _TRUTH[text.lower()] if kind is bool else kind(text)
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"--strategy {name}: {key}={text!r}: it must be {words.get(kind, 'a value of another kind')}"
        ) from None


@dataclass(frozen=True, slots=True)
class _Blamed:
    """A strategy of another package. Its faults are told as its package's, in one line."""

    plugin: Plugin
    strategy: Strategy

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        with self.plugin.blamed():
            made = await self.strategy(problem, context, on_sample)
            if not made or [item.sample for item in made] != list(range(len(made))):
                raise ValueError("the samples are not numbered from 0 without a gap")
            if not all(item.rounds for item in made):
                raise ValueError("a sample without a round")
        return tuple(made)

    def most_calls(self, settings: Settings) -> int:
        with self.plugin.blamed():
            return int(self.strategy.most_calls(settings))
