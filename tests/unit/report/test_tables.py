"""Tables of the report: bold figures, reasons for n/a, and the comparisons that matter most."""

import pandas as pd
import pytest

from samcarry.data.manifest import ManifestRow
from samcarry.evaluation.table1 import tabulate
from samcarry.report.tables import (
    agreement_table,
    class_table,
    corrections_table,
    cost_table,
    detection_table,
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
                "low": float("nan") if method == "unet_sam" else 0.5,
                "high": float("nan") if method == "unet_sam" else 3.5,
                "p": 0.00021,
                "p_holm": 0.00084,
                "better": 1.0,
                "wins": 4,
                "losses": 0,
                "cases": 4,
                "patients": 4,
                "effect": 0.5,
                "primary": int((method, against) == ("mean_teacher", "unet")),
                "equal": float("nan") if method == "unet_sam" else 1.0,
            }
            for method, against in pairs
        ]
    )


def test_small_p_values_stay_visible_and_a_missing_bound_is_a_dash():
    table = difference_table("t", differences())
    assert table.columns[2:8] == ("Difference", "95 % interval", "p", "p (Holm)", "Effect", "Equal")
    names, scores, counts = table.rows[0][:2], table.rows[0][2:8], table.rows[0][8:]
    assert (names, counts) == (("U-Net + SAM", "U-Net (f_θ)"), ("4 : 0", "4"))
    assert scores == ("+2.0", "–", "0.00021", "0.00084", "+0.50", "–")
    assert table.rows[1][3] == "+0.5 to +3.5"


def test_the_primary_comparison_and_equal_methods_are_marked():
    row = difference_table("t", differences()).rows[2]
    assert (row[4], row[7]) == ("0.00021 (primary)", "yes")


def test_the_main_comparisons_are_the_primary_one_those_with_ours_r_and_what_sam_adds():
    kept = main_differences(differences())
    pairs = list(zip(kept["method"], kept["against"], strict=True))
    assert pairs == [
        ("unet_sam", "unet"),
        ("ours_r", "unet"),
        ("mean_teacher", "unet"),
        ("unet_full", "ours_r"),
    ]
    assert len(main_differences(differences().assign(primary=0))) == 3


def test_classes_have_a_column_a_method_and_a_dash_where_there_is_no_score():
    columns = ["method", "class", "cases", "patients", "mean", "mean_low", "mean_high"]
    rows = [
        ("unet", "Ulna", 8, 6, 51.26, 40.21, 60.0),
        ("unet", "NA", 0, 0, None, None, None),
        ("ours_r", "Ulna", 8, 6, 80, None, None),
    ]
    shown = class_table("t", pd.DataFrame(rows, columns=columns))
    assert shown.columns == ("Class", "Cases", "Patients", "U-Net (f_θ)", "ours w/ SAM (R)")
    assert shown.rows == (("Ulna", "8", "6", "51.3 (40.2 to 60.0)", "80.0"), ("NA", "0", "0", "–", "–"))


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


def test_detection_is_shown_with_its_intervals_and_a_dash_for_masks():
    nan = float("nan")
    shares = {"sensitivity": 0.9, "sensitivity_low": 0.8, "sensitivity_high": 0.95, "specificity": 0.25}
    shares |= {"specificity_low": 0.1, "specificity_high": 0.5}
    shares |= dict.fromkeys(("auroc", "auroc_low", "auroc_high"), nan)
    counts = {"method": "unet_sam", "class": "Ulna", "seeds": 1, "present": 20, "absent": 4}
    shown = detection_table("t", pd.DataFrame([counts | shares]))
    assert shown.rows == (
        ("Ulna", "U-Net + SAM", "20", "4", "0.90 (0.80 to 0.95)", "0.25 (0.10 to 0.50)", "–"),
    )


@pytest.mark.parametrize(("unit", "area"), [("mm", "mm²"), ("px", "px")])
def test_agreement_is_shown_in_its_unit(unit, area):
    nan = float("nan")
    values = {"area": 40.0, "area_bias": 2.0, "area_bias_low": -1.0, "area_bias_high": 5.0}
    values |= {"limit_low": -8.0, "limit_high": 12.0, "area_error_percent": 11.0, "centre": 0.375}
    values |= dict.fromkeys(("area_error_percent_low", "area_error_percent_high"), nan)
    values |= dict.fromkeys(("centre_low", "centre_high"), nan)
    row = {"method": "unet", "class": "Ulna", "cases": 9, "unit": unit}
    shown = agreement_table("t", pd.DataFrame([row | values]))
    assert shown.columns[3:] == (
        *(f"Area, {area}", f"Bias, {area}", f"Limits of agreement, {area}"),
        *("Error, %", f"Centre, {unit}"),
    )
    assert shown.rows[0][3:] == ("40.0", "+2.0 (-1.0 to +5.0)", "-8.0 to +12.0", "11.0", "0.38")


def test_without_any_row_the_tables_are_empty():
    assert agreement_table("t", pd.DataFrame(columns=["unit"])).rows == ()


def test_cases_and_minutes_of_each_annotator():
    rows = [
        {"corrected_by": name, "corrected_minutes": minutes}
        for name, minutes in (("B. Jones", "2.00"), ("A. Müller", "0.50"), ("A. Müller", "1.50"))
    ]
    table = corrections_table("caption", rows)
    assert table.rows == (("A. Müller", "2", "2.0", "1.0"), ("B. Jones", "1", "2.0", "2.0"))
