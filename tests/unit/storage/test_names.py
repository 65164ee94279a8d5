"""Names that the file system of the results refuses stop a run before anything is computed."""

import errno
import os
from pathlib import Path

import pytest

from samcarry.errors import InputError
from samcarry.storage.names import check_names_fit


@pytest.fixture
def exfat(monkeypatch):
    """Files are made as on exFAT: some signs are refused, and a dot at the end is dropped."""
    touch = Path.touch

    def touch_there(path):
        if set(path.name) & set('\\\\:*?"<>|'):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))
        touch(path.with_name(path.name.rstrip(".")))

    monkeypatch.setattr(Path, "touch", touch_there)


def test_refused_names_are_reported_together_and_nothing_is_left(tmp_path, exfat):
    names = ["fine", "12:30", "f\u00e9mur", "what?", "monday./17", "a.b"]
    with pytest.raises(InputError) as error:
        check_names_fit(tmp_path / "results", names)
    lines = str(error.value).splitlines()
    assert [line.split("called ")[1].split(",")[0] for line in lines] == [
        "'12:30'",
        "'what?'",
        "'monday./17'",
    ]
    assert all(line.startswith(f"{tmp_path / 'results'}: ") and "rename it" in line for line in lines)
    assert list((tmp_path / "results").iterdir()) == []


def test_names_that_fit_are_accepted(tmp_path):
    check_names_fit(tmp_path, ["12:30", "what?", "a.", "f\u00e9mur:", "fe\u0301mur:"])
    assert list(tmp_path.iterdir()) == []


def test_plain_names_are_not_tried(tmp_path, exfat):
    check_names_fit(tmp_path / "missing", ["a.b", "f\u00e9mur", "monday/17"])
    assert not (tmp_path / "missing").exists()


def test_another_fault_of_the_disk_is_not_taken_for_a_refusal(tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "touch", full)
    with pytest.raises(OSError, match="No space left"):
        check_names_fit(tmp_path, ["12:30"])
