"""Debian's Firefox without a window, driven by its own protocol (Marionette).

Playwright would need a Firefox of its own.
"""

import itertools
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)

needs_firefox = pytest.mark.skipif(
    FIREFOX is None,
    reason="NO FIREFOX: the pages are tested in Chromium only (Debian: apt-get install firefox-esr)",
)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Firefox:
    """One window of a fresh Firefox; downloads are written to `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, port = folder, _free_port()
        profile = folder / "profile"
        profile.mkdir()
        preferences = {
            "marionette.port": port,
            "browser.download.folderList": 2,
            "browser.download.dir": str(folder),
            "browser.download.useDownloadDir": True,
            "browser.helperApps.neverAsk.saveToDisk": "application/xml",
        }
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()
        ]
        (profile / "user.js").write_text("\n".join(lines))
        options = ["--headless", "--no-remote", "--marionette", "--profile", str(profile)]
        self.process = subprocess.Popen(
            [str(FIREFOX), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
        )
        self.numbers = itertools.count()
        self.connection = self._connect(port)
        self._receive()  # it says who it is
        self.send("WebDriver:NewSession")
        self.send("WebDriver:SetTimeouts", script=60_000, pageLoad=120_000)

    def _connect(self, port: int) -> socket.socket:
        for _ in range(600):
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=120)
            except ConnectionRefusedError:
                time.sleep(0.1)
        raise AssertionError("Firefox did not start")

    def _receive(self) -> Any:
        """A message: the length of its JSON text, a colon, and the text."""
        size = b""
        while not size.endswith(b":"):
            size += self.connection.recv(1)
        text = b""
        while len(text) < int(size[:-1]):
            text += self.connection.recv(int(size[:-1]) - len(text))
        return json.loads(text)

    def send(self, command: str, **arguments: Any) -> Any:
        """The result of a command."""
        text = json.dumps([0, next(self.numbers), command, arguments]).encode()
        self.connection.sendall(b"%d:%b" % (len(text), text))
        _, _, error, result = self._receive()
        assert error is None, error
        return result

    def open(self, path: Path) -> None:
        """Open a page of samcarry from its file and wait until it can be used."""
        self.send("WebDriver:Navigate", url=path.as_uri())
        self.wait("document.documentElement.dataset.ready")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        script = f"return ({expression});"
        return self.send("WebDriver:ExecuteScript", script=script, args=[], sandbox=None)["value"]

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        for _ in range(600):
            if self.evaluate(expression):
                return
            time.sleep(0.1)
        raise AssertionError(f"never true: {expression}")

    def find(self, selector: str) -> str:
        """An element, for other commands."""
        found = self.send("WebDriver:FindElement", using="css selector", value=selector)
        return str(next(iter(found["value"].values())))

    def click(self, x: float, y: float) -> None:
        """Click on a place of the window."""
        at = {"type": "pointerMove", "x": round(x), "y": round(y)}
        actions = [at, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        mouse = {"type": "pointer", "id": "mouse", "actions": actions}
        self.send("WebDriver:PerformActions", actions=[mouse])

    def click_on(self, selector: str) -> None:
        """Click on an element."""
        self.send("WebDriver:ElementClick", id=self.find(selector))

    def press(self, selector: str, text: str) -> None:
        """Type into an element; a path chooses a file."""
        self.send("WebDriver:ElementSendKeys", id=self.find(selector), text=text)

    def close(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.wait(60)
