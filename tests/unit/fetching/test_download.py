import pytest

from samcarry.errors import InputError
from samcarry.fetching import download as module
from samcarry.fetching.download import TRIES, Remote, download, read_json
from support.file_server import digest, file_server

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def server():
    with file_server() as running:
        yield running


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 1000)


def fetch(url, path, content=CONTENT, **known):
    """Download; return the reports."""
    reports = []
    remote = Remote(url, f"sha256:{digest(content)}", **known)
    download(remote, path, lambda *report: reports.append(report), wait=0)
    return reports


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(url, path, **known):
    """The message of a download that fails and leaves no file of that name."""
    with pytest.raises(InputError) as error:
        fetch(url, path, **known)
    assert not path.exists()
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_a_file_arrives_whole_with_the_usual_mode_and_nothing_beside_it(server, tmp_path):
    path = tmp_path / "deep/sam.pth"
    reports = fetch(server.serve("/sam.pth", CONTENT), path)
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["sam.pth"]
    usual = tmp_path / "usual"
    usual.touch()
    assert path.stat().st_mode == usual.stat().st_mode
    assert reports[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in reports] == sorted({done for done, _ in reports})


def test_a_download_that_breaks_off_goes_on_where_it_stopped(server, tmp_path):
    url = server.serve("/sam.pth", CONTENT, breaks=[3000, 2000])
    fetch(url, tmp_path / "sam.pth")
    assert [asked for _, asked, _ in server.requests] == ["", "bytes=3000-", "bytes=5000-"]
    assert (tmp_path / "sam.pth").read_bytes() == CONTENT


def test_a_later_run_goes_on_with_the_part_of_an_earlier_one(server, tmp_path):
    url = server.serve("/sam.pth", CONTENT, breaks=[2000] + [0] * 2 * TRIES)
    message = refused(url, tmp_path / "sam.pth")
    assert f"broke off {TRIES} times" in message
    assert "run the same command again" in message
    assert (tmp_path / "sam.pth.part").stat().st_size == 2000
    server.files["/sam.pth"].breaks.clear()
    server.requests.clear()
    fetch(url, tmp_path / "sam.pth")
    assert [asked for _, asked, _ in server.requests] == ["bytes=2000-"]
    assert names(tmp_path) == ["sam.pth"]


def test_a_server_that_ignores_range_sends_all_again(server, tmp_path):
    url = server.serve("/sam.pth", CONTENT, breaks=[3000], knows_range=False)
    fetch(url, tmp_path / "sam.pth")
    assert (tmp_path / "sam.pth").read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away(server, tmp_path):
    (tmp_path / "sam.pth.part").write_bytes(b"another file" * 10)
    fetch(server.serve("/sam.pth", CONTENT), tmp_path / "sam.pth")
    assert (tmp_path / "sam.pth").read_bytes() == CONTENT
    (tmp_path / "two.pth.part").write_bytes(CONTENT * 2)  # longer than the file
    fetch(server.serve("/sam.pth", CONTENT), tmp_path / "two.pth")
    assert (tmp_path / "two.pth").read_bytes() == CONTENT


def test_a_complete_part_needs_no_more_bytes(server, tmp_path):
    (tmp_path / "sam.pth.part").write_bytes(CONTENT)
    assert fetch(server.serve("/sam.pth", CONTENT), tmp_path / "sam.pth") == []


def test_a_server_that_announces_too_much(server, tmp_path):
    fetch(server.serve("/sam.pth", CONTENT, surplus=500), tmp_path / "sam.pth")
    assert (tmp_path / "sam.pth").read_bytes() == CONTENT
    url = server.serve("/other.pth", CONTENT, surplus=500, knows_range=False)
    assert "broke off" in refused(url, tmp_path / "other.pth")


def test_a_server_that_announces_too_little(server, tmp_path):
    url = server.serve("/sam.pth", CONTENT, surplus=-500)
    assert "another content than expected" in refused(url, tmp_path / "sam.pth")
    assert names(tmp_path) == []


def test_a_server_without_a_length(server, tmp_path):
    reports = fetch(server.serve("/sam.pth", CONTENT, announces=False), tmp_path / "sam.pth")
    assert reports[-1] == (len(CONTENT), None)


