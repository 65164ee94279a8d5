"""The second reader: rows of Table 1 and of scores by class, without a rank."""

import pandas as pd
import pytest

from samcarry.errors import DamagedError
from samcarry.evaluation.readers import COLUMNS, read_readers, reader_rows
from samcarry.evaluation.summary import read_dice
from samcarry.evaluation.table1 import caption
from samcarry.evaluation.tables import evaluation_tables
from samcarry.methods import SECOND_READER
from support.paper_run import TEST, write_scores

PATIENTS = {case: f"p{int(case[1:]) // 2}" for case in TEST}
NOTHING = {"groups": dict.fromkeys(TEST, ""), "missing": {}, "notes": {}, "paper": {}, "not_converged": {}}


@pytest.fixture
def rows(tmp_path):
    write_scores(tmp_path / "dice.csv", 8)
    return read_dice(tmp_path / "dice.csv")


def tables(rows, readers):
    return evaluation_tables(
        rows, ["unet", "ours_r"], patients=PATIENTS, primary=None, margin=None, readers=readers, **NOTHING
    )


def test_their_agreement_is_a_row_with_an_interval_and_changes_no_other(rows):
    agreed = [(case, "ulna", 2, 0.9 + place / 200) for place, case in enumerate(TEST)]
    readers = pd.DataFrame([*agreed, ("elsewhere", "ulna", 2, 0.1)], columns=COLUMNS)
    plain, found = tables(rows, None), tables(rows, readers)
    row = found["table1"].set_index("method").loc[SECOND_READER]
    assert (row["cases"], row["patients"], row["supervision"]) == (12, 6, "second reader")
    assert row["mean"] == pytest.approx(92.75)
    assert row["mean_low"] < row["mean"] < row["mean_high"]
    assert pd.isna(row["rank"])
    assert pd.isna(row["hd95"])
    assert "A second reader: the Dice between two people" in caption(found["table1"], "test", 1.0)
    assert "A second reader" not in caption(plain["table1"], "test", 1.0)
    others = found["table1"][found["table1"]["method"] != SECOND_READER]
    pd.testing.assert_frame_equal(others, plain["table1"], check_dtype=False)
    for name in ("differences", "ranks", "detection", "agreement"):
        pd.testing.assert_frame_equal(found[name], plain[name])
    classes = found["per_class"].query("method == @SECOND_READER")
    assert list(classes["class"]) == ["ulna"]


def test_a_class_that_one_of_two_lacks_counts_with_dice_0(rows):
    pair = [(TEST[0], "ulna", 2, 0.0), (TEST[0], "radius", 2, 1.0)]
    readers = pd.DataFrame(pair, columns=COLUMNS)
    row = tables(rows, readers)["table1"].set_index("method").loc[SECOND_READER]
    assert (row["mean"], row["interval"]) == (50, "none: fewer than 6 patients")


def test_a_file_without_rows_is_no_second_reader(rows, tmp_path):
    (tmp_path / "readers.csv").write_text("case,class,readers,dice\n")
    assert read_readers([str(tmp_path / "readers.csv")]) is None
    assert read_readers([]) is None
    assert reader_rows(None, rows).empty


def test_a_file_without_one_of_the_columns_is_damaged(tmp_path):
    (tmp_path / "readers.csv").write_text("case,class,readers\na,ulna,2\n")
    with pytest.raises(
        DamagedError, match=r"readers\.csv: this table is damaged \(column 'dice' is missing\)"
    ):
        read_readers([str(tmp_path / "readers.csv")])
