"""JSON annotation files: values are checked, and damaged files end in one line that names the file."""

import json
import random
import re

import numpy as np
import pytest

from samcarry.errors import InputError
from samcarry.formats.coco import read_coco
from samcarry.formats.json_values import check_size, get_value, parse_points
from samcarry.formats.label_studio import read_label_studio
from samcarry.formats.labelme import read_labelme
from samcarry.formats.supervisely import read_supervisely
from samcarry.formats.via import read_via
from samcarry.geometry.rasterise import draw_masks
from support.coco_files import annotation, document
from support.label_studio_files import brush, task
from support.label_studio_files import polygon as label_studio_polygon
from support.labelme_files import pack as pack_png
from support.labelme_files import shape
from support.supervisely_files import bitmap, pack, polygon
from support.via_files import document as via_document
from support.via_files import entry as via_entry
from support.via_files import region as via_region

MASK = np.eye(3, dtype=bool)
GOOD = {
    read_coco: document(
        annotation(),
        annotation({"counts": [1, 2, 27], "size": [5, 6]}, 2),
        annotation({"counts": "12k0", "size": [5, 6]}, 3, category_id=4),
    ),
    read_supervisely: {
        "size": {"height": 5, "width": 6},
        "objects": [polygon(interior=[[[1, 1], [2, 1], [2, 2]]]), bitmap(pack(MASK), (1, 1), id=2)],
    },
    read_labelme: {
        "imagePath": "a.png",
        "imageHeight": 5,
        "imageWidth": 6,
        "shapes": [
            shape([[1, 1], [4, 1], [4, 3]]),
            shape([[1, 1], [2, 2]], "circle"),
            shape([[1, 1], [3, 3]], "mask", mask=pack_png(MASK)),
        ],
    },
    read_via: via_document(via_entry(via_region(), via_region({"name": "circle", "cx": 3, "cy": 3, "r": 2}))),
    read_label_studio: [
        task([label_studio_polygon(), brush(np.eye(5, 6, dtype=bool))]),
    ],
}
ODD = (None, True, -1, 0, 3, 1e308, float("nan"), 10**30, 10**400, "", "../a", "ä\0", [], [[]], {}, {"a": 1})


def mutated(content: dict | list, rng: random.Random) -> bytes:
    """The document with one odd value, or its text with some bytes changed or cut off."""
    content = json.loads(json.dumps(content))
    if rng.random() < 0.5:
        place = content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = rng.choice(keys)
            if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.2:
                break
            place = place[key]
        place[key] = rng.choice(ODD)
        return json.dumps(content).encode()
    text = bytearray(json.dumps(content).encode())
    for _ in range(rng.randint(1, 3)):
        text[rng.randrange(len(text))] = rng.choice((rng.randrange(256), *b'0123456789{}[]",:-'))
    return bytes(text[: rng.randrange(len(text))] if rng.random() < 0.2 else text)


@pytest.mark.parametrize("read", GOOD, ids=lambda read: read.__name__)
def test_mutated_files_are_read_or_refused_in_lines_that_name_the_file(tmp_path, read):
    rng = random.Random(0)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD[read]))
    (good,) = read(path)
    assert sum(mask.any() for mask in draw_masks(good, 5, 6, []).values()) > 0
    refused = 0
    for _ in range(500):
        path.write_bytes(mutated(GOOD[read], rng))
        try:
            faults: list[str] = []
            for entry in read(path):
                draw_masks(entry, 5, 6, faults)
        except InputError as error:
            faults += str(error).splitlines()
        assert all(re.match(rf"{path}: .+; .+", fault) for fault in faults), faults
        refused += bool(faults)
    assert 200 < refused < 500


@pytest.mark.parametrize("read", GOOD, ids=lambda read: read.__name__)
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"images": [', "not JSON, damaged or truncated"),
        ('{"a": "ä"}'.encode("latin-1"), "not UTF-8"),
        (b'{"a":' + b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not JSON"),
        (b"[]", "not hold a JSON object"),
    ],
)
def test_other_files_than_json_objects_are_refused(tmp_path, read, content, fault):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    if read is read_label_studio and content == b"[]":  # its files are lists
        fault = "holds no task"
    with pytest.raises(InputError) as caught:
        read(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: ")
    assert fault in line


@pytest.mark.parametrize("read", GOOD, ids=lambda read: read.__name__)
def test_a_byte_order_mark_is_accepted_and_a_missing_file_is_a_fault(tmp_path, read):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD[read]), encoding="utf-8-sig")
    assert len(read(path)) == 1
    with pytest.raises(InputError, match="there is no such file"):
        read(tmp_path / "none.json")


def test_a_value_must_have_its_type_and_true_is_not_a_number():
    entry = {"name": "a", "count": 3, "flag": True, "points": []}
    assert get_value(entry, "name", str) == "a"
    assert get_value(entry, "count", int) == 3
    assert get_value(entry, "points", list) == []
    for wrong in (("flag", int), ("name", int), ("missing", list), ("points", dict)):
        with pytest.raises(InputError, match=f"'{wrong[0]}'; export it again"):
            get_value(entry, *wrong)
    with pytest.raises(InputError, match="no text 'name'"):
        get_value([entry], "name", str)


@pytest.mark.parametrize("size", [(1, 1), (10_000, 10_000), (5, 6)])
def test_a_possible_image_size_is_returned_unchanged(size):
    assert check_size(*size) == size
    assert check_size(None, None) is None


@pytest.mark.parametrize(
    "size", [(0, 5), (5, -1), (None, 5), (5.0, 6), (True, 6), ("5", 6), (10_001, 10_000)]
)
def test_an_impossible_image_size_is_refused(size):
    with pytest.raises(InputError, match="not a possible image size"):
        check_size(*size)


def test_points_are_an_array_of_x_and_y():
    points = parse_points([[1, 2.5], [-3, 0], [1e8, 4]], fewest=3)
    assert points.tolist() == [[1, 2.5], [-3, 0], [1e8, 4]]
    assert points.dtype == np.float64


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "no list of points"),
        ([[1, 2], [3]], "no list of points"),
        ([[1, 2], 3], "no list of points"),
        ([[1, 2]], "has 1 points; draw it with 2 or more"),
        ([[1, 2], [3, "4"]], "not a number"),
        ([[1, 2], [3, True]], "not a number"),
        ([[1, 2], [3, float("nan")]], "far outside the image or not finite"),
        ([[1, 2], [3, -1e9]], "far outside the image or not finite"),
    ],
)
def test_other_values_than_points_are_refused(value, message):
    with pytest.raises(InputError, match=message):
        parse_points(value, fewest=2)
