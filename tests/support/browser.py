"""A headless Chromium driven over its debugging pipe, with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

_START = """import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 100) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""The browser reads commands from 3 and answers on 4."""


def find_browser() -> str | None:
    """The browser's program; None where there is none."""
    wanted = os.environ.get("SSTAR_TEST_BROWSER")
    return wanted or next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page. `messages` has every line of the console and every uncaught error."""

    def __init__(self, to_browser: io.BufferedWriter, from_browser: io.BufferedReader) -> None:
        self._to, self._from = to_browser, from_browser
        self._number = 0
        self._session: str | None = None
        self.messages: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of one command; what the browser tells meanwhile is kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            heard = self._hear()
            if heard.get("id") == self._number:
                assert "error" not in heard, heard
                return heard["result"]

    def _hear(self) -> dict[str, Any]:
        text = bytearray()
        while (part := self._from.read(1)) != b"\0":
            assert part, "the browser is gone"
            text += part
            if rest := self._from.peek():
                end = rest.find(b"\0")
                text += self._from.read(end if end >= 0 else len(rest))
        heard = json.loads(text)
        kind, data = heard.get("method"), heard.get("params", {})
        if kind == "Runtime.consoleAPICalled":
            self.messages.append(str(data["args"]))
        elif kind == "Runtime.exceptionThrown":
            self.messages.append(str(data["exceptionDetails"]))
        elif kind == "Log.entryAdded":
            self.messages.append(data["entry"]["text"])
        elif kind == "Network.requestWillBeSent":
            self.requests.append(data["request"]["url"])
        return heard

    def open(self, path: Path, anchor: str = "") -> None:
        """Show a file and wait until it is loaded."""
        self.call("Page.navigate", url=path.resolve().as_uri() + anchor)
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str, timeout_s: float = 60.0) -> None:
        """Wait until the expression is true."""
        end = time.monotonic() + timeout_s
        while not self.run(script):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """One key, as a person presses it: `Tab`, `Enter`, or a letter."""
        codes = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " ")}
        code, text = codes.get(key, (ord(key[0].upper()), key))
        event = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def close(self) -> None:
        """End the browser."""
        self._session = None
        self.call("Browser.close")

    def picture(
        self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False, whole: bool = True
    ) -> None:
        """A screenshot as PNG."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browse(program: str) -> Iterator[Browser]:
    """A browser that ends with the block."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [
            *(program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
            *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "about:blank"),
        ]
        process = subprocess.Popen(
            [sys.executable, "-c", _START, str(to_read), str(from_write), *words],
            pass_fds=(to_read, from_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(from_write)
        try:
            with os.fdopen(to_write, "wb") as to_browser, os.fdopen(from_read, "rb") as from_browser:
                browser = Browser(to_browser, from_browser)
                yield browser
                browser.close()
        finally:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
