"""A headless browser for tests of pages, driven by Playwright."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

needs_browser = pytest.mark.skipif(
    CHROMIUM is None,
    reason="NO BROWSER: the pages are not tested (Debian: apt-get install chromium)",
)


def launch(playwright: Playwright, **options: Any) -> Browser:
    """Debian's Chromium without a window; root may run it, as in containers."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], **options)


def open_page(browser: Any, path: Path, width: int = 1280, height: int = 800) -> Page:
    """Open an annotation page from its file and wait until it can be used."""
    page = browser.new_page()
    page.set_viewport_size({"width": width, "height": height})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", timeout=60_000)
    assert not faults, faults
    return page


class Annotator:
    """A person at the page: what she sees in pixels of the image becomes mouse and keys."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._session: Any = None

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A place of the image in pixels of the window."""
        return tuple(  # type: ignore[return-value]
            self.page.evaluate(
                """([x, y]) => {
                    const { viewer } = samcarry.app;
                    const at = viewer.toCanvas({ x, y });
                    const box = viewer.canvas.getBoundingClientRect();
                    return [at.x + box.left, at.y + box.top];
                }""",
                [float(x), float(y)],
            )
        )

    def click(self, x: float, y: float, button: str = "left") -> None:
        self.page.mouse.click(*self.place(x, y), button=button)  # type: ignore[arg-type]

    def drag(self, *places: tuple[float, float]) -> None:
        """Drag through places of the image."""
        first, *rest = (self.place(*place) for place in places)
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for place in rest:
            self.page.mouse.move(*place)
        self.page.mouse.up()

    def waiting_for_sam(self, action: Any, *arguments: Any, **options: Any) -> None:
        """Do something that asks SAM, and wait until its answer is shown."""
        before = int(self.page.evaluate("samcarry.app.asked"))
        action(*arguments, **options)
        self.page.wait_for_selector(f'html[data-answers="{before + 1}"]', timeout=60_000)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def choose(self, name: str) -> None:
        """Choose a class by its name."""
        index = self.page.evaluate("name => samcarry.app.page.classes.indexOf(name)", name)
        self.page.evaluate("index => samcarry.app.chooseClass(index)", index)

    def state(self, name: str) -> str:
        return str(
            self.page.evaluate(
                """name => samcarry.app.work.classes[samcarry.app.page.classes.indexOf(name)].state""", name
            )
        )

    def mask(self, name: str) -> list[int]:
        """The pixels of a class, row by row."""
        return list(
            self.page.evaluate(
                """name => [...samcarry.app.bitmap(samcarry.app.page.classes.indexOf(name))]""", name
            )
        )

    def finish(self) -> None:
        """Finish the case, and confirm what was not looked at."""
        self.press("f")
        if self.page.locator("#rest[open]").count():
            self.page.click("#confirm-rest")

    def kept(self) -> None:
        """Wait until the browser has stored everything."""
        self.page.evaluate("() => samcarry.app.store.queue")

    def save(self, folder: Path, name: str = "A. Müller") -> Path:
        """Save the finished cases."""
        if not self.page.input_value("#annotator"):
            self.page.fill("#annotator", name)
            self.page.keyboard.press("Tab")
        with self.page.expect_download() as download:
            self.page.click("#save")
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def touch(self, kind: str, *places: tuple[float, float]) -> None:
        """Put fingers on places of the image, move them there, or (without places) lift them."""
        points = [
            dict(zip("xy", self.place(*place), strict=True), id=number) for number, place in enumerate(places)
        ]
        self.session().send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    def pen(self, kind: str, x: float, y: float) -> None:
        """Press, move or lift a pen at a place of the image."""
        left, top = self.place(x, y)
        names = {"down": "mousePressed", "move": "mouseMoved", "up": "mouseReleased"}
        event = {"type": names[kind], "x": left, "y": top, "button": "left", "pointerType": "pen"}
        buttons = {"buttons": 0 if kind == "up" else 1, "clickCount": int(kind != "move")}
        self.session().send("Input.dispatchMouseEvent", event | buttons)

    def session(self) -> Any:
        """Chromium's own protocol, for what Playwright cannot do."""
        if self._session is None:
            self._session = self.page.context.new_cdp_session(self.page)
        return self._session
