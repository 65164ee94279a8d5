"""Label files of an image: drawn at its size, combined over several files, or every fault reported."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samcarry.geometry.run_lengths import encode_mask
from samcarry.geometry.shapes import Annotation, LabelledShape, Polygon
from samcarry.images.masks import read_mask
from samcarry.importing.labels import COMBINATIONS, Reading, compared, write_labels


def rectangle(left, top, right, bottom, class_name="ulna"):
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
    return LabelledShape("shape 1", class_name, (Polygon(corners),))


def annotation(*shapes, source="a.json", size=(5, 6)):
    return Annotation(Path(source), "a.png", size, shapes)


@pytest.fixture
def image(tmp_path):
    Image.new("L", (6, 5)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def columns(folder, name="ulna"):
    """The columns of row 0 that a mask has."""
    return np.flatnonzero(read_mask(folder / f"{name}.png")[0]).tolist()


def test_classes_present_are_written_and_returned(tmp_path, image):
    faults: list[str] = []
    too_small = rectangle(0.1, 0.1, 0.2, 0.2, "hamate")  # contains no pixel's centre
    shapes = (rectangle(0, 0, 2, 1), rectangle(4, 0, 5, 1), rectangle(3, 0, 6, 5, "radius"), too_small)
    tiny: list[tuple[str, str]] = []
    found = write_labels(
        tmp_path / "out/a", image, [annotation(*shapes)], "union", faults, without_pixel=tiny
    )
    assert found == ["radius", "ulna"]
    assert faults == []
    assert tiny == [("a", "hamate")]
    assert sorted(file.name for file in (tmp_path / "out/a").iterdir()) == ["radius.png", "ulna.png"]
    assert columns(tmp_path / "out/a") == [0, 1, 4]
    assert columns(tmp_path / "out/a", "radius") == [3, 4, 5]


def test_a_mask_without_a_pixel_says_that_the_class_is_absent(tmp_path, image):
    """It is no outline that was meant to cover something, so it is not counted as one."""
    empty = LabelledShape("mask 1", "ulna", (encode_mask(np.zeros((5, 6), bool)),))
    tiny: list[tuple[str, str]] = []
    assert write_labels(tmp_path / "out", image, [annotation(empty)], "union", [], without_pixel=tiny) == []
    assert tiny == []


def test_an_annotation_without_shapes_has_an_empty_folder(tmp_path, image):
    assert write_labels(tmp_path / "out", image, [annotation(size=None)], "union", []) == []
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("combine", "expected"),
    [("union", {"radius": [0], "ulna": [0, 1, 2, 3]}), ("intersection", {"ulna": [1, 2]})],
)
def test_masks_of_several_files_are_combined(tmp_path, image, combine, expected):
    assert combine in COMBINATIONS
    several = [
        annotation(rectangle(0, 0, 3, 1), rectangle(0, 0, 1, 1, "radius")),
        annotation(rectangle(1, 0, 4, 1), source="b.json"),
    ]
    assert sorted(write_labels(tmp_path / "out", image, several, combine, [])) == sorted(expected)
    assert {name: columns(tmp_path / "out", name) for name in expected} == expected


def test_all_faults_are_reported_and_nothing_is_written(tmp_path, image):
    faults: list[str] = []
    several = [
        annotation(rectangle(0, 0, 1, 1), size=(6, 5)),
        annotation(rectangle(9, 9, 12, 12), source="b.json"),
    ]
    assert write_labels(tmp_path / "out", image, several, "union", faults) == []
    size, outside = faults
    assert size.startswith(f"{image}: is 6 x 5, but its annotation in a.json is for 5 x 6")
    assert outside.startswith("b.json: image 'a.png': shape 1 is entirely outside")
    assert not (tmp_path / "out").exists()


def test_an_unreadable_image_is_a_fault(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    faults: list[str] = []
    assert write_labels(tmp_path / "out", tmp_path / "a.png", [annotation()], "union", faults) == []
    assert "a.png: the file is empty" in faults[0]


def test_readings_compare_two_people_and_count_a_class_that_one_of_them_lacks(tmp_path, image):
    readings: list[Reading] = []
    several = [
        annotation(rectangle(0, 0, 2, 1), rectangle(0, 0, 6, 5, "radius")),
        annotation(rectangle(0, 0, 4, 1), source="b.json"),
        annotation(rectangle(0, 0, 4, 1), source="c.json"),
    ]
    write_labels(tmp_path / "out/a", image, several, "union", [], readings)
    # ulna: two pairs of 2 and 4 pixels, and one of equal masks; radius: without the pair who both lack it
    assert readings == [
        Reading("a", "radius", 3, 1, 0.0),
        Reading("a", "ulna", 3, 3, pytest.approx((2 / 3 + 2 / 3 + 1) / 3)),
    ]
    assert [reading.name for reading in compared(readings)] == ["ulna"]


def test_one_annotation_gives_no_reading(tmp_path, image):
    readings: list[Reading] = []
    write_labels(tmp_path / "out/a", image, [annotation(rectangle(0, 0, 2, 1))], "union", [], readings)
    assert readings == []
