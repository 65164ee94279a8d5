import logging

import pytest

from samcarry.errors import InputError
from samcarry.fetching import data_files, download
from samcarry.fetching.data_files import fetch_data
from support.file_server import digest, file_server, serve_figshare, serve_kaggle, zipped

DOI = "10.6084/m9.figshare.123"
EMPTY = {
    "url": None,
    "sha256": None,
    "figshare": None,
    "name": "*",
    "kaggle": None,
    "file": None,
    "unpack": {},
    "only": [],
}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    with file_server() as running:
        yield running


def entry(**keys):
    return EMPTY | keys


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_are_fetched_before_archives_that_need_their_lists(server, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    listed = b"<image name='0001_a-L1.png'/> <image name='0003_c-L1.png'/>"
    one = zipped({"0001_a-L1.png": b"1", "0002_b-L1.png": b"2"})
    two = zipped({"part2/0003_c-L1.png": b"3"})
    api = serve_figshare(server, "123", {"images_1.zip": one, "images_2.zip": two, "table.csv": b"t"})
    images, xml, table = (tmp_path / name for name in ("images", "a.xml", "deep/table.csv"))
    entries = {
        "images": entry(figshare=DOI, name="images*", unpack={"*.png": str(images)}, only=[str(xml)]),
        "annotations": entry(url=server.serve("/a.xml", listed), sha256=digest(listed), file=str(xml)),
        "table": entry(figshare=DOI, name="table.csv", file=str(table)),
    }
    found = fetch_data(entries, {"figshare": api, "kaggle": ""})
    assert names(images) == ["0001_a-L1.png", "0003_c-L1.png"]
    assert table.read_bytes() == b"t"
    assert names(tmp_path) == ["a.xml", "deep", "images"]
    assert [each["file"] for each in found["images"]] == ["images_1.zip", "images_2.zip"]
    assert found["annotations"][0]["digest"] == f"sha256:{digest(listed)}"
    assert "images: 2 files are unpacked that" in caplog.text
    assert "2 files, 0.00 GB to download" in caplog.text
    server.requests.clear()
    assert fetch_data(entries, {"figshare": api, "kaggle": ""}) == {name: [] for name in entries}
    assert server.requests == []


def test_a_job_that_was_stopped_goes_on_with_the_next_archive(server, tmp_path, monkeypatch):
    one, two = zipped({"1.png": b"1"}), zipped({"2.png": b"2"})
    api = serve_figshare(server, "123", {"images_1.zip": one, "images_2.zip": two})
    entries = {"images": entry(figshare=DOI, unpack={"*.png": str(tmp_path / "images")})}
    apis = {"figshare": api, "kaggle": ""}
    server.files["/ndownloader/1"].status = [404]
    with pytest.raises(InputError, match="no such file"):
        fetch_data(entries, apis)
    assert not (tmp_path / "images").exists()
    server.files["/ndownloader/1"].status = [200]
    server.requests.clear()
    fetch_data(entries, apis)
    assert "/ndownloader/0" not in [path for path, *_ in server.requests]
    assert names(tmp_path / "images") == ["1.png", "2.png"]
    assert names(tmp_path) == ["images"]


def test_an_archive_of_kaggle_is_unpacked_into_two_folders(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "u")
    monkeypatch.setenv("KAGGLE_KEY", "k")
    monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)
    archive = zipped(
        {"T JSON/d2/img/1.jpg": b"i", "T JSON/d2/ann/1.jpg.json": b"{}", "T PNG/d2/img/1.jpg": b"x"}
    )
    api = serve_kaggle(server, "owner/teeth", archive, "Basic dTpr")
    folders = {"*JSON/*/img/*": str(tmp_path / "img"), "*JSON/*/ann/*.json": str(tmp_path / "ann")}
    fetch_data({"teeth": entry(kaggle="owner/teeth", unpack=folders)}, {"figshare": "", "kaggle": api})
    assert (tmp_path / "img/1.jpg").read_bytes() == b"i"
    assert names(tmp_path) == ["ann", "img"]
    monkeypatch.setenv("KAGGLE_KEY", "wrong")
    (tmp_path / "ann/1.jpg.json").unlink()
    (tmp_path / "ann").rmdir()
    with pytest.raises(InputError, match="asks for a login"):
        fetch_data({"teeth": entry(kaggle="owner/teeth", unpack=folders)}, {"figshare": "", "kaggle": api})


def test_several_files_for_one_name(server, tmp_path):
    api = serve_figshare(server, "123", {"a": b"1", "b": b"2"})
    with pytest.raises(InputError, match="2 files fit"):
        fetch_data({"x": entry(figshare=DOI, file=str(tmp_path / "x"))}, {"figshare": api, "kaggle": ""})


def test_a_list_of_names_that_is_not_there(server, tmp_path):
    api = serve_figshare(server, "123", {"a.zip": zipped({"1.png": b"1"})})
    images = entry(figshare=DOI, unpack={"*": str(tmp_path / "i")}, only=[str(tmp_path / "none.csv")])
    with pytest.raises(InputError, match=r"none.csv"):
        data_files.fetch_data({"images": images}, {"figshare": api, "kaggle": ""})


def test_an_archive_that_is_there_is_not_downloaded_again(server, tmp_path):
    api = serve_figshare(server, "123", {"a.zip": zipped({"1.png": b"1"})})
    apis = {"figshare": api, "kaggle": ""}
    with pytest.raises(InputError, match="no file in it fits"):
        fetch_data({"images": entry(figshare=DOI, unpack={"*.jpg": str(tmp_path / "i")})}, apis)
    server.requests.clear()
    fetch_data({"images": entry(figshare=DOI, unpack={"*.png": str(tmp_path / "i")})}, apis)
    assert "/ndownloader/0" not in [path for path, *_ in server.requests]
    assert names(tmp_path / "i") == ["1.png"]
