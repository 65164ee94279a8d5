"""Files of public repositories: what figshare lists for a DOI, and the archive of a Kaggle data set."""

import json
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from samcarry.errors import InputError, shortlist
from samcarry.fetching.download import Remote, read_json


def figshare_files(doi: str, pattern: str, api: str) -> dict[str, Remote]:
    """{name: file} of the files of a figshare article whose name fits a pattern.

    Args:
        doi: such as 10.6084/m9.figshare.14825193, or with a version, `.v2`.
        pattern: such as `images*.zip`.
        api: the address of figshare's API.

    Raises:
        InputError: it is not a DOI of figshare, figshare does not answer as documented, or no file fits.
    """
    found = re.search(r"figshare\.(\d+)(?:\.v(\d+))?$", doi)
    if not found:
        raise InputError(f"{doi}: is not a DOI of figshare, which ends with figshare.<number>: correct it")
    article, version = found.groups()
    url = f"{api.rstrip('/')}/articles/{article}"
    url += f"/versions/{version}" if version else "/files?page_size=1000"
    answer = read_json(url)
    try:
        entries = answer["files"] if isinstance(answer, dict) else answer
        files = {
            _text(entry["name"]): Remote(
                _text(entry["download_url"]),
                f"md5:{entry.get('computed_md5') or entry['supplied_md5']}",
                int(entry["size"]),
            )
            for entry in entries
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise InputError(f"{url}: did not answer as figshare's API does: correct fetch.figshare") from None
    fitting = {name: file for name, file in sorted(files.items()) if fnmatchcase(name, pattern)}
    if not fitting:
        raise InputError(
            f"{doi}: has no file {pattern!r}; it has {shortlist(sorted(files), 20)}: correct `name`"
        )
    return fitting


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


class _Token(AuthBase):
    """A token of an API, as a header."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def kaggle_file(slug: str, api: str) -> Remote:
    """The zip archive of a Kaggle data set.

    Args:
        slug: `<owner>/<data set>`.
        api: the address of Kaggle's API.

    Raises:
        InputError: there is no token of the user.
    """
    return Remote(f"{api.rstrip('/')}/datasets/download/{slug}", None, auth=_kaggle_user(slug))


def _kaggle_user(slug: str) -> AuthBase:
    """What identifies the user: KAGGLE_API_TOKEN, KAGGLE_USERNAME and KAGGLE_KEY, or kaggle.json."""
    if token := os.environ.get("KAGGLE_API_TOKEN"):
        return _Token(token)
    if (user := os.environ.get("KAGGLE_USERNAME")) and (key := os.environ.get("KAGGLE_KEY")):
        return HTTPBasicAuth(user, key)
    file = Path(os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle") / "kaggle.json"
    try:
        entry = json.loads(file.read_text(encoding="utf-8"))
        return HTTPBasicAuth(entry["username"], entry["key"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"Kaggle gives {slug} only to its users: make a token on kaggle.com (Settings, API) and set "
            f"KAGGLE_API_TOKEN, or put kaggle.json at {file}; or download the data by hand"
        ) from None
