"""The report shows calibration, and promised against achieved coverage, where there are validation cases."""

import pytest

from samcarry.confidence.assessment import (
    calibration_table,
    coverage_table,
    parts_of,
    reliability_table,
)
from samcarry.report.reliability import draw_reliability
from samcarry.report.sureness import read_sureness
from samcarry.storage.frames import concatenate, read_frame, write_frame
from support.unsure_cases import CLASSES, measured_cases


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    found = {"calibration": [], "coverage": [], "reliability": []}
    for method, seed in (("unet", 0), ("unet", 1), ("ours_r", 0)):
        parts = parts_of(measured_cases(12, seed), measured_cases(9, seed + 5, first=50), CLASSES)
        tables = {
            "calibration": calibration_table(parts, CLASSES),
            "coverage": coverage_table(parts, CLASSES, [0.9]),
            "reliability": reliability_table(parts, CLASSES),
        }
        for kind, table in tables.items():
            table.insert(0, "seed", seed)
            table.insert(0, "method", method)
            found[kind].append(folder / f"{method}{seed}{kind}.csv")
            write_frame(found[kind][-1], table)
    for kind, paths in found.items():
        write_frame(folder / f"{kind}.csv", concatenate(paths))
    return folder


def section(folder, split="test", ranked_by="ours_r"):
    return read_sureness([str(folder / "calibration.csv")], [str(folder / "coverage.csv")], split, ranked_by)


def test_each_method_and_promise_has_a_row(folder):
    found = section(folder)
    assert [row[:2] for row in found.calibration.rows] == [
        ("U-Net (f_θ)", "pixel near the object"),
        ("U-Net (f_θ)", "class in the image"),
        ("ours w/ SAM (R)", "pixel near the object"),
        ("ours w/ SAM (R)", "class in the image"),
    ]
    assert len(found.coverage.rows) == 2 * 5
    outer = found.coverage.rows[0]
    assert outer[1:3] == ("outer mask holds the object", "90.0")
    assert outer[-1] == "cannot promise for 1 of 2 classes"  # class b is too rare
    assert {row[0] for row in found.per_class.rows} == set(CLASSES)
    assert "ours w/ SAM (R), first seed" in found.per_class.caption
    for table in (found.calibration, found.coverage, found.per_class):
        assert all(len(row) == len(table.columns) for row in table.rows)


def test_a_class_without_a_promise_says_why(folder):
    rows = [row for row in section(folder).per_class.rows if row[0] == "b"]
    assert rows[0][3] == "–"
    assert "needs at least 9 validation patients, there are 8" in rows[0][-1]


def test_without_a_test_split_the_section_says_so(folder):
    assert "no test split" in section(folder, split="val").split
    assert "assessed on test patients" in section(folder).split


def test_a_method_without_probabilities_is_replaced_by_one_that_has_them(folder):
    assert "ours w/ SAM (R)" in section(folder, ranked_by="unet_sam").per_class.caption


def test_without_validation_cases_there_is_no_section():
    assert read_sureness((), (), "test", "ours_r") is None


def test_reliability_is_drawn(folder, tmp_path):
    table = read_frame(folder / "reliability.csv", texts=("method", "level", "temperature"))
    draw_reliability(tmp_path / "r.png", table, {"unet": "U-Net", "ours_r": "ours"})
    assert (tmp_path / "r.png").stat().st_size > 5000
