"""A simulated inference engine: its limits, its schedule, and how long a step takes.

A step of continuous batching writes one token for every running sequence that is past its prompt and reads
some prompt tokens of the others. Its time is modelled as

    step_s = base_s + per_sequence_s * decoding + per_prompt_token_s * prompt_tokens

where the base is reading the weights once, and the others are what each sequence and each prompt token add.

It follows vLLM's scheduler as far as timing shows it: a step writes a token for each running sequence and
reads prompts with what is left of its token budget; waiting requests are taken in order of priority, then of
arrival; running ones are thrown back only when the KV cache is full, the least urgent and newest first.
Nothing sleeps here: a run of a thousand seconds takes as long as its events take to count.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from sstar_code.agent.testing.simulator.prefix import PrefixCache


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Limits and speeds of one engine. The names are vLLM's where it has the setting."""

    base_s: float
    per_sequence_s: float
    per_prompt_token_s: float
    max_num_seqs: int = 256
    """Sequences that run at once; vLLM 0.32's default on most GPUs (H100 class: 1,024; CPU: 128)."""
    max_num_batched_tokens: int = 2_048
    """Tokens of one step, those of decoding sequences included; vLLM 0.32's default on most GPUs."""
    block_tokens: int = 16
    """Tokens in a block of the KV cache; prompts share whole blocks. vLLM: 16 on GPUs, 128 on a CPU."""
    kv_tokens: int = 2_000_000
    """Tokens that the KV cache holds."""
    max_num_queued_reqs: int | None = None
    """More waiting requests than this are refused with 503, as vLLM's option of the name does."""
    max_model_len: int = 32_768

    def step_s(self, decoding: int, prompt_tokens: int) -> float:
        """Seconds of a step."""
        return self.base_s + self.per_sequence_s * decoding + self.per_prompt_token_s * prompt_tokens

    @property
    def tokens_per_s(self) -> float:
        """Output tokens a second with every sequence decoding and no prompt to read: the most there is."""
        return self.max_num_seqs / self.step_s(self.max_num_seqs, 0)


GPU_7B = EngineSpec(
    base_s=5.2e-3,
    per_sequence_s=53e-6,
    per_prompt_token_s=33e-6,
    max_num_seqs=256,
    max_num_batched_tokens=8_192,
    kv_tokens=2_000_000,
)
"""Defaults, not measured: a 7B model in bf16 on one GPU of the H200 class.

At the hardware's limits, 15 GB of weights over 4.8 TB/s take 3.2 ms a step; a sequence of 1,000 tokens adds
12 us for its KV cache (56 KiB a token) and 20 us for 14 GFLOP at 700 TFLOP/s; a prompt token adds the 20 us.
All three are divided by 0.61, the share of those limits at which 384 sequences write 15 thousand tokens a
second, the middle of what is expected of such a server. What the weights leave of the memory holds two
million tokens.
"""

CPU_TINY = EngineSpec(
    base_s=2.35e-3,
    per_sequence_s=158e-6,
    per_prompt_token_s=50e-6,
    max_num_seqs=128,
    max_num_batched_tokens=4_096,
    block_tokens=128,
    kv_tokens=1_000_000,
    max_model_len=2_048,
)
"""vLLM 0.32 on two shared CPU cores with a model of 1.76 million parameters, measured.

A step of 1, 4, 16, 32, 64 and 128 sequences took 2.5, 2.8, 4.8, 6.0, 11.7 and 22.6 ms (500 less 100 tokens
for each, the best of four), reading 63 to 1,406 uncached prompt tokens 11 to 84 ms. Limits are the server's
own. The check is a run that the constants were not taken from: 24 prompts of 575 tokens with 8 samples of 64
tokens each took 2.9 to 3.5 s, 128 sequences ran at once and 0.78 of the prompt tokens came from the cache;
the simulator says 3.4 s, 128 and 0.78.
"""

