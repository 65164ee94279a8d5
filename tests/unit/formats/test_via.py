"""VIA's polygons, rectangles, circles and ellipses become masks pixel by pixel, from JSON and CSV."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from samcarry.errors import InputError
from samcarry.formats.via import read_via
from samcarry.geometry.outlines import outlines
from samcarry.geometry.rasterise import draw_masks
from support.via_files import SQUARE, document, entry, region, table

DRAWN = ["......", ".###..", ".###..", "......", "......"]
FORMS = ("json", "project", "csv")


def save(folder: Path, *entries: dict, form: str = "json") -> Path:
    path = folder / ("a.csv" if form == "csv" else "a.json")
    if form == "csv":
        path.write_text(table(*entries))
    else:
        path.write_text(json.dumps(document(*entries, project=form == "project")))
    return path


def draw_one(path: Path, **options) -> list[str]:
    (read,) = read_via(path, **options)
    assert (read.name, read.size) == ("a.png", None)
    faults: list[str] = []
    masks = draw_masks(read, 5, 6, faults)
    assert not faults
    return ["".join(".#"[pixel] for pixel in row) for row in masks["ulna"].astype(int)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [SQUARE, {"name": "rect", "x": 1.2, "y": 1, "width": 2.9, "height": 2}])
def test_shapes_of_columns_1_to_3_and_rows_1_and_2(tmp_path, form, shape):
    assert draw_one(save(tmp_path, entry(region(shape)), form=form)) == DRAWN


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [
        (
            {"name": "circle", "cx": 2.5, "cy": 2.5, "r": 1.1},
            ["......", "..#...", ".###..", "..#...", "......"],
        ),
        (
            {"name": "ellipse", "cx": 2.5, "cy": 2.5, "rx": 2.1, "ry": 0.6},
            ["......", "......", "#####."] + ["......"] * 2,
        ),
        (
            {"name": "ellipse", "cx": 2.5, "cy": 2.5, "rx": 2.1, "ry": 0.6, "theta": math.pi / 2},
            ["..#..."] * 5,
        ),
    ],
)
def test_circles_and_ellipses(tmp_path, shape, drawn):
    assert draw_one(save(tmp_path, entry(region(shape)))) == drawn


@settings(max_examples=30)
@given(arrays(bool, (5, 6)))
def test_any_mask_as_outlines_is_read_back(tmp_path_factory, mask):
    shapes = [
        {"name": "polygon", "all_points_x": outline[:, 0].tolist(), "all_points_y": outline[:, 1].tolist()}
        for outline in outlines(mask)
    ]
    for form in FORMS:
        path = save(tmp_path_factory.mktemp("v"), entry(*map(region, shapes)), form=form)
        (read,) = read_via(path)
        np.testing.assert_array_equal(draw_masks(read, 5, 6, []).get("ulna", np.zeros((5, 6), bool)), mask)


@pytest.mark.parametrize("form", FORMS)
def test_the_class_is_an_attribute_and_images_without_regions_are_listed(tmp_path, form):
    both = region(SQUARE, bone={"ulna": True, "radius": True, "hamate": False}, sure="yes")
    path = save(tmp_path, entry(both, region(SQUARE, bone="ulna ")), entry(name="b.png"), form=form)
    first, second = read_via(path, attribute="bone")
    assert [shape.class_name for shape in first.shapes] == ["ulna", "radius", "ulna"]
    assert (second.name, second.shapes) == ("b.png", ())


def test_files_of_via_1(tmp_path):
    regions = {"0": region(), "1": region()}
    (read,) = read_via(save(tmp_path, entry(regions=regions)))
    assert len(read.shapes) == 2
    (tmp_path / "a.csv").write_text(table(entry(region()), name="#filename"))
    assert draw_one(tmp_path / "a.csv") == DRAWN


@pytest.mark.parametrize("form", FORMS)
def test_points_and_lines_are_skipped_and_counted(tmp_path, form):
    regions = [region({"name": "point", "cx": 1, "cy": 1}), region({"name": "polyline"}), region()]
    (read,) = read_via(save(tmp_path, entry(*regions), form=form))
    assert (len(read.shapes), read.skipped) == (1, ("point", "polyline"))


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        (region({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]}), "2 points"),
        (region({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1]}), "2 x and 1 y"),
        (region({"name": "polygon"}), "no list 'all_points_x'"),
        (region({"name": "rect", "x": 1, "y": 1, "width": "2", "height": 2}), "not a number"),
        (region({"name": "circle", "cx": 1, "cy": 1, "r": 0}), "has no area"),
        (region({"name": "star"}), "not a supported shape"),
        (region({}), "no text 'name'"),
        (region(SQUARE, a="ulna", b="radius"), "has 2 attributes; write which one"),
        (region(SQUARE, a=""), "no value of the attribute 'a'"),
        (region(SQUARE, a={"ulna": False}), "no value of the attribute 'a'"),
        (region(SQUARE, a="ul/na"), "cannot be a file name"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_a_broken_region_is_named(tmp_path, form, part, fault):
    path = save(tmp_path, entry(part), form=form)
    with pytest.raises(InputError) as caught:
        read_via(path)
    (line,) = str(caught.value).splitlines()
    place = "entry" if form == "csv" else "region"
    assert line.startswith(f"{path}: image 'a.png': {place} 1 ")
    assert fault in line
    assert "; " in line


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({}, "has no image"),
        ({"_via_img_metadata": []}, "has no image"),
        ({"a": 1}, "no text 'filename'"),
        ({"a": entry(regions=None)}, "no list 'regions'"),
        ({"a": entry(), "b": entry()}, "the same file name"),
        ({"a": entry("region")}, "region 1 has no text 'name'"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, fault):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"^{path}: .*{fault}.*; "):
        read_via(path)


@pytest.mark.parametrize(
    ("row", "fault"), [(',"{}","{}"', "no 'filename'"), ('a.png,"{","{}"', "not JSON"), ("", "has no image")]
)
def test_a_broken_row_is_named(tmp_path, row, fault):
    path = tmp_path / "a.csv"
    path.write_text(f"filename,region_shape_attributes,region_attributes\n{row}\n")
    with pytest.raises(InputError, match=rf"^{path}: .*{fault}.*; "):
        read_via(path)


def test_two_images_of_one_name_are_refused_in_csv_as_in_json(tmp_path):
    """VIA tells them apart by their size; merged, one of them would have the regions of both."""
    path = tmp_path / "a.csv"
    rows = [f"a.png,{size},{{}},1,0,{{}},{{}}" for size in (100, 100, 200, 200)]
    header = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes"
    path.write_text("\n".join([f"{header},region_attributes", *rows]) + "\n")
    with pytest.raises(InputError) as caught:
        read_via(path)
    assert str(caught.value) == (
        f"{path}: entry 3 has the same file name 'a.png' as another image (their file_size is 200 and 100); "
        "remove one of the two"
    )
    path.write_text("\n".join([f"{header},region_attributes", *rows[:2]]) + "\n")
    assert [entry.name for entry in read_via(path)] == ["a.png"]
