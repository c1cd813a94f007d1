# ruff: noqa: E501 - the words of servers stand as they come
"""Fields of a request that servers refuse, in many vendors' words."""

from __future__ import annotations

from sstar_code.agent.testing.server import failure
from tests.agent.models.endpoints.situation import (
    Reply,
    Respond,
    Situation,
    about,
    always,
    error,
    ok,
    questions,
    raw,
    without,
)

GONE = {
    "OpenAI: `temperature` is not supported": (
        "temperature",
        error(
            400,
            "Unsupported parameter: 'temperature' is not supported with this model.",
            code="unsupported_parameter",
            param="temperature",
        ),
    ),
    "OpenAI: `temperature` supports its default only": (
        "temperature",
        error(
            400,
            "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is "
            "supported.",
            code="unsupported_value",
            param="temperature",
        ),
    ),
    "Moonshot: only one temperature is allowed": (
        "temperature",
        error(400, "invalid temperature: only 1 is allowed for this model", type="invalid_request_error"),
    ),
    "Anthropic: `temperature` is deprecated": (
        "temperature",
        error(400, "`temperature` is deprecated for this model.", type="invalid_request_error"),
    ),
    "Mistral: `seed` is extra, 422": (
        "seed",
        raw(
            {
                "object": "error",
                "message": {
                    "detail": [
                        {
                            "type": "extra_forbidden",
                            "loc": ["body", "seed"],
                            "msg": "Extra inputs are not permitted",
                            "input": 0,
                        }
                    ]
                },
                "type": "invalid_request_error",
            },
            422,
        ),
    ),
    "FastAPI: `seed` is extra, 422": (
        "seed",
        raw(
            {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "seed"],
                        "msg": "Extra inputs are not permitted",
                    }
                ]
            },
            422,
        ),
    ),
    "LiteLLM: UnsupportedParamsError for `seed`": (
        "seed",
        error(
            400,
            "litellm.UnsupportedParamsError: bedrock does not support parameters: ['seed'], for model=m. To drop these, "
            "set `litellm.drop_params=True`",
        ),
    ),
    "LiteLLM: the same as a 500": (
        "seed",
        error(500, "litellm.UnsupportedParamsError: bedrock does not support parameters: {'seed': 0}"),
    ),
    "Groq: property `seed` is unsupported": ("seed", error(400, "property 'seed' is unsupported")),
    "Gemini: unknown name `seed`, in a list": (
        "seed",
        raw(
            [
                {
                    "error": {
                        "code": 400,
                        "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.',
                    }
                }
            ],
            400,
        ),
    ),
    "Bedrock: extraneous key [seed]": (
        "seed",
        raw({"message": "Malformed input request: #: extraneous key [seed] is not permitted"}, 400),
    ),
    "Azure, old: unrecognized argument": (
        "seed",
        error(400, "Unrecognized request argument supplied: seed", type="invalid_request_error"),
    ),
    "TGI: unknown field, as plain text": (
        "seed",
        raw(b"Failed to deserialize the JSON body into the target type: unknown field `seed`", 422),
    ),
    "a JSON schema: additional properties": (
        "seed",
        error(400, "Additional properties are not allowed ('seed' was unexpected)"),
    ),
    "a Python server, 500: unexpected keyword": (
        "seed",
        raw({"detail": "generate() got an unexpected keyword argument 'seed'"}, 500),
    ),
    "in Chinese: the parameter is not supported": ("seed", error(400, "参数 seed 不支持")),
}


def given(name: str, words: tuple[str, ...], reply: Reply, what: str) -> Situation:
    return Situation(
        what, without(name, reply), 0, 2, f"{name} is not sent", words=(*words, "--select", "first"), calls=None,
        kept=f"{name} is not sent",
    )  # fmt: skip


def all_but_user(reply: Reply) -> Respond:
    return lambda _number, body: reply if body["messages"][0]["role"] != "user" else ok()