PRESETS = {"gpu-7b": GPU_7B, "cpu-tiny": CPU_TINY}


_LITTLE_S = 1e-9


class QueueFullError(Exception):
    """More requests wait than `max_num_queued_reqs` allows."""


@dataclass(eq=False, slots=True)
class Job:
    """One sequence: how long its prompt is and how many tokens it will write."""

    prompt_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()
    """Blocks of the prompt, as `cut_blocks` gives them."""
    priority: int = 0
    """Lower goes first."""
    arrived_s: float = 0.0
    first_token_s: float | None = None
    ended_s: float | None = None
    cached: int | None = None
    """Prompt tokens that came from the cache when it first ran; None before."""
    written: int = 0
    to_read: int = 0
    """Tokens that must be read before the next one is written."""
    place: int = 0
    """Order of arrival."""

    @property
    def rank(self) -> tuple[int, int]:
        """Place in the waiting line."""
        return self.priority, self.place


@dataclass(slots=True)
class _Step:
    """Steps under way: `repeats` of them with the same batch, one where prompts are read."""

    starts_s: float
    each_s: float
    decoding: list[Job]
    reading: dict[Job, int] = field(default_factory=dict)
    repeats: int = 1

    @property
    def ends_s(self) -> float:
        return self.starts_s + self.each_s * self.repeats

    def done_by(self, now_s: float) -> int:
        """Whole steps that have ended."""
        return min(self.repeats, int((now_s - self.starts_s + _LITTLE_S) / self.each_s))


