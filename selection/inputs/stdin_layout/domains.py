"""Domains of the elements of a layout, from the samples' records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sstar_code.selection.inputs.contract.domain import ANYTHING, Domain, infer
from sstar_code.selection.inputs.stdin_layout.layout import Fixed, Repeat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.selection.inputs.stdin_layout.layout import Element

__all__ = ["layout_domain"]

_TEXT = Domain("text", seen=("",))


def layout_domain(elements: Sequence[Element], records: Sequence[Sequence[Any]]) -> Domain:
    """The domain of whole records; numbers that were never 0 begin at 1, and so do lengths."""
    parts = [
        _element(element, [record[place] for record in records]) for place, element in enumerate(elements)
    ]
    return Domain("record", parts=tuple(parts), make=list)


def _element(element: Element, values: list[Any]) -> Domain:
    if isinstance(element, Fixed):
        columns = range(len(element.kinds))
        parts = [_positive(infer([value[column] for value in values])) for column in columns]
        return Domain("record", parts=tuple(parts), make=list)
    if isinstance(element, Repeat):
        body = layout_domain(element.body, [row for value in values for row in value])
        return Domain("list", parts=(body,), fewest=_fewest(values))
    domain = infer(values)
    if domain.kind == "list":
        return replace(domain, parts=(_positive(domain.parts[0]),), fewest=_fewest(values))
    if domain.kind == "record":  # a row whose samples happen to have one length
        items = [item for value in values for item in value]
        return Domain("list", domain.seen, parts=(_positive(infer(items)),), fewest=_fewest(values))
    if domain is ANYTHING:
        return _TEXT
    return replace(domain, fewest=_fewest(values))


def _fewest(values: Sequence[Any]) -> int:
    return min(1, min(map(len, values), default=0))


def _positive(domain: Domain) -> Domain:
    if domain.kind in ("int", "float") and domain.low == 0 and min(domain.seen) >= 1:
        return replace(domain, low=1)
    return domain
