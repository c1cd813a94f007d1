"""Lessons: what a repair says was wrong is kept with whether it helped, and told to later prompts."""

from __future__ import annotations

import pytest

from sstar_code.agent.generation.lineage import Lineage, Round, list_notes
from sstar_code.agent.generation.memory import MOST_NOTES, Note, choose_notes, read_lesson
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.knowledge import Knowledge
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import Kind, Problem, UserError
from tests.agent.strategies.known import KilledError, KnownModel, assert_asked_once, grow

pytestmark = pytest.mark.anyio


def teach(passes, lesson):
    """An answer with a program that passes these tests and, before it, a lesson."""
    return f'It is off by one.\n\n**Lesson:** {lesson}\n```python\nPASSES = "{passes}"  # told\n```'


TABLE = {
    "0.0": "1000",
    "1.0": "0000",
    "0.1": teach("1100", "the last item was left out"),
    "1.1": teach("0000", "zero is even"),
    "0.2": "1110",
    "1.2": teach("0001", "the LAST item was left out"),
}


async def test_a_lesson_is_told_to_the_next_round_of_all_samples():
    """Each sample is told what all have learnt in the rounds before, and whether it helped."""
    model = KnownModel(TABLE)
    samples = await grow(model, n=2, rounds=2, lessons="problem")
    prompts = {str(request.purpose.sample) + str(request.purpose.round): request.messages[-1].content
               for request in model.requests}  # fmt: skip
    assert "Lesson:" not in prompts["00"]
    for number in ("01", "11"):
        assert "one line before the program that begins with `Lesson:`" in prompts[number]
        assert "# What helped" not in prompts[number]
    for number in ("02", "12"):
        helped, _, tried = prompts[number].partition("# What helped")[2].partition("# What did not help")
        assert "- the last item was left out" in helped
        assert "- zero is even" in tried
    assert list_notes(samples) == (
        Note("the last item was left out", helped=True),
        Note("zero is even", helped=False),
    )
    assert_asked_once(model.requests)


@pytest.mark.parametrize("strategy", ["beam:width=2", "tree:batch=2"])
async def test_searches_tell_lessons_too(strategy):
    """A prompt of a search shows what steps before it have taught."""
    model = KnownModel({"0.0": "1000", "0.1": teach("1100", "mind the end")}, "0000")
    await grow(model, strategy, n=2, rounds=3, lessons="problem")
    assert any("- mind the end" in request.messages[-1].content for request in model.requests)


async def test_without_lessons_prompts_are_as_they_were():
    """Nothing is asked for, and a line that looks like a lesson is no note."""
    model = KnownModel(TABLE)
    samples = await grow(model, n=2, rounds=2)
    assert not any("Lesson" in request.messages[-1].content for request in model.requests)
    assert list_notes(samples) == ()


@pytest.mark.parametrize("call", range(1, 7))
async def test_a_kill_loses_no_lesson(call):
    """Gone on with, the prompts are the same, so that no call is made twice."""
    whole = KnownModel(TABLE)
    await grow(whole, n=2, rounds=2, lessons="problem")
    store = Store()
    with pytest.raises((KilledError, BaseExceptionGroup)):
        await grow(KnownModel(TABLE, dies_at=call), n=2, rounds=2, lessons="problem", store=store)
    stored, again = len(store.calls("p")), KnownModel(TABLE)
    await grow(again, n=2, rounds=2, lessons="problem", store=store)
    assert stored + len(again.requests) == len(whole.requests)


@pytest.mark.parametrize(
    ("answer", "lesson"),
    [
        ("Lesson: sort first", "sort first"),
        ("- **Lesson:** sort *first*", "sort *first"),
        ("Lesson: a\nlesson:  b  c", "b c"),
        ("A lesson: no\nLesson:\n", ""),
        (f"Lesson: {'x' * 500}", "x" * 239 + "…"),
    ],
)
def test_a_lesson_is_the_last_such_line(answer, lesson):
    """One line, without marks, and not long."""
    assert read_lesson(answer) == lesson


def test_a_prompt_shows_the_latest_notes():
    """Those that helped apart from the others; not more than six of a kind."""
    notes = [Note(str(number), helped=number % 2 == 0) for number in range(20)]
    shown = choose_notes(notes, [Note("x", helped=True)])
    assert shown.helped == ("8", "10", "12", "14", "16", "18")
    assert (len(shown.tried), shown.others) == (MOST_NOTES, ("x",))


def test_a_set_shows_what_is_nearest_and_keeps_what_it_showed():
    """Only what helped; what a problem is shown is decided once, whatever is learnt later."""
    knowledge = Knowledge(Store())
    graph, words = (
        Problem(name, text, Kind.STDIN)
        for name, text in (("g", "A graph of towns"), ("w", "Count the words"))
    )
    assert knowledge.recall(graph) == ()
    rounds = [Round(1, note="count words once", helped=True), Round(2, note="guess")]
    rounds += [Round(3 + k, note=f"graph of {k} towns", helped=True) for k in range(MOST_NOTES)]
    knowledge.learn(words, [Lineage(0, tuple(rounds))])
    assert knowledge.recall(graph) == (), "decided when it was begun"
    other = Problem("h", "Towns and a graph of roads", Kind.STDIN)
    assert [note.text for note in knowledge.recall(other)] == [
        f"graph of {k} towns" for k in range(MOST_NOTES)
    ]
    assert all(note.text != "count words once" for note in knowledge.recall(words)), "its own are no others'"


def test_an_unknown_source_of_lessons_is_told():
    """With those that there are."""
    with pytest.raises(UserError, match="off, problem, set"):
        Settings(lessons="all")
