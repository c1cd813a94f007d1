"""What `-m vllm:MODEL` would start here, and why like that; nothing is started."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sstar_code.agent.doctor.machine import Check, State
from sstar_code.problems import SstarError

if TYPE_CHECKING:
    from sstar_code.agent.jobs.choices import Endpoint
    from sstar_code.agent.models.vllm.plan import Plan

_VLLM_SHARE = 0.92
"""Share of a GPU's memory that vLLM takes by default."""


def check_vllm(endpoint: Endpoint) -> list[Check]:
    """The vLLM found, the hardware, the model, the command line and the reason for each of its flags."""
    from sstar_code.agent.models.vllm.plan import make_plan

    try:
        plan = make_plan(
            endpoint.require_model().partition(":")[2],
            command=endpoint.vllm_command,
            arguments=endpoint.vllm_args,
            max_thinking=endpoint.max_thinking,
        )
    except SstarError as error:
        return [Check("vllm", State.FAIL, str(error))]
    version = plan.command.version or "of a version that its environment does not tell"
    build = ", built for processors" if plan.command.cpu_build else ""
    return [
        Check("vllm", State.OK, f"{version}{build}: {shlex.join(plan.command.words)} ({plan.command.where})"),
        _check_hardware(plan),
        _check_model(plan),
        Check("would start", State.OK, _show(plan)),
        *(Check("  environment", State.OK, f"{v.name}={v.value}: {v.why}") for v in plan.environment),
        *(Check("  flag", State.OK, f"{' '.join(flag.words)}: {flag.why}") for flag in plan.flags),
    ]


def _show(plan: Plan) -> str:
    port = "a free port" if plan.port is None else str(plan.port)
    words = shlex.join(plan.words(plan.port or 0))
    return words.replace(" --port 0 ", " --port PORT ") + f" (at {port}, with a key of its own)"


def _check_hardware(plan: Plan) -> Check:
    if plan.cpu:
        why = (
            "this vLLM uses processors only"
            if plan.hardware.gpus
            else "that is slow for all but small models"
        )
        return Check("hardware", State.NOTE, f"{plan.hardware}; {why}")
    shares = [gpu.free_gib / gpu.total_gib for gpu in plan.hardware.gpus]
    if min(shares) < _VLLM_SHARE and not any("--gpu-memory-utilization" in word for word in plan.user_words):
        share = max(0.05, min(shares) - 0.03)
        why = f"vLLM takes {_VLLM_SHARE:.0%} of a GPU and does not start where others hold more than the rest"
        advice = f"free it, or give --vllm-args '--gpu-memory-utilization {share:.2f}'"
        return Check("hardware", State.NOTE, f"{plan.hardware}; {why}: {advice}")
    return Check("hardware", State.OK, str(plan.hardware))


def _check_model(plan: Plan) -> Check:
    facts = plan.facts
    size = "" if facts.weights_gib is None else f", {facts.weights_gib:.1f} GiB of weights"
    if facts.folder is None:
        guess = size and f"{size} by its name"
        return Check("model", State.NOTE, f"{facts.name}: not on this machine, would be fetched{guess}")
    length = "" if facts.max_length is None else f", made for {facts.max_length} tokens"
    return Check("model", State.OK, f"{facts.folder} (revision {facts.revision}{size}{length})")
