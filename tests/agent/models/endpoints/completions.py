"""Responses that claim success: without a completion, in another form than asked for, without counts."""

from __future__ import annotations

import json

from tests.agent.models.endpoints.situation import (
    RIGHT,
    USAGE,
    Paid,
    Reply,
    Situation,
    about,
    always,
    first,
    ok,
    raw,
)

DONE = {"model": "tiny", "done": True}
NO_COMPLETION = {
    "`choices` is null": {"choices": None},
    "`choices` is empty": {"choices": []},
    "`choices` is missing": {"id": "x", "object": "chat.completion"},
    "an empty object": {},
    '`{"detail": "model is loading"}`': {"detail": "model is loading"},
    '`{"object": "error"}` with a code inside': {"object": "error", "message": "internal", "code": 500},
    "an error in the choice, as OpenRouter writes it": {
        "choices": [{"error": {"code": 502}, "finish_reason": "error", "message": {"content": ""}}]
    },
    "a choice that ends with `error`": {
        "choices": [{"message": {"content": "half of"}, "finish_reason": "error"}]
    },
    "`base_resp` with a status, as MiniMax writes it": {
        "choices": None,
        "base_resp": {"status_code": 1000, "status_msg": "unknown error"},
    },
    "`delta` in place of `message`": {"choices": [{"delta": {"content": RIGHT}}]},
    "a text completion": {"object": "text_completion", "choices": [{"text": RIGHT, "finish_reason": "stop"}]},
    "an answer in Ollama's own form": {"message": {"role": "assistant", "content": RIGHT}, **DONE},
    "an answer in Anthropic's own form": {"type": "message", "content": [{"type": "text", "text": RIGHT}]},
    "an answer in Gemini's own form": {"candidates": [{"content": {"parts": [{"text": RIGHT}]}}]},
    "a choice whose message is null": {"choices": [{"message": None, "finish_reason": "stop"}]},
    "a choice that is a text": {"choices": ["?"]},
    "a message without a field": {"choices": [{"message": {}}]},
    "an error at the top": {"error": {"message": "provider is down", "code": 502}},
    "an error that is a text": {"error": "upstream timed out"},
    "a list": [1],
    "null": None,
}
BODIES = {
    "JSON nested 100,000 deep": b'{"choices":' + b"[" * 100_000,
    "a web page": b"<html><title>Just a moment...</title></html>",
    "nothing but white space": b" \n\n ",
    "half of a body": b'{"choices": [{"message": {"con',
    "bytes that are no text": b"\xff\xfe\x00garbage",
}


def events(*data: object, end: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(item)}\n\n" for item in data) + end).encode()


