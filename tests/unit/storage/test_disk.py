"""Private names, leftovers of dead processes, exchanges and copies."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samcarry.storage import disk
from samcarry.storage.files import atomic, write_text
from support.paths import SCRIPTS

KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from samcarry.storage.files import atomic
with atomic(Path(sys.argv[1], "a.csv")) as private:
    private.write_text("half")
    with atomic(Path(sys.argv[1], "set")) as folder:
        (folder / "images").mkdir(parents=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def leave_leftovers(folder):
    subprocess.run([sys.executable, "-c", KILLED, str(folder), str(SCRIPTS)], check=False)
    left = names(folder)
    assert len(left) == 2
    return left


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(tmp_path):
    (tmp_path / ".hidden").touch()
    (tmp_path / "a.csv").write_text("old")
    left = leave_leftovers(tmp_path / "results")
    for name in (".hidden", "a.csv"):
        (tmp_path / name).rename(tmp_path / "results" / name)
    removed = disk.clear_leftovers(tmp_path / "results")
    assert [path.name for path in removed] == left
    assert names(tmp_path / "results") == [".hidden", "a.csv"]


def test_what_a_living_process_writes_is_left_alone(tmp_path):
    with atomic(tmp_path / "a.csv") as private:
        private.write_text("half")
        assert disk.clear_leftovers(tmp_path) == []
        assert private.exists()


def test_a_process_with_the_number_of_a_dead_one_is_told_apart(tmp_path, monkeypatch):
    before = disk._start_of
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_start_of", lambda number: before(number) - 1)
        private = disk.private_name(tmp_path / "a")
    private.touch()
    assert disk.clear_leftovers(tmp_path) == [private]


@pytest.mark.parametrize(("hours", "removed"), [(1, False), (30, True)])
def test_leftovers_of_another_machine_are_removed_when_nobody_has_written_for_a_day(
    tmp_path, monkeypatch, hours, removed
):
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_machine", lambda: "0123abcd")
        private = disk.private_name(tmp_path / "set")
    private.mkdir()
    (private / "image").touch()
    then = time.time() - hours * 3600
    for path in (private / "image", private):
        os.utime(path, (then, then))
    assert (disk.clear_leftovers(tmp_path) == [private]) == removed
    assert private.exists() != removed


def test_a_folder_in_which_a_file_is_new_is_not_old(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_machine", lambda: "0123abcd")
        private = disk.private_name(tmp_path / "set")
    private.mkdir()
    (private / "image").touch()
    os.utime(private, (0, 0))
    assert disk.clear_leftovers(tmp_path) == []


def test_a_missing_folder_has_no_leftovers(tmp_path):
    assert disk.clear_leftovers(tmp_path / "none") == []


def test_a_private_name_fits_and_keeps_the_suffixes_of_a_long_one(tmp_path):
    path = tmp_path / ("骨" * 80 + ".nii.gz")
    write_text(path, "x")
    assert disk.private_name(path).name.endswith("骨.nii.gz")
    assert len(os.fsencode(disk.private_name(path).name)) <= 255
    assert disk.is_private(disk.private_name(path) / "images")
    assert not disk.is_private(path)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_folder_that_appeared_meanwhile_is_not_replaced_if_that_is_not_wanted(
    tmp_path, monkeypatch, at_once
):
    if not at_once:
        monkeypatch.setattr(disk, "_rename_at_once", lambda *arguments: False)

    def write(path, appears):
        with atomic(path, replace=False) as private:
            for place, name in ((private, "mine"), (path, "theirs")):
                appears(place, name)

    def folder(place, name):
        place.mkdir()
        (place / name).touch()

    with pytest.raises(FileExistsError):
        write(tmp_path / "folder", folder)
    with pytest.raises(FileExistsError):
        write(tmp_path / "file", lambda place, name: place.write_text(name))
    assert names(tmp_path) == ["file", "folder"]
    assert names(tmp_path / "folder") == ["theirs"]
    assert (tmp_path / "file").read_text() == "theirs"


@pytest.mark.parametrize("at_once", [True, False])
def test_a_new_name_is_taken_if_it_is_free(tmp_path, monkeypatch, at_once):
    if not at_once:
        monkeypatch.setattr(disk, "_rename_at_once", lambda *arguments: False)
    with atomic(tmp_path / "file", replace=False) as private:
        private.write_text("mine")
    with atomic(tmp_path / "folder", replace=False) as private:
        private.mkdir()
    assert names(tmp_path) == ["file", "folder"]


def test_readers_find_a_folder_at_any_time_while_it_is_replaced(tmp_path):
    for number in range(20):
        with atomic(tmp_path / "set") as private:
            private.mkdir()
            (private / "n").write_text(str(number))
            if number:
                inside = os.open(tmp_path / "set", os.O_RDONLY)
        if number:
            os.close(inside)
        assert (tmp_path / "set/n").read_text() == str(number)
    assert names(tmp_path) == ["set"]


def test_a_copy_has_the_content_and_the_times_and_its_own_blocks(tmp_path):
    source = tmp_path / "a.png"
    source.write_bytes(b"x" * 100_000)
    os.utime(source, ns=(10**18, 10**18 + 7))
    disk.copy(source, tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes() == source.read_bytes()
    assert (tmp_path / "b.png").stat().st_mtime_ns == source.stat().st_mtime_ns
    with source.open("r+b") as stream:  # as an editor that writes in place
        stream.write(b"changed")
    assert (tmp_path / "b.png").read_bytes() == b"x" * 100_000


def test_a_file_that_another_writer_has_failed_to_write_is_not_renamed(tmp_path, monkeypatch):
    """Some writers ignore errors of close(); fsync reports them again."""
    (tmp_path / "a").write_text("old")

    def failing(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="No space left"), atomic(tmp_path / "a") as private:
        private.write_text("new")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_file_system_that_cannot_synchronise_folders_is_accepted(tmp_path, monkeypatch):
    real = os.fsync

    def refusing(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(22, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", refusing)
    write_text(tmp_path / "new/a", "x")
    assert (tmp_path / "new/a").read_text() == "x"
