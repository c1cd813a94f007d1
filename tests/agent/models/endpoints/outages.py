"""Servers that are busy, break, or want another key: what is tried again, and what is told."""

from __future__ import annotations

from dataclasses import replace

from sstar_code.agent.testing.server import failure
from tests.agent.models.endpoints.situation import Reply, Situation, always, error, first, ok, raw

LATER = {
    "408": failure(408, "timeout"),
    "409": failure(409, "conflict"),
    "425": failure(425, "too early"),
    "429 without words": raw(b"", 429),
    "429 with `Retry-After: 0`": failure(429, "slow down", headers={"Retry-After": "0"}),
    "429 with a date long past": failure(
        429, "slow down", headers={"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}
    ),
    "429 with `Retry-After: soon`": failure(429, "slow down", headers={"Retry-After": "soon"}),
    "500": failure(500, "internal error"),
    "502 with a page": raw(b"<html><title>502 Bad Gateway</title></html>", 502),
    "503: the model is loading": failure(503, "Loading model"),
    "504": failure(504, "gateway timeout"),
    "520 of Cloudflare": raw(b"error code: 520", 520),
    "524 of Cloudflare": raw(b"<html><title>524: A timeout occurred</title></html>", 524),
    "529: overloaded": failure(529, "Overloaded"),
}
SITUATIONS = [
    *(Situation(f"{what}, once", first(reply), 0, 2, calls=3) for what, reply in LATER.items()),
    Situation(
        "a connection that ends in the middle of the answer, once",
        lambda number, _body: replace(Reply(ok().body), cut=True) if number == 0 else ok(),
        0,
        2,
        calls=3,
    ),
    Situation(
        "503 for good, after one answer",
        lambda number, _body: failure(503, "gone") if number else ok(),
        3,
        1,
        "gave no answer",
        "the program that passes is printed",
        words=("--select", "first", "--max-in-flight", "1"),
        calls=-1,
    ),
    Situation(
        "429 with no quota left, after one answer",
        lambda number, _body: failure(429, "quota", code="insufficient_quota") if number else ok(),
        2,
        1,
        "no quota left",
        "the program that passes is printed",
        words=("--select", "first", "--max-in-flight", "1"),
        calls=2,
    ),
    Situation(
        "402: insufficient credits",
        always(error(402, "This request requires more credits")),
        2,
        0,
        "no quota left",
        "nothing is asked",
        calls=2,
    ),
    Situation(
        "DashScope: Arrearage, as a 400",
        always(
            error(400, "Access denied, please make sure your account is in good standing.", code="Arrearage")
        ),
        2,
        0,
        "no quota left",
        "nothing is asked",
        calls=2,
    ),
    Situation(
        "401: a wrong key",
        always(failure(401, "Unauthorized")),
        2,
        0,
        "it wants a key: set OPENAI_API_KEY",
        "nothing is asked",
        calls=2,
    ),
    Situation(
        "Gemini: API key not valid, as a 400",
        always(
            raw([{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}], 400)
        ),
        2,
        0,
        "the key in OPENAI_API_KEY is wrong",
        "nothing is asked",
        environment={"OPENAI_API_KEY": "sk-of-nobody"},
        calls=2,
    ),
    Situation(
        "OpenRouter: no such model, as a 400",
        always(error(400, "tiny is not a valid model ID", code=400)),
        2,
        0,
        "refused the model 'tiny'",
        "nothing is asked",
        calls=2,
    ),
    Situation(
        "a server that repeats the key in its refusal",
        always(failure(403, "key sk-of-nobody-at-all is blocked")),
        2,
        0,
        "key *** is blocked",
        "nothing is asked; the key is not shown",
        environment={"OPENAI_API_KEY": "sk-of-nobody-at-all"},
        calls=2,
    ),
    Situation(
        "a page that repeats the key, for good",
        always(raw(b"<html>no entry for sk-of-nobody-at-all</html>")),
        3,
        0,
        "no entry for ***",
        "nothing is solved; the key is not shown",
        environment={"OPENAI_API_KEY": "sk-of-nobody-at-all"},
        calls=6,
    ),
]
