"""Files are written atomically, whoever else writes or reads them."""

import hashlib
import os
import threading

import pytest

from samcarry.storage.files import atomic, sha256, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_has_its_name_and_nothing_else_is_left(tmp_path):
    with atomic(tmp_path / "a.csv") as private:
        private.write_text("whole")
    assert (tmp_path / "a.csv").read_text() == "whole"
    assert names(tmp_path) == ["a.csv"]


def test_the_temporary_name_keeps_all_suffixes_and_the_folder(tmp_path):
    with atomic(tmp_path / "a.nii.gz") as private:
        assert private.parent == tmp_path
        assert private.name.endswith(".a.nii.gz")
        private.touch()


@pytest.mark.skipif(os.name == "nt", reason="no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_a_private_file_gets_the_usual_permissions(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with atomic(tmp_path / "a") as private:
            private.touch(mode=0o600)
        assert os.umask(umask) == umask, "the umask of the process was changed"
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_the_umask_of_the_process_is_not_set_even_for_a_moment(tmp_path, monkeypatch):
    """Another thread could create a file that everybody may read."""
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was set"))
    with atomic(tmp_path / "a") as private:
        private.touch(mode=0o600)


def test_missing_parents_are_created(tmp_path):
    write_text(tmp_path / "new" / "deep" / "a.txt", "x")
    assert (tmp_path / "new" / "deep" / "a.txt").read_text() == "x"


def fail_while_writing(path, write):
    """Let `write` write half of a result, and raise."""
    with atomic(path) as private:
        write(private)
        raise KeyboardInterrupt


def half_a_file(private):
    private.write_text("half")


def half_a_folder(private):
    private.mkdir()
    (private / "new").touch()


@pytest.mark.parametrize("write", [half_a_file, half_a_folder])
def test_an_exception_leaves_nothing_behind(tmp_path, write):
    with pytest.raises(KeyboardInterrupt):
        fail_while_writing(tmp_path / "a", write)
    assert names(tmp_path) == []


def test_an_exception_leaves_the_old_file_unchanged(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        fail_while_writing(tmp_path / "a", half_a_file)
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_the_old_file_stays_until_the_block_ends(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with atomic(tmp_path / "a.csv") as private:
        private.write_text("new")
        assert (tmp_path / "a.csv").read_text() == "old"
    assert (tmp_path / "a.csv").read_text() == "new"


def test_readers_never_see_half_a_file(tmp_path):
    path, length = tmp_path / "a.bin", 300_000
    path.write_bytes(b"0" * length)
    found, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            content = path.read_bytes()
            found.add((len(content), len(set(content))))

    reader = threading.Thread(target=read)
    reader.start()
    for digit in b"123456789" * 5:
        with atomic(path) as private, private.open("wb") as stream:
            for _ in range(10):
                stream.write(bytes([digit]) * (length // 10))
                stream.flush()
    stop.set()
    reader.join()
    assert found == {(length, 1)}


def test_two_writers_at_once_do_not_collide_and_the_last_one_wins(tmp_path):
    path = tmp_path / "a.csv"
    with atomic(path) as first:
        first.write_text("first")
        with atomic(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert names(tmp_path) == ["a.csv"]


def test_a_folder_is_written_atomically(tmp_path):
    with atomic(tmp_path / "set") as private:
        private.mkdir()
        (private / "a").write_text("1")
        assert not (tmp_path / "set").exists()
    assert names(tmp_path) == ["set"]
    assert names(tmp_path / "set") == ["a"]


def test_a_folder_replaces_an_old_one_and_all_its_files(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").touch()
    with atomic(tmp_path / "set") as private:
        private.mkdir()
        (private / "new").touch()
    assert names(tmp_path / "set") == ["new"]


def test_an_exception_leaves_the_old_folder_unchanged(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").touch()
    with pytest.raises(KeyboardInterrupt):
        fail_while_writing(tmp_path / "set", half_a_folder)
    assert names(tmp_path) == ["set"]
    assert names(tmp_path / "set") == ["old"]


def test_text_is_utf_8_whatever_the_locale(tmp_path):
    write_text(tmp_path / "a.txt", "Elle – θ")
    assert (tmp_path / "a.txt").read_bytes() == "Elle – θ".encode()


def test_sha256_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()
