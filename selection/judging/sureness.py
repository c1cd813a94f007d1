"""What the probability of a judge's answer tells of whether it is right, found out on known answers.

Models give the word that they write a probability, mostly too high a one, sometimes one that tells nothing.
So it is never taken as it is: how much more often sure answers were right than unsure ones is measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from sstar_code.selection.evidence.posterior import log_odds

_ENOUGH = 8
"""Known answers with a probability from which on it is used."""
_SLOPES = ((0.0, 0.4), (0.25, 0.2), (0.5, 0.2), (1.0, 0.2))
"""Log-odds of being right for one of the probability (0: it tells nothing), and how likely that is before."""
_WEIGHT = 0.5
"""What an answer counts: the two to one question are not independent."""
_LEAST = 0.5
"""An answer is never taken for evidence against what it names."""
_STEPS = 40

Known = tuple[tuple[float, float], ...]
"""Answers: the log-odds of the word (`odds_of`), and 1 where it was right, else 0."""


def odds_of(probability: float) -> float:
    """The log-odds of an answer's probability, bounded: what is surer than 0.99 is not told apart."""
    return log_odds(probability)


def adjust(accuracy: float, known: Known, probability: float | None, most: float) -> float:
    """The probability that an answer of this `probability` is right, `_LEAST`..`most`.

    The mean over how much the probability may tell (`_SLOPES`, weighed by `known`) of a logistic curve that
    keeps the judge's mean `accuracy` on `known`; `accuracy` where too little is known.

    Source: Platt scaling with a prior on the slope; the prior is set by hand.
    """
    if probability is None or len(known) < _ENOUGH:
        return accuracy
    odds = odds_of(probability)
    curves = _fit(known, round(accuracy, 6))
    mean = math.fsum(share * _sigmoid(start + slope * odds) for slope, start, share in curves)
    return min(most, max(min(_LEAST, accuracy), mean))


@lru_cache(maxsize=256)
def _fit(known: Known, accuracy: float) -> Sequence[tuple[float, float, float]]:
    """Slope, start and share of each curve."""
    curves = []
    for slope, prior in _SLOPES:
        start = _find_start(known, slope, accuracy)
        fit = math.fsum(
            math.log(_sigmoid(start + slope * odds) * right + _sigmoid(-start - slope * odds) * (1 - right))
            for odds, right in known
        )
        curves.append((slope, start, math.log(prior) + _WEIGHT * fit))
    top = max(score for _, _, score in curves)
    total = math.fsum(math.exp(score - top) for _, _, score in curves)
    return [(slope, start, math.exp(score - top) / total) for slope, start, score in curves]


def _find_start(known: Known, slope: float, accuracy: float) -> float:
    """Where the curve starts for the mean over `known` to be `accuracy`: by halving, since it only rises."""
    low, high = -30.0, 30.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        mean = math.fsum(_sigmoid(middle + slope * odds) for odds, _ in known) / len(known)
        low, high = (middle, high) if mean < accuracy else (low, middle)
    return (low + high) / 2


@lru_cache(maxsize=256)
def equate(accuracy: float, known: Known, most: float) -> float:
    """The accuracy, without probabilities, of answers that tell as much; `accuracy` where nothing is known.

    Source: the mean of the mutual information of two equally likely options and an answer.
    """
    if len(known) < _ENOUGH:
        return accuracy
    curves = _fit(known, round(accuracy, 6))
    bits = []
    for odds, _ in known:
        mean = math.fsum(share * _sigmoid(start + slope * odds) for slope, start, share in curves)
        bits.append(_tell(min(most, max(_LEAST, mean))))
    wanted = math.fsum(bits) / len(bits)
    low, high = _LEAST, most
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _tell(middle) < wanted else (low, middle)
    return max(accuracy, low)


def _tell(accuracy: float) -> float:
    """Bits that an answer tells which is right so often, of two options."""
    return 1 + sum(part * math.log2(part) for part in (accuracy, 1 - accuracy) if part > 0)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
