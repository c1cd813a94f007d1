"""What solving a problem needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.solving.ask_model import Asking

if TYPE_CHECKING:
    from sstar_code.agent.allocation.plan import Waves
    from sstar_code.agent.models import Model
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.solving.shared_judge import SharedJudge
    from sstar_code.sandbox import Sandbox

__all__ = ["SolveContext"]


@dataclass(frozen=True, slots=True)
class SolveContext:
    """What the method works with."""

    model: Model
    sandbox: Sandbox
    prompts: Prompts
    settings: Settings
    judge: SharedJudge | None = None
    """Of a set that is solved together."""
    waves: Waves | None = None
    """Likewise; None, with settings that ask for waves: those of this problem alone."""

    @property
    def ask(self) -> Asking:
        """Selection's questions, put to the model."""
        return Asking(self.model, self.prompts, self.settings.seed, self.settings.max_tokens)