NO_SYSTEM = {
    "vLLM, Gemma: system role not supported": error(400, "System role not supported"),
    "a template's error as a 500": raw(
        {"detail": "jinja2.exceptions.TemplateError: System role not supported"}, 500
    ),
    "roles must alternate": error(400, "Conversation roles must alternate user/assistant/user/assistant/..."),
    "OpenAI o1: `messages[0].role` does not support 'system'": error(
        400,
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        param="messages[0].role",
        code="unsupported_value",
    ),
    "Gemini: developer instruction is not enabled": error(
        400, "Developer instruction is not enabled for models/gemma-3-27b-it"
    ),
    "a validator: role is 'user' or 'assistant'": raw(
        {
            "detail": [
                {
                    "type": "literal_error",
                    "loc": ["body", "messages", 0, "role"],
                    "msg": "Input should be 'user' or 'assistant'",
                }
            ]
        },
        422,
    ),
}
TOO_POSITIVE = error(422, "Input validation error: `temperature` must be strictly positive")
STREAM_ONLY = error(
    400, "This model only support stream mode, please enable the stream parameter to access the model."
)
STREAMED = (
    b'data: {"choices":[{"delta":{"content":"```python\\nprint(int(input()) * 2)\\n"}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"```"},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9}}\n\ndata: [DONE]\n\n'
)


def streams_only(_number: int, body: dict) -> Reply:
    return type(ok())(STREAMED) if body.get("stream") else STREAM_ONLY


def questions_at_zero(number: int, body: dict) -> Reply:
    """Questions are taken without a temperature alone; their words are then no answer to use."""
    if body.get("temperature") == 0.0:
        return TOO_POSITIVE
    return questions(ok("I do not know."))(number, {"temperature": 0.7, **body})


