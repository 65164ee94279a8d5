"""left_out.csv: images that are not among the cases."""

import pytest

from samcarry.data.left_out import read_left_out, write_left_out
from samcarry.errors import DamagedError


def test_counts_of_several_files_are_added_and_reasons_without_images_left_out(tmp_path):
    write_left_out(tmp_path / "a.csv", {"unreadable": 3, "a copy": 0})
    write_left_out(tmp_path / "b.csv", {"a copy": 2, "unreadable": 1})
    assert read_left_out([tmp_path / "a.csv"]) == {"unreadable": 3}
    assert read_left_out([tmp_path / "a.csv", tmp_path / "b.csv"]) == {"a copy": 2, "unreadable": 4}
    assert read_left_out([]) == {}


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("reason,images\nunreadable,x\n")
    with pytest.raises(DamagedError, match=r"a\.csv"):
        read_left_out([tmp_path / "a.csv"])
