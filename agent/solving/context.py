"""What solving a problem needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.solving.ask_model import Asking

if TYPE_CHECKING:
    from sstar_code.agent.allocation.plan import Allocation
    from sstar_code.agent.models import Model
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.solving.shared_judge import SharedJudge
    from sstar_code.sandbox import Sandbox

__all__ = ["SolveContext"]


@dataclass(frozen=True, slots=True)
class SolveContext:
    """Everything that solving a problem needs."""

    model: Model
    sandbox: Sandbox
    prompts: Prompts
    settings: Settings
    judge: SharedJudge | None = None
    """How far the judge is to be believed, for a set; None: each problem finds out by itself."""
    allocation: Allocation | None = None
    """Sample allocation shared by a set; None: a problem with a range of samples allocates alone."""

    @property
    def ask(self) -> Asking:
        """Selection's questions, put to the model."""
        return Asking(self.model, self.prompts, self.settings.seed, self.settings.max_tokens)
