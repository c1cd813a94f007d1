"""A server for tests that answers token by token, as vLLM does: ids in and out, stop tokens, limits.

    with TokenServer(lambda written: "hm</think>42"[len(written):]) as server:
        model = OpenAIModel("tiny", base_url=server.base_url)

What the model writes next is a function of what it has written so far and of what was written for it. A token
is a word with the blanks before it, or a tag; ids are given in order of appearance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from sstar_code.agent.testing.server import Reply, ServerDouble, failure

_TOKEN = re.compile(r"</?think>|<\|\w+\|>|\n|[ ]+(?=<)|[ ]*\w+|[ ]*[^\w\s]|\s")
_USER, _ASSISTANT = "<|user|>", "<|assistant|>"
_END = "<|end|>"


class TokenServer(ServerDouble):
    """Serves while its `with` block lasts.

    Args:
        write: what the model writes from here on to its end, given the text behind the prompt so far; called
            in the connection's thread.
        opens: the chat template opens `<think>`, so the text so far begins behind it.
        gives_ids: it gives and takes token ids, and has `/tokenize` and `/v1/completions`.
        continues: it continues the last message of a chat.
        parses: thinking comes apart from the answer's text, as with a reasoning parser.
        options: further arguments of `ServerDouble`.
    """

    def __init__(
        self,
        write: Callable[[str], str],
        *,
        opens: bool = True,
        gives_ids: bool = True,
        continues: bool = True,
        parses: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(lambda _: failure(500, "not reached"), **options)
        self.write = write
        self.opens = opens
        self.gives_ids = gives_ids
        self.continues = continues
        self.parses = parses
        self.sureness: Callable[[str], float] | None = lambda _: 1.0
        """The confidence of a token, as its log probabilities tell; None: the server tells none."""
        self.left = 0
        """Streams whose client went before their end."""
        self.instead: dict[str, str] = {}
        """Token -> the one that is written in its place where `logit_bias` is against it."""
        self.bodies: list[dict[str, Any]] = []
        """The bodies of all calls of both endpoints, in order."""
        self._ids: dict[str, int] = {}
        self._texts: list[str] = []

    def encode(self, text: str) -> list[int]:
        """The tokens of `text`."""
        found = _TOKEN.findall(text)
        assert "".join(found) == text
        with self._lock:
            for token in found:
                if token not in self._ids:
                    self._ids[token] = len(self._texts)
                    self._texts.append(token)
            return [self._ids[token] for token in found]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of tokens."""
        return "".join(self._texts[item] for item in ids)

    def answer(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """As `ServerDouble.answer`."""
        if path == "/tokenize" and self.gives_ids:
            tokens = self.encode(json.loads(content).get("prompt", ""))
            return Reply(json.dumps({"count": len(tokens), "tokens": tokens}).encode())
        if path == "/v1/completions" and self.gives_ids:
            body = json.loads(content)
            self.bodies.append(body)
            return self._complete(body, list(body["prompt"]), is_chat=False)
        return super().answer(method, path, headers, content)

    def answer_chat(self, body: dict[str, Any], cut_after: int | None) -> Reply:  # noqa: ARG002 - as the base
        """The reply to a chat request."""
        self.bodies.append(body)
        messages = body["messages"]
        continued = body.get("continue_final_message")
        if continued and not self.continues:
            return failure(400, "continue_final_message is not supported")
        prompt = "".join(f"{_USER}{message['content']}" for message in messages if message["role"] == "user")
        prompt += _ASSISTANT
        prompt += messages[-1]["content"] if continued else "<think>\n" if self.opens else ""
        return self._complete(body, self.encode(prompt), is_chat=True)

    def _complete(self, body: Mapping[str, Any], prompt: list[int], *, is_chat: bool) -> Reply:
        written = self.decode(prompt).rpartition(_ASSISTANT)[2]
        if self.opens:
            written = written.removeprefix("<think>\n")
        limit = body.get("max_tokens") or 1 << 20
        try:
            text = self.write(written) if written != self.decode(prompt) else _END  # no chat's prompt
        except AssertionError as error:
            return failure(400, f"not in the script: {error}")
        ids, reason, stop = self._generate(self.encode(text), limit, body)
        is_whole = reason == "length" or (isinstance(stop, str) and body.get("include_stop_str_in_output"))
        text = self.decode(ids if is_whole else ids[:-1])
        message: dict[str, Any] = {"content": text}
        if self.parses and "</think>" not in written:
            thought, closed, rest = text.removeprefix("<think>").partition("</think>")
            message = {"reasoning": thought, "content": rest if closed else None}
        choice: dict[str, Any] = {"index": 0, "finish_reason": reason, "stop_reason": stop}
        choice |= {"message": {"role": "assistant", **message}} if is_chat else {"text": text}
        data: dict[str, Any] = {"choices": [choice]}
        if self.gives_ids and body.get("return_token_ids"):
            choice["token_ids"] = ids
            (data if is_chat else choice)["prompt_token_ids"] = prompt
        if "logprobs" in body and self.sureness is not None:
            texts = [self.decode([token]) for token in ids]
            values = [-self.sureness(one) for one in texts]
            choice["logprobs"] = {"tokens": texts, "token_logprobs": values}
            if is_chat:
                pairs = zip(texts, values, strict=True)
                choice["logprobs"] = {"content": [{"token": one, "logprob": value} for one, value in pairs]}
        data["usage"] = {"prompt_tokens": len(prompt), "completion_tokens": len(ids)}
        if body.get("stream"):
            return Reply(
                self._stream(ids, len(prompt), reason), headers={"content-type": "text/event-stream"}
            )
        return Reply(json.dumps(data).encode())

    def _stream(self, ids: list[int], prompt: int, reason: str) -> Generator[bytes, None, None]:
        """A token an event, with its log probabilities."""
        is_whole = False
        try:
            for count, token in enumerate(ids, start=1):
                text = self.decode([token])
                choice: dict[str, Any] = {"index": 0, "delta": {"content": "" if text == _END else text}}
                if self.sureness is not None:
                    top = [{"token": text, "logprob": -self.sureness(text)}] * 2
                    choice["logprobs"] = {"content": [{"token": text, "top_logprobs": top}]}
                usage = {"prompt_tokens": prompt, "completion_tokens": count}
                yield b"data: " + json.dumps({"choices": [choice], "usage": usage}).encode() + b"\n\n"
                yield b""  # is the client still there?
            end = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
            yield b"data: " + json.dumps(end).encode() + b"\n\ndata: [DONE]\n\n"
            is_whole = True
        finally:
            self.left += not is_whole

    def _generate(
        self, ids: list[int], limit: int, body: Mapping[str, Any]
    ) -> tuple[list[int], str, int | str | None]:
        """The tokens up to a stop, the limit or the end; why it ended, and by which stop."""
        stops, words = body.get("stop_token_ids") or (), body.get("stop") or ()
        bias = {int(token): value for token, value in (body.get("logit_bias") or {}).items()}
        for count, token in enumerate(ids[:limit], start=1):
            if bias.get(token, 0) < 0 and self._texts[token] in self.instead:
                ids[count - 1 : count] = self.encode(self.instead[self._texts[token]])
                token = ids[count - 1]  # noqa: PLW2901 - another one is drawn
            if token in stops:
                return ids[:count], "stop", token
            word = next((word for word in words if word in self.decode(ids[:count])), None)
            if word is not None:
                return ids[:count], "stop", word
        if len(ids) > limit:
            return ids[:limit], "length", None
        return [*ids, *self.encode(_END)], "stop", None
