"""A quick upstream for the load test: answers a chat request with the text of its last message.

    python -m benchmarks.serving.upstream PORT [SECONDS]

`stream` gives twenty pieces; a text that holds `slow` waits half a second before it is answered, `solve` gets
a program. Idle connections are kept for some SECONDS (5).
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvicorn

_PROGRAM = "```python\nprint(int(input()) * 2)\n```"
_JSON = [(b"content-type", b"application/json")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    content = b""
    while True:
        message = await receive()
        content += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["method"] == "GET":
        body = b'{"object": "list", "data": [{"id": "tiny", "object": "model"}]}'
        await send({"type": "http.response.start", "status": 200, "headers": _JSON})
        await send({"type": "http.response.body", "body": body})
        return
    asked = json.loads(content)
    text = asked["messages"][-1]["content"]
    if "slow" in text:
        await asyncio.sleep(0.5)
    if "twice" in text:
        text = _PROGRAM
    await send({"type": "http.response.start", "status": 200, "headers": _JSON})
    if asked.get("stream"):
        for number in range(20):
            piece = json.dumps({"choices": [{"index": 0, "delta": {"content": f"{number} {text};"}}]})
            await send(
                {"type": "http.response.body", "body": f"data: {piece}\n\n".encode(), "more_body": True}
            )
            await asyncio.sleep(0.005)
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
        return
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    await send(
        {"type": "http.response.body", "body": json.dumps({"choices": [choice], "usage": usage}).encode()}
    )


if __name__ == "__main__":
    port, keep_s = (int(word) for word in (*sys.argv[1:], "5")[:2])
    uvicorn.run(app, port=port, log_level="critical", lifespan="off", ws="none", timeout_keep_alive=keep_s)
