# ruff: noqa: E501 - the words of servers stand as they come
"""One prompt of many that a server refuses: filters, lengths, unknown reasons."""

from __future__ import annotations

from tests.agent.models.endpoints.situation import Reply, Situation, about, always, error, raw

FILTERS = {
    "DeepSeek: Content Exists Risk": error(
        400, "Content Exists Risk", type="invalid_request_error", code="invalid_request_error"
    ),
    "DashScope: data_inspection_failed": error(
        400, "Input data may contain inappropriate content.", code="data_inspection_failed"
    ),
    "OpenAI: invalid_prompt": error(
        400,
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
        code="invalid_prompt",
    ),
    "Azure: content_filter": error(
        400,
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        code="content_filter",
        innererror={"code": "ResponsibleAIPolicyViolation"},
    ),
    "Zhipu: code 1301": error(400, "系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301"),
    "OpenRouter: 403, flagged by moderation": error(
        403,
        "Input was flagged",
        code=403,
        metadata={"reasons": ["violence"], "provider_name": "x", "raw": "moderation"},
    ),
    "xAI: 403, content violates usage guidelines": raw(
        {
            "code": "permission_denied",
            "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_X",
        },
        403,
    ),
    "Moonshot: considered high risk": error(
        400, "The request was rejected because it was considered high risk", type="content_filter"
    ),
    "Bedrock: blocked by a guardrail": raw({"message": "The input was blocked by guardrail g-1"}, 400),
    "Anthropic: output blocked, as a 500": error(
        500, "Output blocked by content filtering policy", type="api_error"
    ),
    "OpenAI: rejected by the safety system": error(
        400, "Your request was rejected as a result of our safety system.", code="moderation_blocked"
    ),
    "Volcengine: SensitiveContentDetected": error(
        400,
        "The request failed because the input text may contain sensitive information.",
        code="SensitiveContentDetected",
    ),
    "LiteLLM: ContentPolicyViolationError": error(
        400, "litellm.ContentPolicyViolationError: AzureException - no"
    ),
    "Gemini: prohibited content, in a list": raw(
        [
            {
                "error": {
                    "code": 400,
                    "message": "Request was blocked: PROHIBITED_CONTENT",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        400,
    ),
}
TOO_LONG = {
    "vLLM": error(
        400,
        "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input tokens",
        param="input_tokens",
        code=400,
    ),
    "TGI, Together: 422 inputs + max_new_tokens": raw(
        {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 32768. Given: 40000 `inputs` "
            "tokens and 4096 `max_new_tokens`",
            "error_type": "validation",
        },
        422,
    ),
    "Gemini, in a list": raw(
        [
            {
                "error": {
                    "code": 400,
                    "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        400,
    ),
    "DashScope": error(
        400, "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]"
    ),
    "xAI": raw(
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 150000 tokens.",
        },
        400,
    ),
    "Bedrock": raw({"message": "Input is too long for requested model."}, 400),
    "Moonshot": error(
        400, "Invalid request: Your request exceeded model token limit: 8192", type="invalid_request_error"
    ),
    "LM Studio": raw(
        {
            "error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with "
            "context length of only 4096 tokens"
        },
        400,
    ),
    "llama.cpp": error(
        400,
        "the request exceeds the available context size, try increasing it",
        type="exceed_context_size_error",
        code=400,
        n_ctx=4096,
    ),
    "llama.cpp, as a 500": error(500, "Context size has been exceeded.", type="server_error", code=500),
    "LiteLLM": error(
        400, "litellm.ContextWindowExceededError: prompt is larger than the model's context window"
    ),
    "Anthropic": error(
        400, "prompt is too long: 210000 tokens > 200000 maximum", type="invalid_request_error"
    ),
    "Mistral": error(
        400, "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"
    ),
    "Groq: 413": error(
        413, "Request too large for model `m` in organization `o`", code="rate_limit_exceeded"
    ),
    "SGLang": raw(
        {
            "object": "error",
            "message": "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
            "code": 400,
        },
        400,
    ),
    "Zhipu: code 1261": error(400, "Prompt 超长", code="1261"),
    "Cohere": raw(
        {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081"}, 400
    ),
    "OpenRouter, with the provider's words inside": error(
        400,
        "Provider returned error",
        code=400,
        metadata={"raw": '{"error":{"message":"prompt token count of 9000 exceeds the limit of 8192"}}'},
    ),
}
UNKNOWN = {
    "a 400 in unknown words": error(400, "computer says no"),
    "a 422 without words": raw(b"", 422),
    "a 403 with a firewall's page": raw(
        b"<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>...</body></html>",
        403,
    ),
}
PARTLY = "2 of 3 solved, the calls counted as failed"


def one_of_three(what: str, reply: Reply, says: str, calls: int = 6) -> Situation:
    return Situation(what, about("b", reply), 0, 4, says, PARTLY, "eval", calls=calls)


SITUATIONS = [
    *(one_of_three(f"filter, {what}", reply, "refused the prompt") for what, reply in FILTERS.items()),
    *(
        one_of_three(f"too long, {what}", reply, "like: prompt too long", calls=-1)
        for what, reply in TOO_LONG.items()
    ),
    *(
        one_of_three(f"one problem of three gets {what}", reply, "this call alone has failed", calls=-1)
        for what, reply in UNKNOWN.items()
    ),
    Situation(
        "every prompt gets a 400 in unknown words",
        always(error(400, "computer says no")),
        2,
        0,
        "refused the request (400): computer says no",
        "nothing is asked",
        calls=3,
    ),
    Situation(
        "every prompt is filtered",
        always(error(400, "Content Exists Risk")),
        1,
        0,
        "2 of 2 samples ended with a failed model call",
        "not solved",
        calls=2,
    ),
    Situation(
        "every prompt is too long for the model",
        always(error(400, "Input is too long for requested model.")),
        1,
        0,
        "like: prompt too long",
        "not solved",
        calls=2,
    ),
]