ADAPTIVE = ("--select", "adaptive")
SITUATIONS = [
    *(
        Situation(what, without(name, reply), 0, 2, f"{name} is not sent", kept=f"{name} is not sent")
        for what, (name, reply) in GONE.items()
    ),
    Situation(
        "both `temperature` and `seed` refused, one after the other",
        lambda _number, body: next(
            (error(400, f"Unknown parameter: '{name}'.") for name in ("temperature", "seed") if name in body),
            ok(),
        ),
        0,
        2,
        "seed is not sent",
    ),
    Situation(
        "OpenAI: `max_tokens` wants another name",
        without(
            "max_tokens",
            error(
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
                "instead.",
                code="unsupported_parameter",
                param="max_tokens",
            ),
        ),
        0,
        2,
        "max_tokens is sent as max_completion_tokens",
        sees=lambda received: received[-1].body["max_completion_tokens"] == 4096,
    ),
    Situation(
        "`max_tokens` wants another name, as a 500",
        without("max_tokens", error(500, "'max_tokens' is not supported, use 'max_completion_tokens'")),
        0,
        2,
        "max_tokens is sent as max_completion_tokens",
    ),
    Situation(
        "no name for the limit of an answer is known",
        lambda _number, body: (
            error(400, f"Unknown parameter: '{name}'.")
            if (name := next((name for name in body if name.startswith("max_")), ""))
            else ok()
        ),
        0,
        2,
        "no limit of the answer's length is sent",
    ),
    given("top_p", ("--top-p", "0.9"), error(400, "Model m does not support parameter topP."), "xAI: `topP`"),
    given(
        "top_k",
        ("--top-k", "20"),
        error(400, "Unrecognized request argument supplied: top_k"),
        "`--top-k` refused",
    ),
    given(
        "min_p", ("--min-p", "0.1"), error(422, "min_p: Extra inputs are not permitted"), "`--min-p` refused"
    ),
    given(
        "reasoning_effort",
        ("--reasoning-effort", "high"),
        error(400, "Argument not supported on this model: reasoningEffort"),
        "`--reasoning-effort` refused",
    ),
    given(
        "stop",
        ("--extra-body", '{"stop": ["END"]}'),
        failure(400, "Unsupported parameter: 'stop'", code="unsupported_parameter", param="stop"),
        "`stop` of `--extra-body` refused",
    ),
    given(
        "response_format",
        ("--extra-body", '{"response_format": {"type": "text"}}'),
        error(400, "This model does not support response format"),
        "`response_format` refused",
    ),
    given(
        "stream_options",
        ("--extra-body", '{"stream_options": {"include_usage": true}}'),
        error(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled."),
        "`stream_options` refused",
    ),
    Situation(
        "`temperature` and `top_p` not both",
        lambda _number, body: (
            error(400, "`temperature` and `top_p` cannot both be specified for this model.")
            if {"temperature", "top_p"} <= set(body)
            else ok()
        ),
        0,
        2,
        "top_p is not sent",
        words=("--top-p", "0.9", "--select", "first"),
    ),
    Situation(
        "`--temperature 1.9` is out of range",
        always(error(400, "temperature must be between 0 and 1", param="temperature")),
        2,
        0,
        "temperature must be between 0 and 1",
        "nothing is asked",
        words=("--temperature", "1.9"),
        calls=3,
    ),
    Situation(
        "`--max-tokens` is above the model's own limit",
        always(error(400, "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens")),
        2,
        0,
        "lower it",
        "nothing is asked",
        words=("--max-tokens", "8192"),
        calls=2,
    ),
    Situation(
        "`--max-tokens` is above what the model may answer, which is not its context",
        always(
            error(400, "max_tokens is too large: 8192. This model supports at most 4096 completion tokens")
        ),
        2,
        0,
        "refused --max-tokens 8192 (400): lower it",
        "nothing is asked",
        words=("--max-tokens", "8192"),
        calls=-1,
    ),
    *(
        Situation(
            what, all_but_user(reply), 0, 2, "are sent as part of the user's", kept="part of the user's"
        )
        for what, reply in NO_SYSTEM.items()
    ),
    Situation("DashScope: the model only streams", streams_only, 0, 2, "asked for as a stream"),
    Situation(
        "TGI: a temperature of 0, which questions have, is refused",
        questions_at_zero,
        0,
        8,
        "temperature 0.0 is not sent",
        n=4,
        words=ADAPTIVE,
        calls=-1,
        sees=lambda received: all(item.body["temperature"] == 0.7 for item in received[:4]),
    ),
    Situation(
        "a temperature that only questions have is refused in unknown words",
        questions(error(400, "computer says no")),
        0,
        4,
        "chose sample",
        n=4,
        words=ADAPTIVE,
        calls=-1,
    ),
    Situation(
        "every question of selection is filtered",
        questions(error(400, "Content Exists Risk")),
        0,
        4,
        "chose sample",
        n=4,
        words=ADAPTIVE,
        calls=-1,
    ),
    Situation(
        "every question of selection gets a 200 without a completion",
        questions(raw({"choices": []})),
        0,
        4,
        "chose sample",
        n=4,
        words=ADAPTIVE,
        calls=-1,
    ),
    Situation(
        "the key is used up when selection asks",
        questions(error(402, "Insufficient credits")),
        2,
        4,
        "no quota left",
        "the program that passes is printed",
        n=4,
        words=ADAPTIVE,
        calls=-1,
    ),
    Situation(
        "the server is gone when selection asks",
        questions(error(502, "bad gateway")),
        3,
        4,
        "gave no answer",
        "the program that passes is printed",
        n=4,
        words=ADAPTIVE,
        calls=-1,
    ),
    Situation(
        "a field refused for one problem of three only",
        about("b", error(400, "Unknown parameter: 'seed'.")),
        0,
        4,
        "seed is not sent",
        "2 of 3 solved, the calls counted as failed",
        "eval",
        calls=-1,
    ),
]
