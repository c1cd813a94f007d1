"""Whether a request holds a coding task, and which: what is sure not to be one is passed through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sstar_code.agent.serving.errors import RefusedError, bad_request
from sstar_code.problems import Kind, Problem
from sstar_code.problems.statements.parse import mentions_stdin, read_statement

if TYPE_CHECKING:
    from sstar_code.agent.serving.technique import Wish

Form = Literal["chat", "completions", "responses"]
"""The three forms in which a model is asked."""

MOST_CHARS = 100_000
"""Characters of the longest task that is solved."""
_MOST_TIME_S = 10.0
_MOST_MEMORY_MB = 1024
"""A message may state limits of its own, up to these."""
_NOT_FOR_US: Mapping[Form, tuple[str, ...]] = {
    "chat": ("tools", "functions", "logprobs", "audio", "prediction", "web_search_options"),
    "completions": ("suffix", "echo", "logprobs", "prompt_logprobs"),
    "responses": ("tools", "previous_response_id", "conversation", "prompt", "background", "include"),
}
"""Fields that ask for what no program is: a step of an agent, probabilities, speech, an older talk."""
_FENCE = re.compile(r"(?ms)^[ \t]{0,3}```[^\n`]{0,100}$.*?(?:^[ \t]{0,3}```[ \t]*$|\Z)")
_VERB = (
    r"(?:write|implement|create|complete|code|develop|design|provide|give\s+me|solve|finish|need|generate)"
)
_LANGUAGE = (
    r"(?:C\+\+|C#|Java(?:Script)?|TypeScript|Rust|Go(?:lang)?|Ruby|Kotlin|Swift|PHP|Perl|Scala|Haskell|SQL"
    r"|Bash|C)"
)
_TAGS = r"(?:c|cpp|c\+\+|java|js|javascript|ts|typescript|rust|go|ruby|kotlin|swift|php|sql|bash|sh)"
_NOUN = r"(?:function|program|script|method|class|code|solution|algorithm|implementation)"
_OTHER_LANGUAGE = re.compile(
    rf"\b(?i:in|using)\s+{_LANGUAGE}(?![\w+#])"
    rf"|(?<![\w+#]){_LANGUAGE}\s+(?i:{_NOUN})"
    rf"|(?im:^[ \t]{{0,3}}```{_TAGS}[ \t]*$)"
)
"""Programs are written in Python: what asks for another language is no task for the method."""
_AGENT = re.compile(
    r"(?im)^[ \t]{0,8}```\w{0,40}(?:bash|shell|diff|patch)\w{0,40}[ \t]*$"
    r"|SEARCH/REPLACE|<{5,9} ?SEARCH\b|\bfile listing\b|\*\*\* Begin Patch"
    r"|\btool[ _-]calls?\b|\btool_use\b|\b(?:bash|shell|terminal) commands?\b"
)
"""An agent is told in which form it has to act: with a command, an edit, a tool's call. No program is one."""
_CHORE = re.compile(
    r"(?i)\bcommit messages?\b|\b(?:summari[sz]e|summary|title)\b[^.\n]{0,60}\b(?:chat|conversation)\b"
)
"""An agent told to do this repeats what its user asked for, and wants a sentence."""
_QUESTIONS = r"(?:explain|what|why|how|when|where|which|who|describe|compare|review|summari[sz]e)"
_QUESTION = re.compile(rf"(?i)\s*{_QUESTIONS}\b")
_ASKS = re.compile(rf"(?i)\b{_VERB}\b[^.?!\n]{{0,120}}\b{_NOUN}s?\b")
_BODY = re.compile(
    r"(?m)^[ \t]{1,40}(?!\s|[\"'#]|pass\b|\.\.\.|raise\s+NotImplementedError|return\s*(?:None)?\s*$)\S"
)


@dataclass(frozen=True, slots=True)
class Task:
    """A coding task: what has to be solved, and where its tests come from."""

    problem: Problem
    tests_from: Literal["message", "sstar.tests", "none"]


def find_text(form: Form, body: Mapping[str, Any]) -> str | None:
    """The text that may be a coding task: the last message, the user's own; None where there is none.

    Args:
        form: how the model is asked.
        body: the request's body, not checked yet.
    """
    if any(body.get(name) not in (None, False, [], {}, "") for name in _NOT_FOR_US[form]):
        return None
    if _wants_json(body):
        return None
    if form == "completions":
        prompt = body.get("prompt")
        return prompt if isinstance(prompt, str) else None
    if form == "responses" and isinstance(body.get("input"), str):
        return str(body["input"])
    messages = body.get("messages" if form == "chat" else "input")
    if not isinstance(messages, list) or not messages:
        return None
    return _read_message(messages[-1])