def test_another_content(server, tmp_path):
    url = server.serve("/sam.pth", CONTENT[::-1])
    message = refused(url, tmp_path / "sam.pth")
    assert digest(CONTENT) in message
    assert str(tmp_path / "sam.pth") in message
    assert names(tmp_path) == []


def test_a_web_page_is_named_as_such(server, tmp_path):
    url = server.serve("/sam.pth", b"<html>log in", kind="text/html; charset=utf-8")
    assert "a web page instead of the file" in refused(url, tmp_path / "sam.pth")


@pytest.mark.parametrize(("status", "words"), [(404, "no such file"), (403, "refuses access"), (418, "418")])
def test_an_answer_that_another_try_does_not_change(server, tmp_path, status, words):
    url = server.serve("/sam.pth", CONTENT, status=[status])
    assert words in refused(url, tmp_path / "sam.pth")
    assert len(server.requests) == 1


def test_a_busy_server_is_asked_again(server, tmp_path):
    fetch(server.serve("/sam.pth", CONTENT, status=[503, 429, 200]), tmp_path / "sam.pth")
    assert len(server.requests) == 3
    url = server.serve("/busy.pth", CONTENT, status=[503])
    assert "status 503" in refused(url, tmp_path / "busy.pth")


def test_a_redirect_is_followed_and_does_not_get_the_users_key(server, tmp_path):
    with file_server() as other:
        target = other.serve("/store", CONTENT)
        # Another name of this machine is another server.
        server.serve("/sam.pth", location=target.replace("127.0.0.1", "localhost"), user="Basic dTpr")
        remote = Remote(f"{server.url}/sam.pth", None, auth=module.requests.auth.HTTPBasicAuth("u", "k"))
        download(remote, tmp_path / "sam.pth", lambda *_: None, wait=0)
        assert other.requests == [("/store", "", "")]
    assert (tmp_path / "sam.pth").read_bytes() == CONTENT


def test_a_server_that_is_not_there(tmp_path):
    assert "broke off" in refused("http://127.0.0.1:9/sam.pth", tmp_path / "sam.pth")


def test_a_slow_server_is_waited_for(server, tmp_path):
    fetch(server.serve("/sam.pth", CONTENT, delay=0.01), tmp_path / "sam.pth")


def test_sizes_that_an_api_has_announced(server, tmp_path):
    url = server.serve("/a", CONTENT)
    assert "announces 10240 bytes instead of 5" in refused(url, tmp_path / "a", size=5)
    url = server.serve("/b", CONTENT, announces=False)
    assert "instead of 5" in refused(url, tmp_path / "b", size=5)
    assert (tmp_path / "b.part").exists() is False


def test_a_file_that_the_disk_cannot_hold(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: Full)
    assert "make room" in refused(server.serve("/a", CONTENT), tmp_path / "a")


class Full:
    free = 10


def test_the_part_stays_where_the_file_system_has_no_links(server, tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError

    monkeypatch.setattr(module.os, "link", no_links)
    fetch(server.serve("/a", CONTENT), tmp_path / "a")
    assert names(tmp_path) == ["a"]


def test_what_an_api_answers(server, monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    assert read_json(server.serve("/j", b'{"a": 1}')) == {"a": 1}
    assert read_json(server.serve("/busy", b"[]", status=[503, 200])) == []
    for path, how, words in (
        ("/page", {"content": b"<html>"}, "did not answer with JSON"),
        ("/none", {"status": [404]}, "no such file"),
        ("/down", {"status": [503]}, "does not answer"),
    ):
        with pytest.raises(InputError, match=words):
            read_json(server.serve(path, **how))


class Killed(BaseException):
    pass


def test_a_job_that_is_killed_while_it_computes_the_digest_keeps_what_has_arrived(
    server, tmp_path, monkeypatch
):
    def killed(*_, **__):
        raise Killed

    url = server.serve("/a", CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr(module.pooch.core, "hash_matches", killed)
        with pytest.raises(Killed):
            fetch(url, tmp_path / "a")
    assert names(tmp_path) == ["a.part"]
    fetch(url, tmp_path / "a")
    assert [asked for _, asked, _ in server.requests] == ["", f"bytes={len(CONTENT)}-"]
    assert names(tmp_path) == ["a"]
