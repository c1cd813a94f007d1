"""What became of each schedule, as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.tables import write_table

if TYPE_CHECKING:
    from sstar_code.agent.testing.simulator import EngineSpec

__all__ = ["Made", "show"]


@dataclass(slots=True)
class Made:
    """What became of a schedule."""

    name: str
    makespan_s: float
    output_tokens: int
    read_tokens: int
    """Prompt tokens that were not in the cache."""
    calls: int
    bound_s: float
    output_bound_s: float
    tail_s: float
    """When for the last time there was work enough to fill the engine."""
    busy: float
    """Mean running sequences until then, as a share of max_num_seqs."""
    first_done_s: float
    """When the first problem was finished."""
    half_done_s: float
    cpu_s: float
    trace: list[tuple[float, int, int]] = field(default_factory=list)
    """(seconds, running, waiting anywhere)."""


def show(rows: list[Made], spec: EngineSpec) -> str:
    """The table, with how the bound is counted."""
    prompt_us = 1e6 * spec.per_prompt_token_s
    full_ms, alone_ms = (1e3 * spec.step_s(count, 0) for count in (spec.max_num_seqs, 1))
    head = (
        "schedule",
        "makespan s",
        "lower bound s",
        "ratio",
        "ratio without prompts",
        "calls",
        "output tokens",
        "running until the tail",
        "tail s",
        "first problem s",
        "half of them s",
    )
    about = [
        f"engine: {spec.max_num_seqs} sequences, a step of {alone_ms:.1f} ms with one, {full_ms:.1f} full",
        f"saturated throughput = sequences / full step = {spec.tokens_per_s:,.0f} tokens/s",
        f"lower bound = output tokens / that + uncached prompt tokens x {prompt_us:.0f} us",
    ]
    cells = [
        (
            row.name,
            f"{row.makespan_s:.1f}",
            f"{row.bound_s:.1f}",
            f"{row.makespan_s / row.bound_s:.3f}",
            f"{row.makespan_s / row.output_bound_s:.3f}",
            f"{row.calls:,}",
            f"{row.output_tokens:,}",
            f"{100 * row.busy:.1f}%",
            f"{row.makespan_s - row.tail_s:.1f}" if row.tail_s < row.makespan_s else "never full",
            f"{row.first_done_s:.1f}",
            f"{row.half_done_s:.1f}",
        )
        for row in rows
    ]
    return "\n".join([*about, "", write_table(head, cells)]) + "\n"
