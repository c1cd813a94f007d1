"""What may be asked of thinking, as options write it: `--think-wait 2:execute`, `--switch-penalty 3:600`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sstar_code.problems import UserError

EXECUTE = "execute"
"""The text of `--think-wait` that stands for what the draft program did."""
_WAIT = "Wait"
_MOST_WAITS = 64
_MOST_BIAS = 100
_WARMUP, _WINDOW = 16, 2_048
_CANDIDATES = 4


@dataclass(frozen=True, slots=True)
class SwitchPenalty:
    """The penalty on switching thoughts."""

    alpha: float
    """What is taken from the logits of the words that switch."""
    tokens: int
    """How long, from the beginning of each thought."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """Which first samples are given up while they are written."""

    keep: float
    """Share of the warm-up's samples that would be kept, 0..1."""
    warmup: int = _WARMUP
    """First samples that are written to their end, and set the least confidence."""
    window: int = _WINDOW
    """Tokens over which confidence is a mean."""


@dataclass(frozen=True, slots=True)
class Mur:
    """Which steps of an answer are written several times."""

    gamma: float
    """The smaller, the fewer, 0..1."""
    candidates: int = _CANDIDATES
    """How often such a step is written."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """How the thinking before an answer is led. As it is by default it is left alone."""

    least: int | None = None
    """Tokens of thinking before the model may answer."""
    most: int | None = None
    """Tokens of thinking after which it has to answer; None: as many as the answer may have."""
    waits: int = 0
    """How often thinking that ends is gone on with."""
    wait: str = _WAIT
    """The words that it is gone on with."""
    executes: bool = False
    """Go on with what the draft in the thinking does on the public tests, where there is one."""
    penalty: SwitchPenalty | None = None
    cuts_loops: bool = False
    """End thinking that repeats itself."""
    confidence: Confidence | None = None
    mur: Mur | None = None

    @property
    def is_led(self) -> bool:
        """Whether anything is asked of it."""
        return self != Thinking()


def read_thinking(
    think_min: int | None,
    think_max: int | None,
    think_wait: str = "",
    switch_penalty: str = "",
    confidence: str = "",
    *,
    mur: str = "",
    cut_loops: bool = False,
) -> Thinking:
    """The options by their flags' names; empty texts are options that were not given.

    Raises:
        UserError: a text has another form, or the least is more than the most.
    """
    if think_min is not None and think_max is not None and think_min > think_max:
        raise UserError(f"--think-min {think_min} is more than --think-max {think_max}")
    waits, text = _read_wait(think_wait) if think_wait else (0, _WAIT)
    executes = text == EXECUTE
    penalty = _read_penalty(switch_penalty) if switch_penalty else None
    led = Thinking(think_min, think_max, waits, _WAIT if executes else text, executes, penalty, cut_loops)
    if confidence and led.is_led:
        raise UserError(
            "--confidence: it watches an answer that is one call; leave the options that lead it out"
        )
    if mur and (confidence or led.is_led):
        raise UserError(
            "--mur: it writes an answer in steps of its own; leave --confidence and the options that lead "
            "thinking out"
        )
    if mur:
        return replace(led, mur=_read_mur(mur))
    return replace(led, confidence=_read_confidence(confidence)) if confidence else led


def _read_mur(given: str) -> Mur:
    """`0.9` -> four candidates, `0.9:8` -> eight."""
    found = re.fullmatch(r"\s*(0?\.\d{1,6}|1(?:\.0{1,6})?)(?::(\d{1,2}))?\s*", given)
    made = None if found is None else Mur(float(found[1]), int(found[2] or _CANDIDATES))
    if made is None or made.gamma <= 0 or made.candidates < 2:
        raise UserError(
            f"--mur {given!r}: it must be GAMMA[:CANDIDATES] like 0.9 or 0.9:4, with GAMMA above 0 and up to "
            "1 and two candidates or more"
        )
    return made


def _read_confidence(given: str) -> Confidence:
    """`keep=0.9,warmup=8,window=1024`."""
    parts = [part.partition("=") for part in given.split(",")]
    values = {name.strip(): value.strip() for name, _, value in parts}
    try:
        made = Confidence(
            float(values.pop("keep")), int(values.pop("warmup", _WARMUP)), int(values.pop("window", _WINDOW))
        )
    except (KeyError, ValueError):
        made = None
    if made is None or values or not (0 < made.keep < 1 and made.warmup >= 2 and made.window >= 1):
        raise UserError(
            f"--confidence {given!r}: it must be keep=SHARE[,warmup=N][,window=TOKENS] like keep=0.9, with a "
            "share between 0 and 1 and two samples of warm-up or more"
        )
    return made


def _read_penalty(given: str) -> SwitchPenalty:
    """`3:600` -> 3 for 600 tokens."""
    found = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{1,6})?):(\d{1,7})\s*", given)
    if found is None or not 0 < float(found[1]) <= _MOST_BIAS or not int(found[2]):
        raise UserError(
            f"--switch-penalty {given!r}: it must be ALPHA:TOKENS like 3:600, with ALPHA up to {_MOST_BIAS}"
        )
    return SwitchPenalty(float(found[1]), int(found[2]))


def _read_wait(given: str) -> tuple[int, str]:
    """`2` -> (2, "Wait"), `1:Hmm` -> (1, "Hmm")."""
    found = re.fullmatch(r"\s*(\d{1,3})\s*(?::(.*))?", given, re.DOTALL)
    waits = int(found[1]) if found else 0
    if found is None or not 1 <= waits <= _MOST_WAITS or (found[2] is not None and not found[2].strip()):
        raise UserError(
            f"--think-wait {given!r}: it must be K, K:TEXT or K:{EXECUTE}, with K from 1 to {_MOST_WAITS}"
        )
    return waits, (found[2] or _WAIT).strip()
