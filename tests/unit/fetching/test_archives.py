import zipfile

import pytest

from samcarry.errors import InputError
from samcarry.fetching import download
from samcarry.fetching.archives import unpack
from support.file_server import zipped


@pytest.fixture
def archive(tmp_path):
    def write(files):
        path = tmp_path / "archive.zip"
        path.write_bytes(zipped(files) if isinstance(files, dict) else files)
        return path

    return write


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "deep/out"
    place.mkdir(parents=True)
    return place


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def every(name):
    return True


def test_wanted_files_that_fit_are_written_without_folders(archive, folder):
    path = archive({"d/img/1.jpg": b"1", "d/img/2.jpg": b"2", "d/ann/1.json": b"{}", "d/img/": b""})
    assert unpack(path, folder, "*/img/*.jpg", lambda name: name != "2.jpg") == 1
    assert names(folder) == ["1.jpg"]
    assert (folder / "1.jpg").read_bytes() == b"1"


def test_nothing_is_written_outside(archive, folder):
    entries = ["../up.png", "/abs.png", "a/../../b.png", "__MACOSX/c.png", "._d.png", "e\\..\\f.png"]
    unpack(archive(dict.fromkeys(entries, b"x")), folder, "*.png", every)
    assert {path.name for path in folder.rglob("*")} == {"up.png", "abs.png", "b.png"}
    assert {path.name for path in folder.parent.parent.iterdir()} == {"archive.zip", "deep"}
    assert names(folder.parent) == ["out"]


def test_a_link_becomes_a_file(archive, folder, tmp_path):
    entry = zipfile.ZipInfo("link.png")
    entry.external_attr = 0o120777 << 16
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(entry, "/etc/passwd")
    unpack(path, folder, "*", every)
    assert not (folder / "link.png").is_symlink()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>", "not a zip archive"),
        ({"a.txt": b""}, "no file in it fits"),
        ({"a/1.png": b"1", "b/1.png": b"2"}, "1.png is in it twice"),
        (zipped({"1.png": b"abcdefgh" * 99}).replace(b"abcdefgh", b"abcdXfgh", 1), "not a zip archive that"),
        (zipped({"1.png": b"abc"})[:-9], "not a zip archive"),
    ],
)
def test_archives_that_are_refused(archive, folder, content, words):
    with pytest.raises(InputError, match=words):
        unpack(archive(content), folder, "*.png", every)


def test_an_encrypted_archive(archive, folder):
    content = bytearray(zipped({"1.png": b"abc"}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InputError, match="encrypted"):
        unpack(archive(bytes(content)), folder, "*", every)


def test_an_archive_that_the_disk_cannot_hold(archive, folder, monkeypatch):
    class Full:
        free = 10

    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: Full)
    with pytest.raises(InputError, match="make room"):
        unpack(archive({"1.png": b"x" * 11}), folder, "*", every)
