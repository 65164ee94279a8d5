"""Download of one file: resumed after a break, verified, and placed atomically."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import requests
import urllib3
from requests.auth import AuthBase

from samcarry.errors import InputError
from samcarry.storage.disk import (
    clear_leftovers,
    give_usual_mode,
    make_folder,
    private_name,
    put,
    remove,
    sync,
)

TRIES = 5
"""Attempts in a row that bring no new byte, before a download is given up."""
_CHUNK = 1 << 20
_TIMEOUT = (30, 60)  # seconds to connect, and between two bytes
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_REASONS = {
    401: "the server asks for a login",
    403: "the server refuses access",
    404: "there is no such file on the server",
    410: "the file is no longer on the server",
}

pooch.get_logger().setLevel("WARNING")  # it would print each address and path

Report = Callable[[int, int | None], None]
"""Called with the bytes that are there and those of the whole file, if the server says how many."""


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Attributes:
        url: its address.
        digest: `sha256:<hex>` or `md5:<hex>`; None = unknown.
        size: in bytes; None = unknown.
        auth: how the server knows the user; it is not sent to another server that this one redirects to.
    """

    url: str
    digest: str | None
    size: int | None = None
    auth: AuthBase | None = None


class _BrokenError(Exception):
    """A download ended early and can be continued."""


class _ContentError(InputError):
    """A download is complete and has another digest."""


def download(remote: Remote, path: Path, report: Report, wait: float = 2.0) -> None:
    """Download a file to `path`, which then has the right content or does not exist.

    What has arrived stays in `<path>.part`, also when the job is killed, and a server that knows Range
    continues there.

    Args:
        remote: the file on the server.
        path: where it is put.
        report: see `Report`.
        wait: seconds before the second attempt; later ones wait longer.

    Raises:
        InputError: the server refuses, sends a web page or another content, or breaks off again and again.
    """
    part = path.with_name(f"{path.name}.part")
    make_folder(path.parent)
    clear_leftovers(path.parent)
    was_resumed = part.exists()
    try:
        _place(remote, part, path, report, wait)
    except _ContentError:
        if not was_resumed:
            raise
        _place(remote, part, path, report, wait)  # the part was of another version of the file


def _place(remote: Remote, part: Path, path: Path, report: Report, wait: float) -> None:
    """Complete the part, check its digest, and give it its name."""

    def complete(_url: str, target: str, _pooch: object) -> None:
        _complete(remote, part, report, wait)
        Path(target).unlink()
        try:
            os.link(part, target)  # so that a job that is killed while it computes the digest keeps the part
        except OSError:  # the file system has no links
            part.replace(target)

    private = private_name(path)
    try:
        private.mkdir()
        pooch.retrieve(remote.url, remote.digest, path.name, private, downloader=complete)
        give_usual_mode(private / path.name)
        sync(private / path.name)
        put(private / path.name, path, replace=True)
        sync(path.parent)
        part.unlink(missing_ok=True)
    except InputError:
        raise
    except ValueError as error:
        part.unlink(missing_ok=True)
        raise _ContentError(
            f"{remote.url}: the server sent another content than expected: its digest is not "
            f"{remote.digest}: correct address and digest in the config, or put the right file at {path}"
        ) from error
    finally:
        remove(private)


def _complete(remote: Remote, part: Path, report: Report, wait: float) -> None:
    """Download the rest of a part."""
    fruitless, fault = 0, ""
    while fruitless < TRIES:
        before = _size(part)
        try:
            return _continue(remote, part, report)
        except (_BrokenError, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            fault = str(error) if isinstance(error, _BrokenError) else type(error).__name__
        fruitless = fruitless + 1 if _size(part) <= before else 1
        if fruitless < TRIES:
            time.sleep(wait * fruitless)
    raise InputError(
        f"{remote.url}: the download broke off {TRIES} times ({fault}); {_size(part)} bytes are in {part}: "
        "run the same command again to continue, or, without a network, put the file there yourself"
    )


def _continue(remote: Remote, part: Path, report: Report) -> None:
    """One request for the rest of a part.

    Raises:
        _BrokenError: the server sent less than it announced, or is busy.
        InputError: another attempt would not help.
    """
    done = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with requests.get(
        remote.url, headers=headers, auth=remote.auth, stream=True, timeout=_TIMEOUT
    ) as response:
        status = response.status_code
        if status == 416:  # nothing is left, or the part is longer than the file
            total = response.headers.get("Content-Range", "").rpartition("/")[2]
            if total.isdigit() and int(total) == done:
                return
            part.unlink()
            raise _BrokenError("the part did not fit the file")
        if status in _TRY_AGAIN:
            raise _BrokenError(f"status {status}")
        if status not in (200, 206):
            raise InputError(
                f"{remote.url}: {_REASONS.get(status, 'the server refuses')} (status {status}): correct the "
                "address in the config"
            )
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise InputError(
                f"{remote.url}: the server sent a web page instead of the file: correct the address, or "
                "log in to the network first"
            )
        resumed = status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {done}-")
        done = done if resumed else 0
        length = response.headers.get("Content-Length", "")
        total_size = done + int(length) if length.isdigit() else remote.size
        _check_size(remote, part, done, total_size)
        with part.open("ab" if resumed else "wb") as stream:
            # As it arrives: `iter_content` would lose the last bytes before a break.
            while chunk := response.raw.read1(_CHUNK):
                stream.write(chunk)
                done += len(chunk)
                if remote.size is not None and done > remote.size:
                    break
                report(done, total_size)
    if total_size is not None and done < total_size:
        raise _BrokenError(f"{done} of {total_size} bytes arrived")
    if remote.size is not None and done != remote.size:
        part.unlink()
        raise InputError(
            f"{remote.url}: the server sent {done} bytes instead of {remote.size}: try again later"
        )


def _check_size(remote: Remote, part: Path, done: int, total: int | None) -> None:
    if remote.size is not None and total is not None and total != remote.size:
        raise InputError(
            f"{remote.url}: the server announces {total} bytes instead of {remote.size}: try again later"
        )
    check_room(part.parent, (total or 0) - done, remote.url)


def check_room(folder: Path, needed: int, what: str) -> None:
    """Stop if a folder's disk has less than `needed` bytes left.

    Raises:
        InputError: naming both numbers.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{what}: needs {needed / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free in "
            f"{folder}: make room"
        )


def read_json(url: str) -> Any:
    """What an API answers, as JSON.

    Raises:
        InputError: it does not answer, or not with JSON.
    """
    for attempt in range(1, 4):
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            response = requests.get(url, timeout=_TIMEOUT)
            if response.status_code not in _TRY_AGAIN:
                break
        time.sleep(attempt)
    else:
        raise InputError(f"{url}: does not answer: is there a network? Run the same command again later")
    if response.status_code != 200:
        reason = _REASONS.get(response.status_code, "the server refuses")
        raise InputError(f"{url}: {reason} (status {response.status_code}): correct the config")
    try:
        return response.json()
    except ValueError:
        raise InputError(f"{url}: did not answer with JSON: correct the address in the config") from None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
