"""Tables of the report: bold figures, reasons for n/a, and the comparisons that matter most."""

import pandas as pd
import pytest

from samcarry.data.manifest import ManifestRow
from samcarry.evaluation.table1 import tabulate
from samcarry.report.tables import (
    class_table,
    cost_table,
    difference_table,
    main_differences,
    measured_time,
    method_table,
    numbered_notes,
    plain_table,
    presence_table,
    split_table,
)


def dice_rows(**by_method):
    """Rows of dice.csv: two cases and one class a method, Dice as given, surfaces alike."""
    return pd.DataFrame(
        [
            {
                "dataset": "d",
                "n": 5,
                "seed": 0,
                "method": method,
                "case": case,
                "class": "Ulna",
                "reference_px": 4,
                "predicted_px": 4,
                "dice": value,
                "hd95_px": 3.0,
                "surface_dice": value,
            }
            for method, values in by_method.items()
            for case, value in zip("ab", values, strict=True)
        ]
    )


@pytest.fixture
def table():
    rows = dice_rows(unet=[0.5, 0.7], ours_r=[0.8, 0.9], unet_full=[0.9, 1.0])
    return tabulate(
        rows,
        ["unet", "unet_medsam", "ours_r", "unet_full"],
        missing={"unet_medsam": "no weights"},
        notes={"unet": "a note"},
        paper={},
    )


def test_cells_hold_mean_and_deviation_and_the_best_with_few_labels_is_bold(table):
    shown = method_table("t", table)
    assert [row[0:2] for row in shown.rows] == [
        ("U-Net (f_θ) [1]", "60.0 ± 14.1"),
        ("U-Net + MedSAM [2]", "n/a"),
        ("ours w/ SAM (R)", "85.0 ± 7.1"),
        ("U-Net, all labels", "95.0 ± 7.1"),
    ]
    assert (2, 1) in shown.bold
    assert all(line != 3 for line, _ in shown.bold)


def test_notes_and_reasons_have_the_numbers_of_the_table(table):
    assert numbered_notes(table) == ["[1] a note", "[2] n/a: no weights"]


def differences():
    pairs = [("unet_sam", "unet"), ("ours_r", "unet"), ("mean_teacher", "unet"), ("unet_full", "ours_r")]
    return pd.DataFrame(
        [
            {
                "method": method,
                "against": against,
                "difference": 2.0,
                "low": float("nan"),
                "high": 3.5,
                "p": 0.00021,
                "p_holm": 0.00084,
                "better": 1.0,
                "wins": 4,
                "losses": 0,
                "cases": 4,
            }
            for method, against in pairs
        ]
    )


def test_small_p_values_stay_visible_and_a_missing_bound_is_a_dash():
    row = difference_table("t", differences()).rows[0]
    assert row == ("U-Net + SAM", "U-Net (f_θ)", "+2.0", "– to +3.5", "0.00021", "0.00084", "4 : 0", "4")


def test_the_main_comparisons_are_those_with_ours_r_and_what_sam_adds():
    kept = main_differences(differences())
    pairs = list(zip(kept["method"], kept["against"], strict=True))
    assert pairs == [("unet_sam", "unet"), ("ours_r", "unet"), ("unet_full", "ours_r")]


def test_classes_have_a_column_a_method_and_a_dash_where_there_is_no_score():
    columns = ["method", "class", "cases", "mean"]
    table = pd.DataFrame(
        [("unet", "Ulna", 3, 51.26), ("unet", "NA", 0, None), ("ours_r", "Ulna", 3, 80)], columns=columns
    )
    shown = class_table("t", table)
    assert shown.columns == ("Class", "Cases", "U-Net (f_θ)", "ours w/ SAM (R)")
    assert shown.rows == (("Ulna", "3", "51.3", "80.0"), ("NA", "0", "–", "–"))


def row(case, split, patient, labels="l", classes=()):
    return ManifestRow(case, f"{split}-0000", split, patient, None, "i", labels, classes)


def test_images_patients_and_classes_are_counted_by_split():
    rows = [
        row("a", "train", "1", classes=("Ulna",)),
        row("b", "train", "1", classes=("Ulna", "Radius")),
        row("c", "unlabelled", "2", labels="", classes=()),
    ]
    assert split_table("t", rows).rows[0] == ("train", "2", "1", "2")
    assert split_table("t", rows).rows[3] == ("unlabelled", "1", "1", "0")
    presence = presence_table("t", rows, ["Radius", "Ulna"]).rows
    assert presence == (("Radius", "1", "0", "0"), ("Ulna", "2", "0", "0"))


def test_time_is_shared_out_and_summed():
    costs = pd.DataFrame(
        {"step": ["train", "clean"], "jobs": [1, 4], "seconds": [90.0, 30.0], "memory_mb": [900.0, None]}
    )
    assert cost_table("t", costs).rows == (
        ("train", "1", "1 min 30 s", "75.0", "900"),
        ("clean", "4", "30.0 s", "25.0", "–"),
        ("all", "5", "2 min 00 s", "100.0", "900"),
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.84, "0.8 s"), (59.9, "59.9 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (3900, "1 h 05 min")],
)
def test_times_have_suitable_units(seconds, expected):
    assert measured_time(seconds) == expected


def test_a_plain_table_keeps_whole_numbers_whole():
    shown = plain_table("t", pd.DataFrame({"first_pass": ["box"], "settings": [3], "best": [2.25]}))
    assert (shown.columns, shown.rows) == (("First pass", "Settings", "Best"), (("box", "3", "2.2"),))
    assert shown.numbers == {1, 2}