class Engine:
    """Runs jobs in simulated time.

    Args:
        spec: limits and speeds.
        priorities: whether `Job.priority` counts (vLLM's `--scheduling-policy priority`).
    """

    def __init__(self, spec: EngineSpec, *, priorities: bool = True) -> None:
        self.spec = spec
        self.priorities = priorities
        self.now_s = 0.0
        self.cache = PrefixCache(spec.kv_tokens, spec.block_tokens)
        self.running: list[Job] = []
        self.waiting: list[Job] = []
        self.prompt_tokens = 0
        """Prompt tokens of all requests that have begun to run."""
        self.written_tokens = 0
        self.preemptions = 0
        self.finished = 0
        self.running_seconds = 0.0
        """The number of running sequences summed over time."""
        self.trace: list[tuple[float, int, int]] | None = None
        """Where it is a list: (seconds, running, waiting) after every change."""
        self._step: _Step | None = None
        self._arrivals = 0
        self._ended: list[Job] = []

    def submit(self, job: Job, now_s: float) -> None:
        """Put `job` into the line at `now_s`; time never runs backwards.

        Raises:
            QueueFullError: too many wait.
        """
        self._pass(now_s)
        most = self.spec.max_num_queued_reqs
        if most is not None and len(self.waiting) >= most:
            raise QueueFullError
        self._arrivals += 1
        job.place, job.arrived_s = self._arrivals, self.now_s
        job.priority = job.priority if self.priorities else 0
        job.to_read = job.prompt_tokens
        bisect.insort(self.waiting, job, key=lambda item: item.rank)
        self._cut_step()

    def abort(self, job: Job, now_s: float) -> None:
        """Forget `job`; its tokens so far are lost."""
        self._pass(now_s)
        self._cut_step()
        if job in self.waiting:
            self.waiting.remove(job)
        elif job in self.running:
            self._leave(job)
            if self._step is not None:
                self._step.reading.pop(job, None)
                if job in self._step.decoding:
                    self._step.decoding.remove(job)

    def advance(self, until_s: float) -> list[Job]:
        """Let time pass until `until_s`; the jobs that have ended since the last call, in order."""
        self._pass(until_s)
        ended, self._ended = self._ended, []
        return ended

    def next_event_s(self) -> float | None:
        """When the next step that changes something ends; None while nothing runs."""
        self._pass(self.now_s)
        return self._step.ends_s if self._step is not None else None

    def written_by_now(self, job: Job) -> int:
        """Tokens of `job` that are out."""
        step = self._step
        if step is None or job not in step.decoding:
            return job.written
        return job.written + step.done_by(self.now_s)

    def _pass(self, until_s: float) -> None:
        while self._step is not None or self.waiting or self.running:
            if self._step is None:
                self._step = self._plan()
            if self._step.ends_s > until_s + _LITTLE_S:
                break
            self._move_clock(self._step.ends_s)
            self._commit(self._step, self._step.repeats)
            self._step = None
        if until_s > self.now_s:
            self._move_clock(until_s)

    def _move_clock(self, to_s: float) -> None:
        self.running_seconds += len(self.running) * max(0.0, to_s - self.now_s)
        self.now_s = max(self.now_s, to_s)

    def _cut_step(self) -> None:
        """End steps planned ahead with the one under way, so that a newcomer joins the next."""
        step = self._step
        if step is None or step.repeats == 1:
            return
        done = min(step.repeats - 1, step.done_by(self.now_s))
        self._commit(step, done)
        self._step = _Step(step.starts_s + done * step.each_s, step.each_s, step.decoding)

    def _plan(self) -> _Step:
        self._preempt()
        decoding = [job for job in self.running if not job.to_read]
        budget = self.spec.max_num_batched_tokens - len(decoding)
        reading: dict[Job, int] = {}
        for job in self.running:
            if job.to_read and budget > 0:
                reading[job] = min(job.to_read, budget)
                budget -= reading[job]
        while self.waiting and budget > 0 and len(self.running) < self.spec.max_num_seqs:
            job = self.waiting[0]
            tokens = job.prompt_tokens + job.written
            if tokens - self.cache.find(job.blocks, tokens) > self.cache.free and self.running:
                break
            self._admit(self.waiting.pop(0), tokens)
            reading[job] = min(job.to_read, budget)
            budget -= reading[job]
        self._note()
        each_s = self.spec.step_s(len(decoding), sum(reading.values()))
        repeats = 1
        if not reading:
            room = self.cache.free // max(1, len(decoding))
            repeats = max(1, min(room, *(job.output_tokens - job.written for job in decoding)))
        return _Step(self.now_s, each_s, decoding, reading, repeats)

    def _admit(self, job: Job, tokens: int) -> None:
        cached = self.cache.take(job.blocks, tokens)
        job.to_read = tokens - cached
        if job.cached is None:
            job.cached = cached
            self.prompt_tokens += job.prompt_tokens
        self.running.append(job)

    def _preempt(self) -> None:
        """Throw running jobs back until each of the others can write a token."""
        while len(self.running) > 1 and self.cache.free < len(self.running):
            victim = max(self.running, key=lambda job: job.rank)
            self._leave(victim)
            self.preemptions += 1
            bisect.insort(self.waiting, victim, key=lambda item: item.rank)

    def _commit(self, step: _Step, steps: int) -> None:
        """`steps` of `step` have ended."""
        if not steps:
            return
        writing = list(step.decoding)
        for job, tokens in step.reading.items():
            job.to_read -= tokens
            if not job.to_read:
                writing.append(job)
        self.cache.grow(len(writing) * steps)
        self.written_tokens += len(writing) * steps
        ended_s = step.starts_s + steps * step.each_s
        for job in writing:
            job.written += steps
            if job.first_token_s is None:
                job.first_token_s = step.starts_s + step.each_s
            if job.written >= job.output_tokens:
                self._leave(job)
                job.ended_s = ended_s
                self.finished += 1
                self._ended.append(job)

    def _leave(self, job: Job) -> None:
        self.running.remove(job)
        self.cache.release(job.blocks, job.prompt_tokens + job.written)
        self._note()

    def _note(self) -> None:
        if self.trace is not None:
            self.trace.append((self.now_s, len(self.running), len(self.waiting)))
