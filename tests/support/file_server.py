"""A server on this machine that sends files slowly, in part or falsely, and imitates public APIs."""

import contextlib
import hashlib
import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """A file and how it is sent.

    Attributes:
        content: the file.
        breaks: after how many bytes each of the first answers ends; later answers are complete.
        knows_range: whether a rest is sent on request.
        surplus: how many bytes the announced length has too many (or too few).
        announces: whether a length is announced at all.
        delay: seconds before each kilobyte.
        status: of each answer, one after the other; the last one stays.
        kind: the Content-Type.
        location: where a redirect leads.
        user: the Authorization that is expected.
    """

    content: bytes = b""
    breaks: list[int] = field(default_factory=list)
    knows_range: bool = True
    surplus: int = 0
    announces: bool = True
    delay: float = 0.0
    status: list[int] = field(default_factory=lambda: [200])
    kind: str = "application/octet-stream"
    location: str = ""
    user: str = ""


@dataclass
class FileServer:
    """The address of a server, its files by path, and the requests: path, Range and Authorization."""

    url: str
    files: dict[str, Served] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    def serve(self, path: str, content: bytes = b"", **how: object) -> str:
        """Serve a file; return its address."""
        self.files[path] = Served(content, **how)  # type: ignore[arg-type]
        return f"{self.url}{path}"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@contextlib.contextmanager
def file_server() -> Iterator[FileServer]:
    """A running server, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", ""), self.headers.get("Authorization", "")
            path = self.path.split("?")[0]
            here.requests.append((path, *asked))
            served = here.files.get(path)
            if served is None:
                return self.send_error(404)
            if served.user and served.user != asked[1]:
                return self.send_error(401)
            status = served.status.pop(0) if len(served.status) > 1 else served.status[0]
            if served.location:
                self.send_response(302)
                self.send_header("Location", served.location)
                return self.end_headers()
            if status != 200:
                return self.send_error(status)
            start = int(asked[0][6:-1]) if asked[0] and served.knows_range else 0
            size = len(served.content)
            if start >= size > 0:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", served.kind)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            if served.announces:
                self.send_header("Content-Length", str(size - start + served.surplus))
            self.end_headers()
            content = served.content[start:]
            if served.breaks:
                content = content[: served.breaks.pop(0)]
            with contextlib.suppress(ConnectionError):  # the other side has heard enough
                for place in range(0, len(content), 1024):
                    time.sleep(served.delay)
                    self.wfile.write(content[place : place + 1024])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = FileServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive of these files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def serve_figshare(server: FileServer, article: str, files: dict[str, bytes]) -> str:
    """Serve an article as figshare does; return the address of the API."""
    listed = [
        {
            "name": name,
            "size": len(content),
            "computed_md5": md5(content),
            "supplied_md5": md5(content),
            "download_url": server.serve(f"/ndownloader/{number}", content),
        }
        for number, (name, content) in enumerate(files.items())
    ]
    server.serve(f"/v2/articles/{article}/files", json.dumps(listed).encode(), kind="application/json")
    return f"{server.url}/v2"


def serve_kaggle(server: FileServer, slug: str, archive: bytes, user: str) -> str:
    """Serve a data set as Kaggle does, which leads its users to a store; return the address of the API."""
    store = server.serve("/store/archive.zip", archive)
    server.serve(f"/v1/datasets/download/{slug}", location=store, user=user)
    return f"{server.url}/v1"
