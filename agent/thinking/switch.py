"""TIP, the penalty on switching thoughts, from the client: no logits processor, no plugin.

Source: arXiv 2501.18585. For the first `tokens` tokens of a thought, alpha is taken from the logits of the
tokens that begin another one ("Alternatively"); 3 and 600 are the published values. A processor inside the
server knows at each token how old the thought is. From outside thinking goes on in pieces: under `logit_bias`
until the thought is old enough, then without, and each piece also ends where such a word was written, since
there a thought begins. Token by token that is the same distribution.

Departures: the words are `WORDS`; of a word of several tokens the first is penalised; a word that is written
under the penalty all the same begins a thought, as in the paper.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sstar_code.agent.models.request import ModelUserError, Purpose, Request, Stage
from sstar_code.agent.models.think_tags import OPEN_TAG

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Model
    from sstar_code.agent.thinking.continuing import Draft, Way
    from sstar_code.agent.thinking.options import SwitchPenalty

WORDS = ("Alternatively", "alternatively")
_FORMS = tuple(blank + word for word in WORDS for blank in ("", " "))


async def find_switch_tokens(model: Model, problem_id: str, way: Way) -> tuple[int, ...]:
    """The tokens with which `WORDS` begin, with a blank before them and without; one short call.

    Raises:
        ModelUserError: the server gives no token ids.
        ModelError: as `Model.ask`.
    """
    if not way.is_exact:
        raise ModelUserError(
            "--switch-penalty: the server gives no token ids, or takes none; serve the model with vLLM, or "
            "leave it out"
        )
    question = Request(
        (),
        Purpose(problem_id, Stage.GENERATE, ordinal="switch-words"),
        temperature=0.0,
        max_tokens=1,
        extra={"return_token_ids": True, "prompt": [piece for form in _FORMS for piece in (OPEN_TAG, form)]},
    )
    tokens = (await model.ask(question)).tokens
    ids = () if tokens is None else tokens.prompt
    starts = [after for before, after in pairwise(ids) if before == way.open_id]
    return tuple(dict.fromkeys(starts))


async def think_on(draft: Draft, budget: int | None, penalty: SwitchPenalty, tokens: tuple[int, ...]) -> None:
    """Let the model think until it ends its thinking or has `budget` tokens, each thought under `penalty`.

    Raises:
        As `Model.ask`.
    """
    bias = {str(token): -penalty.alpha for token in tokens}
    while budget is None or draft.used < budget:
        left = None if budget is None else budget - draft.used
        fields: dict[str, object] = {"stop": list(WORDS), "include_stop_str_in_output": True}
        if draft.age < penalty.tokens:
            fields["logit_bias"] = bias
            young = penalty.tokens - draft.age
            left = young if left is None else min(left, young)
        answer = await draft.think(left, fields)
        is_switch = answer.tokens is not None and answer.tokens.stopped_by in WORDS
        draft.age = 0 if is_switch else draft.age + (answer.usage.output or 0)
        if draft.is_over or not draft.thinks:
            return
