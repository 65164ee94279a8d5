"""A replaced file is noticed by its content, whatever its times say; unchanged files are not read again."""

import json
import os
import shutil
import time

import pytest

from samcarry.pipeline import contents
from samcarry.pipeline.contents import content_of, contents_below, digest_of
from samcarry.storage.files import sha256


@pytest.fixture
def memory(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "_TICK", -60_000_000_000)  # remember files that were written just now
    return tmp_path / "memory"


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data" / "deep"
    folder.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (folder / name).write_text(name)
    return tmp_path / "data"


@pytest.fixture
def read(monkeypatch):
    """The files that were read, in order."""
    files = []

    def recorded(path):
        files.append(str(path))
        return sha256(path)

    monkeypatch.setattr(contents, "sha256", recorded)
    return files


def test_unchanged_files_are_read_once(data, memory, read):
    first = digest_of([str(data)], memory)
    assert sorted(read) == [f"{data}/deep/a.png", f"{data}/deep/b.png"]
    assert digest_of([str(data)], memory) == first
    assert len(read) == 2


def test_only_a_changed_file_is_read_again(data, memory, read):
    digest_of([str(data)], memory)
    del read[:]
    (data / "deep/a.png").write_text("other")
    digest_of([str(data)], memory)
    assert read == [f"{data}/deep/a.png"]


def replace_by_copy(file, other):
    shutil.copy2(other, file)


def replace_by_rename(file, other):
    other.replace(file)


def replace_in_place(file, other):
    status = file.stat()
    file.write_bytes(other.read_bytes())
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("replace", [replace_by_copy, replace_by_rename, replace_in_place])
def test_a_file_of_equal_size_and_older_or_equal_time_is_noticed(data, memory, tmp_path, replace):
    file, other = data / "deep/a.png", tmp_path / "older"
    other.write_text("A.PNG")
    time.sleep(0.02)
    os.utime(other, ns=(10**18, 10**18))
    os.utime(file, ns=(10**18, 10**18))
    before = digest_of([str(data)], memory)
    replace(file, other)
    assert file.stat().st_mtime_ns == 10**18
    assert digest_of([str(data)], memory) != before


def test_a_touched_file_is_read_but_changes_nothing(data, memory, read):
    before = digest_of([str(data)], memory)
    os.utime(data / "deep/a.png", (1, 1))
    assert digest_of([str(data)], memory) == before
    assert len(read) == 3


def test_new_removed_and_renamed_files_count_and_hidden_ones_do_not(data, memory):
    digests = [digest_of([str(data)], memory)]
    (data / ".DS_Store").write_text("x")
    assert digest_of([str(data)], memory) == digests[0]
    (data / "c.png").write_text("a.png")
    digests.append(digest_of([str(data)], memory))
    (data / "c.png").rename(data / "d.png")
    digests.append(digest_of([str(data)], memory))
    (data / "d.png").unlink()
    (data / "deep/b.png").unlink()
    digests.append(digest_of([str(data)], memory))
    assert len(set(digests)) == 4


def test_links_are_followed_even_in_a_circle_and_broken_ones_and_pipes_are_no_error(data, memory, tmp_path):
    (data / "round").symlink_to(data)
    (data / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/c.png").write_text("c")
    (data / "linked").symlink_to(tmp_path / "outside")
    os.mkfifo(data / "pipe")
    before = digest_of([str(data)], memory)
    (tmp_path / "outside/c.png").write_text("d")
    assert digest_of([str(data)], memory) != before


def test_a_single_file_has_its_sha256_and_a_missing_one_has_none(data, memory, tmp_path):
    file = data / "deep/a.png"
    assert content_of(file, memory) == sha256(file)
    assert content_of(tmp_path / "none", memory) == ""
    assert digest_of([], memory) == ""
    assert digest_of([str(tmp_path / "none")], memory) != digest_of([str(file)], memory)


def test_a_file_that_was_just_written_is_not_remembered(data, tmp_path, read):
    for _ in range(2):
        contents_below(data, tmp_path / "memory")
    assert len(read) == 4


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a": 1}', '{"a": [1]}'])
def test_a_damaged_memory_costs_time_only(data, memory, read, damage):
    before = digest_of([str(data)], memory)
    (place,) = memory.iterdir()
    place.write_text(damage)
    assert digest_of([str(data)], memory) == before
    assert len(read) == 4
    assert set(json.loads(place.read_text())) == {f"{data}/deep/a.png", f"{data}/deep/b.png"}


def test_a_memory_that_cannot_be_written_is_no_error(data, tmp_path):
    (tmp_path / "memory").write_text("a file in the way")
    assert digest_of([str(data)], tmp_path / "memory")


def test_much_reading_is_announced(data, memory, monkeypatch):
    monkeypatch.setattr(contents, "_MANY_BYTES", 5)
    lines = []
    for _ in range(2):
        digest_of([str(data)], memory, lines.append)
    assert len(lines) == 1
    assert "2 files" in lines[0]
    assert str(data) in lines[0]