def find_instructions(form: Form, body: Mapping[str, Any]) -> str:
    """What the model is told beside the task: the messages of system and developer, and `instructions`.

    Args:
        form: how the model is asked.
        body: the request's body, not checked yet.
    """
    found = [body.get("instructions")] if form == "responses" else []
    messages = body.get({"chat": "messages", "responses": "input"}.get(form, ""))
    found += [
        _join(message.get("content"))
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, dict) and message.get("role") in ("system", "developer")
    ]
    return "\n".join(text for text in found if isinstance(text, str))


def _wants_json(body: Mapping[str, Any]) -> bool:
    """Whether the answer has to be JSON."""
    text = body.get("text")
    for wanted in (body.get("response_format"), text.get("format") if isinstance(text, dict) else None):
        if isinstance(wanted, dict) and wanted.get("type") not in (None, "text"):
            return True
    return False


def _read_message(message: Any) -> str | None:
    """The text of a message of the user's that holds nothing else, like an image."""
    if not isinstance(message, dict) or message.get("role") != "user":
        return None
    return _join(message.get("content"))


def _join(content: Any) -> str | None:
    """The text of a message's content; None where it holds something else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = []
    for part in content:
        kind, text = (part.get("type"), part.get("text")) if isinstance(part, dict) else (None, None)
        if kind not in ("text", "input_text") or not isinstance(text, str):
            return None
        texts.append(text)
    return "\n".join(texts)


def read_task(
    text: str,
    wish: Wish,
    *,
    id: str,  # noqa: A002 - the record's own word
    explicit: bool,
    instructions: str = "",
) -> Task | None:
    """The task that `text` is; None where it is none.

    It is one where `explicit` says so, or where it has examples, speaks of standard input, asks for a
    function or a program, or holds a stub; unless it asks for another language than Python, or a question,
    or an agent is told how it has to act, or to write a commit message, a summary or a title of the talk,
    or so much that it takes long to look.

    Args:
        text: the message, without a tag.
        wish: what the request asks of the method; its tests take the place of the message's.
        id: the problem's id.
        explicit: whether the request says of itself that it is a task.
        instructions: what the model is told beside the message.

    Raises:
        RefusedError: the tests do not go with the task, or it is too long.
    """
    if len(text) > MOST_CHARS:
        if not explicit:
            return None
        raise bad_request(f"the task has {len(text)} characters; at most {MOST_CHARS} are solved")
    if not text.strip():
        return None
    problem = read_statement(text, id=id).problem
    is_agents = len(instructions) > MOST_CHARS or _AGENT.search(instructions) or _CHORE.search(instructions)
    if not explicit and (is_agents or not _is_task(text, problem)):
        return None
    if wish.entry_point is not None:
        problem = replace(problem, kind=Kind.FUNCTION, entry_point=wish.entry_point)
    source: Literal["message", "sstar.tests", "none"] = "message" if problem.public_tests else "none"
    if wish.tests is not None:
        problem, source = replace(problem, public_tests=wish.tests), "sstar.tests"
        _check_tests(problem)
    return Task(
        replace(
            problem,
            time_limit_s=min(problem.time_limit_s, _MOST_TIME_S),
            memory_limit_mb=min(problem.memory_limit_mb, _MOST_MEMORY_MB),
        ),
        source,
    )


def _is_task(text: str, problem: Problem) -> bool:
    if _AGENT.search(text) or _OTHER_LANGUAGE.search(text):
        return False
    if problem.public_tests:
        return True
    if _QUESTION.match(text):
        return False
    if mentions_stdin(text):
        return True
    prose = _FENCE.sub("", text)
    return _ASKS.search(prose) is not None or (
        bool(problem.starter_code) and not _BODY.search(_without_docstring(problem.starter_code))
    )


def _without_docstring(stub: str) -> str:
    return re.sub(r"(?s)(\"\"\"|''').*?(?:\1|\Z)", "", stub)


def _check_tests(problem: Problem) -> None:
    """Refuse tests that a problem of its kind cannot have.

    Raises:
        RefusedError: assertions, or arguments, without a function.
    """
    if problem.kind is Kind.STDIN and any(test.program is not None for test in problem.public_tests):
        raise RefusedError(
            400,
            "`sstar.tests`: assertions need a function, and the task names none; give `sstar.entry_point`",
            code="invalid_request",
            param="sstar.entry_point",
        )
