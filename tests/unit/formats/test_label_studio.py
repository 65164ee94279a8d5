"""Label Studio's brushes, polygons, rectangles and ellipses become masks pixel by pixel, for each annotator.

The documents are written as Label Studio 1 exports them.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samcarry.errors import InputError
from samcarry.formats.label_studio import read_label_studio
from support.drawn_annotations import drawn
from support.label_studio_files import brush, pack, pack_literally, polygon, shape, task

SQUARE = ["......", ".###..", ".###..", "......", "......"]


def save(folder: Path, *tasks: dict) -> Path:
    path = folder / "a.json"
    path.write_text(json.dumps(tasks))
    return path


def draw_one(folder: Path, *shapes: dict, name: str = "ulna") -> list[str]:
    (read,) = read_label_studio(save(folder, task(shapes)))
    assert (read.name, read.size) == ("a.png", (5, 6))
    return ["".join(".#"[pixel] for pixel in row) for row in drawn(read)[name].astype(int)]


def box(
    x, y, width, height, rotation=0, kind="rectanglelabels", names=("width", "height"), **changes
) -> dict:
    """A rectangle or an ellipse in pixels of an image of 5 x 6."""
    sides = dict(zip(names, (width / 0.06, height / 0.05), strict=True))
    return shape(kind, {"x": x / 0.06, "y": y / 0.05, "rotation": rotation} | sides, **changes)


@pytest.mark.parametrize(
    "entry",
    [
        polygon(),
        box(1, 1, 3, 2),
        box(4, 1, 2, 3, rotation=90),  # clockwise about its upper left corner, which is now the right one
        shape(
            "brushlabels", {"format": "rle", "rle": pack(np.array([[c == "#" for c in r] for r in SQUARE]))}
        ),
    ],
)
def test_shapes_of_columns_1_to_3_and_rows_1_and_2(tmp_path, entry):
    assert draw_one(tmp_path, entry) == SQUARE


def test_an_ellipse_has_a_centre_and_radii(tmp_path):
    for rotation, radii in ((0, (2.1, 0.6)), (90, (0.6, 2.1))):
        entry = box(2.5, 2.5, *radii, rotation, "ellipselabels", ("radiusX", "radiusY"))
        assert draw_one(tmp_path, entry) == ["......", "......", "#####.", "......", "......"]


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 40))))
def test_any_brush_is_read_back(tmp_path_factory, mask):
    for packed in (pack(mask), pack_literally(mask)):
        entry = brush(mask)
        entry["value"]["rle"] = packed
        (read,) = read_label_studio(save(tmp_path_factory.mktemp("l"), task([entry])))
        np.testing.assert_array_equal(drawn(read)["ulna"], mask)


def test_a_brush_of_a_long_run(tmp_path):
    mask = np.zeros((300, 400), bool)
    mask[100:] = True
    (read,) = read_label_studio(save(tmp_path, task([brush(mask)])))
    np.testing.assert_array_equal(drawn(read)["ulna"], mask)


def test_the_control_labels_may_give_the_label_of_a_shape(tmp_path):
    value = polygon()["value"]
    bare = shape("polygon", {"points": value["points"]}, label=None)
    labels = shape("labels", {"points": value["points"]}, label="radius")
    assert draw_one(tmp_path, bare, labels, name="radius") == SQUARE


def test_several_annotators_and_several_labels(tmp_path):
    both = polygon()
    both["value"]["polygonlabels"] = ["ulna", "radius"]
    cancelled = {"id": 9, "was_cancelled": True, "result": [polygon()]}
    whole = task([polygon()], [both], [])
    whole["annotations"].append(cancelled)
    read = read_label_studio(save(tmp_path, whole, task(image="b.png")))
    assert [sorted(s.class_name for s in entry.shapes) for entry in read] == [
        ["ulna"],
        ["radius", "ulna"],
        [],
    ]
    assert [entry.annotator for entry in read] == ["annotation 1", "annotation 2", "annotation 3"]
    assert {entry.name for entry in read} == {"a.png"}  # b.png has a task, but no annotation


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("/data/upload/12/0a1b2c3d-a%20b.png", "a b.png"),
        ("/data/upload/12/0a1b2c3d-M%C3%BCller.png", "M\u00fcller.png"),
        ("/data/upload/12/0a1b2c3d-%C3%BC.png", "0a1b2c3d-\u00fc.png"),
        ("/data/upload/12/0a1b2c3d-literal%20name.png", "literal%20name.png"),
        ("/data/upload/12/0a1b2c3d-whole%20name.png", "0a1b2c3d-whole%20name.png"),
        ("/data/upload/12/0a1b2c3d-a%2520b.png", "a%20b.png"),
        ("https://server/data/upload/12/0a1b2c3d-a%2520b.png", "a%20b.png"),
        ("/data/upload/12/0a1b2c3d-known.png", "0a1b2c3d-known.png"),
        ("/data/local-files/?d=p1%2Fa b.png", "p1/a b.png"),
        ("https://server/deep/a%20b.png?signature=1", "deep/a b.png"),
        ("s3://bucket/p1/a.png", "p1/a.png"),
        ("https://server/data/upload/12/0a1b2c3d-a.png", "a.png"),
        ("p1/a.png", "p1/a.png"),
    ],
)
def test_the_name_of_an_image_is_without_the_parts_of_the_server(tmp_path, image, name):
    known = ["0a1b2c3d-known", "0a1b2c3d-\u00fc", "literal%20name", "0a1b2c3d-whole%20name"]
    (read,) = read_label_studio(save(tmp_path, task([], image=image)), cases=known)
    assert read.name == name


def test_the_image_may_have_another_key(tmp_path):
    data = {"xray": "a.png", "patient": "P1", "age": 7}
    (read,) = read_label_studio(save(tmp_path, task([], data=data)))
    assert read.name == "a.png"


def test_answers_without_an_area_are_skipped_and_counted(tmp_path):
    kinds = ("keypointlabels", "choices", "textarea", "labels")
    (read,) = read_label_studio(save(tmp_path, task([shape(kind, {}) for kind in kinds])))
    assert (read.shapes, read.skipped) == ((), kinds)


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (polygon([(1, 1), (2, 2)]), "2 points"),
        (polygon([(1, 1), (2, 2), (float("inf"), 2)]), "far outside the image"),
        (polygon(label=None), "has no label; give it one"),
        (polygon(label=" ulna"), "cannot be a file name"),
        (polygon(image_rotation=90), "was rotated in Label Studio"),
        (polygon(original_width=None), "not a possible image size"),
        (shape("bitmasklabels", {}), "not a supported shape"),
        (box(1, 1, 0, 1, 0, "ellipselabels", ("radiusX", "radiusY")), "has no area"),
        (box(1, 1, 2, "2" * 0 or 2, rotation="90"), "not a number"),
        (shape("brushlabels", {"rle": "AAAA"}), "no list 'rle'"),
        (shape("brushlabels", {"rle": [256]}), "not a list of bytes"),
        (shape("brushlabels", {"rle": [0, 0]}), "cut off"),
        (shape("brushlabels", {"rle": pack(np.ones((5, 6), bool))[:-1]}), "cut off"),
        (shape("brushlabels", {"rle": pack(np.ones((6, 6), bool))}), "144 values and not 4 x 6 x 5"),
        ("ulna", "no text 'type'"),
    ],
)
def test_a_broken_shape_is_named(tmp_path, entry, fault):
    path = save(tmp_path, task([entry]))
    with pytest.raises(InputError) as caught:
        read_label_studio(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: image 'a.png': annotation 1: shape 1 ")
    assert fault in line


def test_a_second_size_of_an_image_is_named(tmp_path):
    path = save(tmp_path, task([polygon(), polygon(original_width=7)]))
    with pytest.raises(InputError, match="shape 2 gives the image another size"):
        read_label_studio(path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({}, "no list of tasks"),
        ([], "no task"),
        ([{"image": "a.png", "label": []}], "not as 'JSON-MIN'"),
        ([task([], data={"image": "a.txt"})], "names 0 images"),
        ([task([], data={"one": "a.png", "two": "b.png"})], "names 2 images"),
        ([task() | {"annotations": [7]}], "annotation 1 has no list 'result'"),
        ([7], "task 1 has no object 'data'"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, fault):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        read_label_studio(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: ")
    assert fault in line
