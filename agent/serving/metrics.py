"""Counts of the server in the text form of Prometheus; no label has a value that a client chooses."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sstar_code.agent.serving.limits import Gate
    from sstar_code.agent.serving.solver import Tally

_BOUNDS_S = (1, 3, 10, 30, 100, 300, 1000)


class Metrics:
    """Everything since the start."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str]] = Counter()
        self._seconds: Counter[int] = Counter()
        self._seconds_sum = 0.0
        self._calls = 0
        self._prompt = 0
        self._output = 0

    def count(self, kind: str, outcome: str) -> None:
        """A request of a kind (`solved`, `passed`, `own`, `refused`) ended: a status class, or `aborted`."""
        self._requests[kind, outcome] += 1

    def count_solving(self, tally: Tally, seconds: float) -> None:
        """A request took these calls and so long, however it ended."""
        self._calls += tally.calls
        self._prompt += tally.prompt
        self._output += tally.output
        self._seconds_sum += seconds
        self._seconds[next((bound for bound in _BOUNDS_S if seconds <= bound), 0)] += 1

    def render(self, gate: Gate) -> str:
        """The page."""
        lines = ["# TYPE sstar_requests_total counter"]
        lines += [
            f'sstar_requests_total{{kind="{kind}",outcome="{outcome}"}} {count}'
            for (kind, outcome), count in sorted(self._requests.items())
        ]
        lines.append("# TYPE sstar_requests_in_flight gauge")
        lines.append(f'sstar_requests_in_flight{{kind="solved"}} {gate.solving}')
        lines.append(f'sstar_requests_in_flight{{kind="passed"}} {gate.passing}')
        for name, value in (
            ("sstar_model_calls_total", self._calls),
            ("sstar_prompt_tokens_total", self._prompt),
            ("sstar_output_tokens_total", self._output),
        ):
            lines += [f"# TYPE {name} counter", f"{name} {value}"]
        lines.append("# TYPE sstar_solve_seconds histogram")
        below = 0
        for bound in _BOUNDS_S:
            below += self._seconds[bound]
            lines.append(f'sstar_solve_seconds_bucket{{le="{bound}"}} {below}')
        total = below + self._seconds[0]
        lines.append(f'sstar_solve_seconds_bucket{{le="+Inf"}} {total}')
        lines += [f"sstar_solve_seconds_sum {self._seconds_sum:.3f}", f"sstar_solve_seconds_count {total}"]
        return "\n".join(lines) + "\n"