def pieces(*texts: str, reason: str | None = "stop") -> list[dict]:
    made = [{"choices": [{"index": 0, "delta": {"content": text}}], "model": "tiny"} for text in texts]
    return [*made, {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": USAGE}]


WHOLE = {"choices": [{"message": {"content": RIGHT}, "finish_reason": "stop"}], "usage": USAGE}
TEXT = json.dumps(WHOLE).encode()
STREAM = events(*pieces(RIGHT[:7], RIGHT[7:]))
FORMS = {
    "a whole stream of events": STREAM,
    "JSON, then `data: [DONE]`": TEXT + b"\n\ndata: [DONE]\n\n",
    "comments that keep alive before JSON": b": OPENROUTER PROCESSING\n\n" * 3 + TEXT,
    "comments that keep alive in a stream": b": ping\n\n" + STREAM.replace(b"\n\n", b"\n\n: ping\n\n"),
    "blank lines before JSON": b"\n\n   \n" + TEXT,
    "a byte-order mark": b"\xef\xbb\xbf" + TEXT,
    "one event with the whole completion": events(WHOLE),
    "a stream with `event:` lines and CR LF": b"event: message\r\n" + STREAM.replace(b"\n", b"\r\n"),
    "indented JSON, then `data: [DONE]`": json.dumps(WHOLE, indent=1).encode() + b"\ndata: [DONE]",
}


def paid(body: bytes) -> Paid:
    return Paid(body)


def counted(usage: object) -> Reply:
    return ok(usage=usage)


def thought(message: dict, reason: str) -> Reply:
    return ok(None, message=message, finish_reason=reason)


NEVER = "not solved"
SITUATIONS = [
    *(
        Situation(f"200 with {what}, once", first(raw(data)), 0, 2, calls=3)
        for what, data in NO_COMPLETION.items()
    ),
    *(Situation(f"200 with {what}, once", first(raw(body)), 0, 2, calls=3) for what, body in BODIES.items()),
    Situation(
        "200 with `choices` null, always",
        always(raw({"choices": None})),
        3,
        0,
        "gave no answer",
        NEVER,
        calls=6,
    ),
    Situation(
        "200 with `choices` null to every prompt of one problem of three",
        about("b", raw({"choices": None})),
        0,
        4,
        "2 of 6 samples ended with a failed model call, like: no answer to this call",
        "2 of 3 solved, the calls counted as failed",
        "eval",
        calls=10,
    ),
    Situation(
        "200 with an error about a filter, to one problem of three",
        about("b", raw({"error": {"message": "Input was flagged by moderation", "code": 403}})),
        0,
        4,
        "refused the prompt",
        "2 of 3 solved, the calls counted as failed",
        "eval",
        calls=6,
    ),
    Situation(
        "200 with `base_resp` 1026, a filter, to one problem of three",
        about(
            "b",
            raw({"choices": None, "base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}),
        ),
        0,
        4,
        "refused the prompt",
        "2 of 3 solved, the calls counted as failed",
        "eval",
        calls=6,
    ),
    Situation(
        "200 with `base_resp` 1008: no balance, after one answer",
        lambda number, _body: (
            raw({"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}})
            if number
            else ok()
        ),
        2,
        1,
        "no quota left",
        "the program that passes is printed",
        words=("--select", "first", "--max-in-flight", "1"),
        calls=2,
    ),
    *(Situation(f"200 with {what}", always(paid(body)), 0, 2) for what, body in FORMS.items()),
    Situation(
        "a stream that is cut, once",
        first(raw(events(*pieces(RIGHT[:9], reason=None), end=""))),
        0,
        2,
        calls=3,
    ),
    Situation(
        "an error in the middle of a stream, once",
        first(raw(events(*pieces("```"), {"error": {"message": "overloaded", "code": 503}}))),
        0,
        2,
        calls=3,
    ),
    *(
        Situation(
            f"usage is {shown}",
            always(counted(usage)),
            0,
            2,
            "gives no token counts: they are worked out from the texts",
        )
        for shown, usage in (
            ("null", None),
            ("texts", {"prompt_tokens": "many", "completion_tokens": "100"}),
            ("negative", {"prompt_tokens": -1, "completion_tokens": -1}),
            ("without the answer's tokens", {"prompt_tokens": 100}),
        )
    ),
    Situation(
        "usage in numbers like `100.0`",
        always(counted({"prompt_tokens": 100.0, "completion_tokens": 50.0})),
        4,
        2,
        "the token budget is spent (300 of 300)",
        "the program that passes is printed",
        n=4,
        words=("--select", "first", "--max-in-flight", "1", "--max-tokens-total", "300"),
    ),
    Situation(
        "usage is null, and `--max-tokens-total 400`",
        always(counted(None)),
        4,
        2,
        "the token budget is spent",
        "the program that passes is printed",
        n=8,
        words=("--select", "first", "--max-in-flight", "1", "--max-tokens-total", "400"),
    ),
    Situation(
        "all of the answer in `reasoning_content`, finish `stop`",
        always(thought({"reasoning_content": f"So:\n{RIGHT}"}, "stop")),
        0,
        2,
    ),
    Situation(
        "content null, finish `length`: cut while thinking",
        always(thought({"reasoning": "Let me see"}, "length")),
        1,
        2,
        "2 cut while thinking; raise --max-tokens, or give --max-thinking",
        NEVER,
    ),
    Situation(
        "thinking and answer glued together in the content",
        always(ok(f"<think>\nhm\n</think>\n\n{RIGHT}")),
        0,
        2,
    ),
    Situation(
        "finish `content_filter` with an empty answer",
        always(ok("", finish_reason="content_filter")),
        1,
        2,
        "2 stopped by the server's content filter",
        NEVER,
    ),
    Situation(
        "a refusal in `message.refusal`",
        always(thought({"refusal": "I can't help."}, "stop")),
        1,
        2,
        'refused: "I can\'t help."',
        NEVER,
    ),
]
