"""Calls let pass under a cap are marked beside the store until nothing of them is left to do."""

from __future__ import annotations

from contextlib import closing

import anyio
import pytest

from sstar_code.agent.calls.admitted import AdmittedCalls
from sstar_code.agent.calls.budget import Budget, BudgetSpentError, main_cause
from sstar_code.agent.calls.stored_model import CapSpentError, StoredModel
from sstar_code.agent.models import Answer, CallError, Message, Purpose, Request, Stage, Usage, request_key
from sstar_code.agent.run.store import Store
from sstar_code.problems import InfrastructureError, UserError
from tests.agent.strategies.known import KilledError

pytestmark = pytest.mark.anyio
COST = 100


class Scripted:
    """Answers 100 tokens each, or does what the script says of a sample."""

    name = "scripted"

    def __init__(self, **script):
        self.asked, self.hangs = [], anyio.Event()
        self._script = script

    async def ask(self, request):
        name = f"s{request.purpose.sample}"
        self.asked.append(name)
        await anyio.sleep(0.001)
        if isinstance(said := self._script.get(name), BaseException):
            raise said
        if said == "hang":
            self.hangs.set()
            await anyio.sleep_forever()
        return Answer(name, usage=Usage(prompt=COST // 2, output=COST // 2))


def make_request(sample, problem="p", stage=Stage.GENERATE):
    return Request((Message("user", f"{problem} {sample}"),), Purpose(problem, stage, sample))


async def ask_all(path, model, samples, cap=250, **budget):
    """Ask for all samples at once; the answers of those that got one."""
    answers = {}
    with closing(Store(path / "run.db")) as store:
        stored = StoredModel(model, store, Budget(caps={"p": cap}, **budget), max_in_flight=8)

        async def ask(sample):
            try:
                answers[sample] = (await stored.ask(make_request(sample))).text
            except CallError as error:
                answers[sample] = type(error)

        async with anyio.create_task_group() as group:
            for sample in samples:
                group.start_soon(ask, sample)
    return answers


async def killed(path, samples, **script):
    """As `ask_all` up to the death of the process."""
    with pytest.raises((KilledError, BaseExceptionGroup)):
        await ask_all(path, Scripted(**script), samples)


def marks(path):
    return sorted(path.glob("under-way/*"))


async def test_the_last_tokens_pay_for_what_was_under_way(tmp_path):
    """Samples that come first in the second start wait until those under way in the first are in line."""
    await killed(tmp_path, [0, 1, 2], s1=KilledError(), s2="hang")
    assert len(marks(tmp_path)) == 2
    model = Scripted()
    answers = await ask_all(tmp_path, model, [9, 8, 7, 2, 1, 0])
    assert set(model.asked) == {"s1", "s2"}
    assert [answers[sample] for sample in (0, 1, 2)] == ["s0", "s1", "s2"]
    assert {answers[sample] for sample in (7, 8, 9)} == {CapSpentError}
    assert marks(tmp_path) == []
    assert not (tmp_path / "under-way").exists()


async def test_nothing_is_marked_without_a_cap_or_a_store(tmp_path):
    """A call of a problem without a cap leaves no mark, nor does one over a store in memory."""
    with closing(Store(tmp_path / "run.db")) as store:
        stored = StoredModel(Scripted(s0=KilledError()), store, Budget(caps={"q": 1}))
        with pytest.raises(KilledError):
            await stored.ask(make_request(0))
    assert marks(tmp_path) == []
    nowhere = AdmittedCalls(None)
    nowhere.mark(make_request(0), request_key(make_request(0)))
    assert nowhere.left == {}


async def test_a_call_that_failed_or_was_withdrawn_is_not_asked_first(tmp_path):
    """Its mark goes with it, so the next start asks for it only where somebody wants it."""
    answers = await ask_all(tmp_path, Scripted(s0=CallError("refused")), [0])
    assert (answers, marks(tmp_path)) == ({0: CallError}, [])
    with closing(Store(tmp_path / "run.db")) as store:
        model = Scripted(s1="hang")
        stored = StoredModel(model, store, Budget(caps={"p": 100}))
        async with anyio.create_task_group() as group:

            async def ask():
                with pytest.raises(CallError, match="withdrawn"):
                    await stored.ask(make_request(1))

            group.start_soon(ask)
            await model.hangs.wait()
            assert len(marks(tmp_path)) == 1
            stored.cancel("p")
    assert marks(tmp_path) == []


async def test_an_endpoint_that_fails_again_ends_the_run_and_keeps_the_marks(tmp_path):
    """What is under way stays so where the endpoint is down, or nothing may be spent, at the next start."""
    await killed(tmp_path, [0], s0=KilledError())
    for end, model, budget in (
        (InfrastructureError, Scripted(s0=InfrastructureError("down")), {}),
        (BudgetSpentError, Scripted(), {"max_tokens_total": 0}),
    ):
        with pytest.raises(BaseExceptionGroup) as told:
            await ask_all(tmp_path, model, [1], **budget)
        assert isinstance(main_cause(told.value), end)
        assert request_key(make_request(0)) in [path.stem for path in marks(tmp_path)]
    answers = await ask_all(tmp_path, Scripted(s0=CallError("too long")), [1, 0])
    assert (answers, marks(tmp_path)) == ({0: CallError, 1: "s1"}, [])


async def test_marks_may_be_anybodys(tmp_path):
    """Torn and forged ones are dropped, however many there are little is spent, and a link is refused."""
    folder = tmp_path / "under-way"
    folder.mkdir()
    key = request_key(make_request(0))
    (folder / f"{key}.json").write_text('{"messages": [')
    (folder / f"{'0' * 64}.json").write_text("[]")
    (folder / "notes.txt").write_text("mine")
    assert AdmittedCalls(tmp_path / "run.db").left == {}
    assert [path.name for path in marks(tmp_path)] == ["notes.txt"]
    made = AdmittedCalls(tmp_path / "run.db")
    for sample in range(20):
        made.mark(make_request(sample), request_key(make_request(sample)))
    (folder / f"{'1' * 64}.json").write_bytes((folder / f"{key}.json").read_bytes())
    model = Scripted()
    await ask_all(tmp_path, model, [30], cap=250)
    assert len(model.asked) == 5, "twice the cap, and the call that goes over it"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "under-way").symlink_to(folder)
    with pytest.raises(UserError, match="a link"):
        AdmittedCalls(tmp_path / "other" / "run.db")


async def test_a_mark_that_cannot_be_written_is_told(tmp_path):
    """One line names the file; the call is not sent."""
    model = Scripted()
    with closing(Store(tmp_path / "run.db")) as store:
        stored = StoredModel(model, store, Budget(caps={"p": 100}))
        (tmp_path / "under-way").write_text("")
        with pytest.raises(InfrastructureError, match=r"under-way/.*: cannot write"):
            await stored.ask(make_request(0))
    assert model.asked == []
