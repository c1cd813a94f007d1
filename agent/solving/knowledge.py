"""What problems of a set learn from those that were finished before: notes that helped, kept in the store.

Which problems are finished when one is begun depends on the order in which answers arrive. So what a problem
is shown is decided once, when it is begun, and kept: a run that was killed goes on with the same prompts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.generation.lineage import list_notes
from sstar_code.agent.generation.memory import MOST_NOTES, Note

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.run.store import Store
    from sstar_code.problems import Problem

_WORD = re.compile(r"[a-z]{4,}")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The notes of the finished problems of a set.

    Raises, whatever is asked of it:
        InfrastructureError: the store cannot be written.
    """

    store: Store

    def recall(self, problem: Problem) -> tuple[Note, ...]:
        """Up to six notes for `problem`: those that share most words with its statement, the best last."""
        kept = self.store.notes("shown").get(problem.id)
        if kept is None:
            words = _words_of(problem.statement)
            learnt = self.store.notes("learnt")
            texts = dict.fromkeys(
                text for id_, lines in learnt.items() if id_ != problem.id for text in lines
            )
            kept = sorted(texts, key=lambda text: len(words & _words_of(text)))[-MOST_NOTES:]
            self.store.put_notes(problem.id, "shown", kept)
        return tuple(Note(text, helped=True) for text in kept)

    def learn(self, problem: Problem, lineages: Iterable[Lineage]) -> None:
        """Keep what helped with `problem`."""
        helped = [note.text for note in list_notes(lineages) if note.helped]
        self.store.put_notes(problem.id, "learnt", helped)


def _words_of(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
