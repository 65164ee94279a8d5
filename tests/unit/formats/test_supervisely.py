"""Supervisely's polygons, holes, bitmaps and rectangles become masks pixel by pixel.

The documents follow Supervisely's public description of its format.
"""

import base64
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samcarry.errors import InputError
from samcarry.formats.supervisely import read_supervisely
from samcarry.geometry.rasterise import draw_masks
from support.supervisely_files import BOX, bitmap, pack, polygon


def save(folder: Path, *objects, height: int = 5, width: int = 6, **changes) -> Path:
    path = folder / "1.jpg.json"
    size = {"height": height, "width": width}
    path.write_text(json.dumps({"description": "", "tags": [], "size": size, "objects": objects} | changes))
    return path


def draw_one(path: Path) -> dict[str, np.ndarray]:
    (read,) = read_supervisely(path)
    assert read.name == "1.jpg"
    faults: list[str] = []
    masks = draw_masks(read, *read.size, faults)
    assert not faults
    return masks


def drawing(mask: np.ndarray) -> list[str]:
    return ["".join(".#"[pixel] for pixel in row) for row in mask.astype(int)]


def test_a_polygon_includes_its_outline_and_excludes_its_holes(tmp_path):
    hole = [[2, 1], [3, 1], [3, 2], [2, 2]]
    masks = draw_one(save(tmp_path, polygon(interior=[hole])))
    assert drawing(masks["13"]) == ["#####.", "##..#.", "##..#.", "#####.", "#####."]


def test_a_hole_does_not_cut_another_shape(tmp_path):
    other = polygon([[2, 2], [2, 3], [3, 3], [3, 2]], number=2)
    masks = draw_one(save(tmp_path, polygon(interior=[BOX]), other))
    assert drawing(masks["13"]) == ["......", "......", "..##..", "..##..", "......"]


def test_a_rectangle_includes_both_of_its_corners(tmp_path):
    masks = draw_one(save(tmp_path, polygon([[1, 1], [3, 2]], geometryType="rectangle")))
    assert drawing(masks["13"]) == ["......", ".###..", ".###..", "......", "......"]


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(-3, 6), st.integers(-3, 6))
def test_any_bitmap_is_drawn_at_its_origin_and_cut_off_outside(tmp_path_factory, mask, left, top):
    path = save(tmp_path_factory.mktemp("s"), bitmap(pack(mask), (left, top)), height=11, width=11)
    canvas = np.zeros((40, 40), bool)
    canvas[10 + top : 10 + top + mask.shape[0], 10 + left : 10 + left + mask.shape[1]] = mask
    (read,) = read_supervisely(path)
    faults: list[str] = []
    masks = draw_masks(read, 11, 11, faults)
    assert (masks["13"] == canvas[10:21, 10:21]).all()
    outside = left + mask.shape[1] <= 0 or top + mask.shape[0] <= 0
    assert ["entirely outside" in fault for fault in faults] == [True] * outside


def bomb() -> str:
    return base64.b64encode(zlib.compress(bytes(60_000_000))).decode()


FAULTY = {
    "two points": (polygon([[1, 1], [2, 2]]), "2 points"),
    "triples": (polygon([[1, 1, 1]] * 3), "no list of points"),
    "nan": (polygon([[1, 1], [2, 2], [float("nan"), 1]]), "far outside the image"),
    "hole of two points": (polygon(interior=[[[1, 1], [2, 2]]]), "2 points"),
    "holes": (polygon(points={"exterior": BOX, "interior": 3}), "holes that are not a list"),
    "no points": (polygon(points=None), "no object 'points'"),
    "spline": (polygon(geometryType="spline"), "not a supported shape"),
    "no base64": (bitmap("§§"), "cannot be decoded"),
    "no zlib": (bitmap("AAAA"), "cannot be decoded"),
    "not a PNG": (bitmap(base64.b64encode(zlib.compress(b"x")).decode()), "not a PNG"),
    "cut off": (bitmap(base64.b64encode(zlib.compress(b"x" * 99)[:-6]).decode()), "truncated"),
    "bomb": (bitmap(bomb()), "far too large"),
    "origin": (bitmap(pack(np.ones((2, 2))), (None, 0)), "not a number"),
    "class": (polygon(classTitle="a/b"), "cannot be a file name"),
    "no class": (polygon(classTitle=13), "no text 'classTitle'"),
    "id": (polygon(number=9), "same id 9"),
}


@pytest.mark.parametrize("kind", FAULTY)
def test_a_broken_object_is_named(tmp_path, kind):
    entry, fault = FAULTY[kind]
    path = save(tmp_path, polygon(number=9), entry)
    with pytest.raises(InputError) as caught:
        read_supervisely(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: object 2 ")
    assert fault in line


def test_lines_points_graphs_and_cuboids_are_skipped_and_counted(tmp_path):
    kinds = ("point", "line", "graph", "cuboid")
    objects = [polygon(geometryType=kind, points=None, number=n) for n, kind in enumerate(kinds)]
    (read,) = read_supervisely(save(tmp_path, *objects))
    assert (read.shapes, read.skipped) == ((), kinds)


def test_a_file_without_size_and_objects_is_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        read_supervisely(save(tmp_path, size=None, objects=None))
    assert [line.split(": ")[1][:8] for line in str(caught.value).splitlines()] == ["has no o", "has no l"]


def test_a_bitmap_larger_than_its_image_and_a_damaged_one_are_found_when_drawn(tmp_path):
    png = zlib.decompress(base64.b64decode(pack(np.ones((4, 4)))))
    middle = png.index(b"IDAT") + 6
    damaged = base64.b64encode(zlib.compress(png[:middle] + b"xxx" + png[middle + 3 :])).decode()
    path = save(tmp_path, bitmap(pack(np.ones((9, 2)))), bitmap(damaged, id=2))
    (read,) = read_supervisely(path)
    faults: list[str] = []
    draw_masks(read, 5, 6, faults)
    assert ["larger than its image" in faults[0], "damaged bitmap" in faults[1]] == [True, True]
