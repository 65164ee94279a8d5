import json

import pytest

from samcarry.errors import InputError
from samcarry.fetching.repositories import figshare_files, kaggle_file
from support.file_server import file_server, md5, serve_figshare

DOI = "10.6084/m9.figshare.123"


@pytest.fixture
def server():
    with file_server() as running:
        yield running


@pytest.fixture(autouse=True)
def no_user(monkeypatch, tmp_path):
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))


def test_files_of_an_article(server):
    api = serve_figshare(server, "123", {"b.zip": b"bb", "a.zip": b"a", "table.csv": b"c"})
    found = figshare_files(DOI, "*.zip", api)
    assert list(found) == ["a.zip", "b.zip"]
    assert found["b.zip"].digest == f"md5:{md5(b'bb')}"
    assert found["b.zip"].size == 2
    assert found["b.zip"].url.startswith(server.url)


def test_a_version_of_an_article(server):
    entry = {"name": "a", "size": 1, "supplied_md5": "0", "computed_md5": "", "download_url": "u"}
    server.serve("/v2/articles/123/versions/2", json.dumps({"files": [entry]}).encode())
    assert figshare_files(f"{DOI}.v2", "*", f"{server.url}/v2")["a"].digest == "md5:0"


def test_what_is_not_there_is_named_with_what_is(server):
    api = serve_figshare(server, "123", {"b.zip": b"bb", "a.zip": b"a"})
    with pytest.raises(InputError, match=r"has no file 'x\*'; it has a.zip, b.zip"):
        figshare_files(DOI, "x*", api)


ENTRY = b'[{"name": %b, "download_url": %b, "computed_md5": "0", "size": %b}]'


@pytest.mark.parametrize(
    "answer",
    [
        *(b"[1]", b"{}", b'[{"name": "a"}]', b"null", b'["abc"]', b"7"),
        ENTRY % (b"7", b'"u"', b"1"),
        ENTRY % (b'"a"', b"null", b"1"),
        ENTRY % (b'"a"', b'"u"', b"1e999"),
    ],
)
def test_another_answer_than_figshares(server, answer):
    server.serve("/v2/articles/123/files", answer)
    with pytest.raises(InputError, match="did not answer as figshare"):
        figshare_files(DOI, "*", f"{server.url}/v2")


def test_a_doi_of_another_place():
    with pytest.raises(InputError, match="not a DOI of figshare"):
        figshare_files("10.5281/zenodo.123", "*", "http://127.0.0.1:9")


class Request:
    def __init__(self):
        self.headers = {}


def authorization(remote):
    return remote.auth(Request()).headers["Authorization"]


def test_kaggle_without_a_token_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="make a token on kaggle") as error:
        kaggle_file("owner/set", "https://host/v1")
    assert str(tmp_path / "kaggle.json") in str(error.value)
    (tmp_path / "kaggle.json").write_text("[]")
    with pytest.raises(InputError, match="make a token"):
        kaggle_file("owner/set", "https://host/v1")


def test_the_users_token_in_each_form(monkeypatch, tmp_path):
    (tmp_path / "kaggle.json").write_text('{"username": "u", "key": "k"}')
    remote = kaggle_file("owner/set", "https://host/v1/")
    assert remote.url == "https://host/v1/datasets/download/owner/set"
    assert authorization(remote) == "Basic dTpr"
    monkeypatch.setenv("KAGGLE_USERNAME", "v")
    monkeypatch.setenv("KAGGLE_KEY", "k")
    assert authorization(kaggle_file("owner/set", "https://host")) == "Basic djpr"
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_1")
    assert authorization(kaggle_file("owner/set", "https://host")) == "Bearer KGAT_1"
