"""Prompts and sampling of leaderboards, so that a number of ours may stand beside one of theirs.

The values are facts read in the sources that `Preset.source` names; the words of the templates are our own.
What a chat endpoint cannot be given is left out: `docs/leaderboard.md` lists it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.problems import UserError
from sstar_code.problems.errors import suggest
from sstar_code.sandbox.languages.table import PYTHON

if TYPE_CHECKING:
    from sstar_code.agent.jobs.choices import Endpoint
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings


@dataclass(frozen=True, slots=True)
class Preset:
    """What one leaderboard asks a model, and how."""

    name: str
    leaderboard: str
    source: str
    """Where the values were read."""
    sets: tuple[str, ...]
    """Names of the sets that it is for, without their release."""
    n: int
    temperature: float
    top_p: float
    max_tokens: int | None
    """None: the leaderboard gives no number, so ours stays."""

    @property
    def prompts(self) -> Path:
        """The folder of its templates."""
        return Path(str(files("sstar_code.agent.prompts") / "presets" / self.name))

    @property
    def values(self) -> Mapping[str, Any]:
        """Setting -> its value: the sampling, and neither repair nor choice, which no leaderboard makes."""
        own = {"n": self.n, "temperature": self.temperature, "top_p": self.top_p}
        tokens = {} if self.max_tokens is None else {"max_tokens": self.max_tokens}
        return {**own, **tokens, "rounds": 0, "select": "first"}

    @property
    def settings(self) -> Settings:
        """The same as settings, which do not know `top_p`: that is given to the endpoint."""
        from sstar_code.agent.solving.settings import Settings

        return Settings(**{name: value for name, value in self.values.items() if name != "top_p"})


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "lcb",
            "LiveCodeBench",
            "lcb_runner of LiveCodeBench, commit 28fef95",
            sets=("lcb",),
            n=10,
            temperature=0.2,
            top_p=0.95,
            max_tokens=2000,
        ),
        Preset(
            "humaneval",
            "HumanEval",
            "openai/human-eval, commit 6d43fb9, and arXiv 2107.03374",
            sets=("humaneval",),
            n=200,
            temperature=0.2,
            top_p=0.95,
            max_tokens=None,
        ),
        Preset(
            "evalplus",
            "EvalPlus",
            "evalplus, commit 26d6d00",
            sets=("humaneval", "humaneval+", "mbpp+"),
            n=1,
            temperature=0.0,
            top_p=0.95,
            max_tokens=768,
        ),
    )
}


def find_preset(name: str) -> Preset:
    """The preset of this name.

    Raises:
        UserError: there is none.
    """
    if name not in PRESETS:
        raise UserError(
            f"--preset {name!r}: there is no such preset{suggest(name, PRESETS)}; give {', '.join(PRESETS)}"
        )
    return PRESETS[name]


def choose_prompts(
    templates: Path | None, preset: str | None, model: object, language: str = PYTHON
) -> Prompts:
    """The templates of the folder `templates`, over the preset's, a language's or those of a recording.

    Raises:
        UserError: a template cannot be used, or a preset is asked for in another language than Python.
    """
    from sstar_code.agent.models.recorded import find_prompts
    from sstar_code.agent.prompts.templates import FOR_CPP, Prompts

    if language != PYTHON:
        if preset is not None:
            raise UserError(f"--preset {preset}: leaderboards ask for Python, not {language}; leave it out")
        return Prompts(FOR_CPP, templates or find_prompts(model))
    if preset is None:
        return Prompts(templates or find_prompts(model))
    return Prompts(find_preset(preset).prompts, templates)


def note_preset(
    preset: str | None, settings: Settings, endpoint: Endpoint, prompts: Prompts, set_name: str | None = None
) -> dict[str, Any]:
    """What a manifest keeps of the preset: its name, where it is from, and what departs from it.

    Empty without a preset.
    """
    if preset is None:
        return {}
    found = find_preset(preset)
    departures = list_departures(found, settings, endpoint, prompts, set_name)
    return {"preset": {"name": preset, "source": found.source, "departures": departures}}


def list_departures(
    preset: Preset, settings: Settings, endpoint: Endpoint, prompts: Prompts, set_name: str | None
) -> list[str]:
    """What a run does otherwise than `preset`, a line each like `temperature 0.7, not 0.2`.

    `set_name` is that of the set, with its release where it has one; None: a single problem.
    """
    return list(_walk(preset, settings, endpoint, prompts, set_name))


def _walk(
    preset: Preset, settings: Settings, endpoint: Endpoint, prompts: Prompts, set_name: str | None
) -> Iterator[str]:
    from sstar_code.agent.prompts.templates import Prompts

    if set_name is not None and set_name.partition("@")[0] not in preset.sets:
        yield f"set {set_name}, not {' or '.join(preset.sets)}"
    if prompts.digest != Prompts(preset.prompts).digest:
        yield "prompts of another folder"
    if settings.least is not None:
        yield f"n {settings.least}..{settings.n}, not {preset.n}"
    asked = {**settings.as_json(), "top_p": None, **endpoint.body_fields}
    for name, wanted in preset.values.items():
        if asked[name] != wanted and not (name == "n" and settings.least is not None):
            alone = " (selected@1 alone)" if name in ("rounds", "select") else ""
            yield f"{name} {_show(asked[name])}, not {_show(wanted)}{alone}"
    for name, value in endpoint.body_fields.items():
        if name != "top_p":
            yield f"{name} {_show(value)}, not given"
    yield from _list_additions(settings, endpoint)


def _list_additions(settings: Settings, endpoint: Endpoint) -> Iterator[str]:
    """What no preset speaks of."""
    if settings.strategy_name not in ("sample", "waves"):  # a range of `n` is told of by itself
        yield f"strategy {settings.strategy}, not sample"
    if settings.style != "cot":
        yield f"style {settings.style}, not given"
    if settings.lessons != "off":
        yield f"lessons {settings.lessons}, not given"
    if endpoint.max_thinking is not None:
        yield f"max_thinking {endpoint.max_thinking}, not given"
    for role, other in endpoint.roles.items():
        yield f"{role} by {other.model}, not by the model itself"
    if endpoint.system_role != "system":
        yield f"system_role {endpoint.system_role}, not system"


def _show(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "not given" if value is None else str(value)
