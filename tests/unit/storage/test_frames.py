"""Data frames: CSV files with every digit, texts that stay texts, and empty numbers as NaN."""

import numpy as np
import pandas as pd

from samcarry.storage.frames import concatenate, read_frame, write_frame


def test_a_frame_is_read_as_written(tmp_path):
    frame = pd.DataFrame({"case": ["007", "NA", "ä"], "dice": [0.1, 1 / 3, np.nan], "pixels": [1, 2, 3]})
    write_frame(tmp_path / "a.csv", frame)
    pd.testing.assert_frame_equal(read_frame(tmp_path / "a.csv", texts=["case"]), frame, check_dtype=False)


def test_a_frame_is_written_without_index_and_with_unix_line_ends(tmp_path):
    write_frame(tmp_path / "a.csv", pd.DataFrame({"n": [1], "x": [0.123456789]}), "%.3g")
    assert (tmp_path / "a.csv").read_bytes() == b"n,x\n1,0.123\n"


def test_only_columns_named_as_texts_stay_texts(tmp_path):
    (tmp_path / "a.csv").write_text("case,value\n007,007\n")
    frame = read_frame(tmp_path / "a.csv", texts=["case"])
    assert frame["case"].tolist() == ["007"]
    assert frame["value"].tolist() == [7]


def test_concatenated_rows_keep_every_digit(tmp_path):
    (tmp_path / "a.csv").write_text("case,dice\n01,0.5000\n")
    (tmp_path / "b.csv").write_text("case,dice\n02,\n")
    rows = concatenate([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert rows.to_numpy().tolist() == [["01", "0.5000"], ["02", ""]]
