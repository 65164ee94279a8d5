"""COCO files: polygons and run lengths become masks, faults are named, and pycocotools reads our files."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from samcarry.errors import InputError
from samcarry.formats.coco import read_coco, write_coco
from samcarry.geometry.rasterise import draw_masks
from samcarry.geometry.run_lengths import decompress_counts, encode_image
from support.coco_files import annotation, document

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def save(folder: Path, content: dict) -> Path:
    path = folder / "coco.json"
    path.write_text(json.dumps(content))
    return path


def draw_one(folder: Path, content: dict) -> dict[str, np.ndarray]:
    (read,) = read_coco(save(folder, content))
    faults: list[str] = []
    masks = draw_masks(read, *read.size, faults)
    assert not faults
    return masks


def refused(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_coco(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(str(path)) for line in lines)
    return lines


def drawing(mask: np.ndarray) -> list[str]:
    return ["".join(".#"[pixel] for pixel in row) for row in mask.astype(int)]


def test_polygons_of_one_annotation_and_of_one_class_are_united(tmp_path):
    two = [[0, 0, 1, 0, 1, 1, 0, 1], [5, 4, 6, 4, 6, 5, 5, 5]]
    masks = draw_one(tmp_path, document(annotation(two), annotation(number=2)))
    assert drawing(masks["Ulna"]) == ["#.....", ".###..", ".###..", "......", ".....#"]


def test_regions_that_a_polygon_encloses_twice_are_outside(tmp_path):
    twice = [[0, 0, 5, 0, 5, 5, 0, 5, 0, 0, 1, 1, 4, 1, 4, 4, 1, 4, 1, 1]]
    masks = draw_one(tmp_path, document(annotation(twice)))
    assert drawing(masks["Ulna"]) == ["#####.", "#...#.", "#...#.", "#...#.", "#####."]


@given(st.lists(st.integers(0, 8), min_size=6, max_size=6))
def test_triangles_are_drawn_as_pycocotools_draws_them_but_for_pixels_on_the_edge(tmp_path_factory, numbers):
    corners = np.array(numbers, dtype=float).reshape(3, 2)
    sides = np.roll(corners, -1, axis=0) - corners
    assume(np.linalg.matrix_rank(sides) == 2)
    masks = draw_one(tmp_path_factory.mktemp("coco"), document(annotation([numbers]), height=8, width=8))
    theirs = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([numbers], 8, 8))).astype(bool)
    rows, columns = np.nonzero(masks["Ulna"] != theirs)
    for x, y in zip(columns + 0.5, rows + 0.5, strict=True):
        length = np.maximum((sides**2).sum(axis=1), 1e-9)
        along = np.clip((((x, y) - corners) * sides).sum(axis=1) / length, 0, 1)
        nearest = corners + along[:, None] * sides
        assert np.hypot(*(nearest - (x, y)).T).min() <= 0.75


@given(MASKS)
def test_any_mask_is_read_back_from_both_kinds_of_run_lengths(tmp_path_factory, mask):
    height, width = mask.shape
    packed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = packed["counts"].decode()
    runs = list(decompress_counts(text))
    for counts in (text, runs):
        segmentation = {"size": [height, width], "counts": counts}
        content = document(annotation(segmentation), height=height, width=width)
        (drawn,) = draw_one(tmp_path_factory.mktemp("coco"), content).values()
        assert (drawn == mask).all()


def test_images_without_annotation_are_kept_and_classes_can_be_skipped(tmp_path):
    path = save(tmp_path, document(annotation(), annotation([[0, 0]], 2, category_id=4)))
    (read,) = read_coco(path, {"Ulna": "ulna", "Radius": None}.get)
    assert [shape.class_name for shape in read.shapes] == ["ulna"]
    (read,) = read_coco(save(tmp_path, document()))
    assert (read.name, read.size, read.shapes) == ("a.png", (5, 6), ())


FAULTY = [
    (annotation([[1, 1, 4, 1]]), "2 points"),
    (annotation([[1, 1, 4, 1, 4]]), "not a list of x, y"),
    (annotation([[1, 1, 4, "1", 4, 3]]), "not a number"),
    (annotation([[1, 1, 4, float("nan"), 4, 3]]), "far outside the image"),
    (annotation([[1, 1, 4, float("inf"), 4, 3]]), "far outside the image"),
    (annotation([[1, 1, 4, 10**400, 4, 3]]), "far outside the image"),
    (annotation([]), "only a box"),
    (annotation("polygon"), "neither polygons nor run lengths"),
    (annotation({"counts": [30]}), "without their 'size'"),
    (annotation({"counts": [29], "size": [5, 6]}), "do not add up to 6 x 5"),
    (annotation({"counts": [-1, 31], "size": [5, 6]}), "do not add up to 6 x 5"),
    (annotation({"counts": "10", "size": [5, 6]}), "do not add up to 6 x 5"),
    (annotation({"counts": "0o", "size": [5, 6]}), "cut off or damaged"),
    (annotation({"counts": "ä", "size": [5, 6]}), "cut off or damaged"),
    (annotation({"counts": [30], "size": [10**6, 10**6]}), "not a possible image size"),
    (annotation({"counts": {}, "size": [5, 6]}), "neither a text nor whole numbers"),
    (annotation(image_id=8), "image 8, which is not among"),
    (annotation(category_id=[8]), "no number 'category_id'"),
    (annotation(number=9), "same id 9"),
]


@pytest.mark.parametrize(("entry", "fault"), FAULTY)
def test_a_broken_annotation_is_named(tmp_path, entry, fault):
    (line,) = refused(save(tmp_path, document(annotation(number=9), entry)))
    assert f"annotation {entry['id']} " in line
    assert fault in line


def test_all_faults_are_reported_together(tmp_path):
    broken = [annotation(image_id=1), annotation(number=2), annotation([[1, 1]], number=3)]
    assert len(refused(save(tmp_path, document(*broken)))) == 2


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"images": []}, "has no images"),
        ({"images": {}}, "no list 'images'"),
        ({"images": [3]}, "entry 1 of 'images' is not an object"),
        ({"images": [{"id": 1, "file_name": "a"}] * 2}, "same id 1"),
        (
            {"images": [{"id": 1, "file_name": "a", "height": 10**9, "width": 10**9}]},
            "not a possible image size",
        ),
        ({"categories": [{"id": 1, "name": "a"}] * 2}, "same id 1"),
        ({"categories": [{"id": 1}]}, "no text 'name'"),
        ({"annotations": None}, "no list 'annotations'"),
    ],
)
def test_faults_of_the_lists(tmp_path, changes, fault):
    (line,) = refused(save(tmp_path, document(**changes)))
    assert fault in line


CLASSES = ["Radius", "Os capitatum", "Zahn Ⅴ"]
# Arbitrary pixels, so holes, overlaps, single pixels and empty classes occur.
THREE_MASKS = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: arrays(bool, (3, *shape), elements=st.booleans(), fill=st.just(False))
)


@settings(max_examples=40)
@given(st.lists(THREE_MASKS, min_size=1, max_size=3))
def test_pycocotools_reads_what_is_written(cases):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coco.json"
        images = [encode_image(f"{n}.png", masks) for n, masks in enumerate(cases)]
        write_coco(path, images, CLASSES)
        peer = COCO()
        peer.dataset = json.loads(path.read_text(encoding="utf-8"))
        peer.createIndex()
        for number, masks in enumerate(cases, 1):
            back = np.zeros_like(masks)
            for annotation in peer.imgToAnns[number]:
                mask = peer.annToMask(annotation).astype(bool)
                back[annotation["category_id"] - 1] = mask
                left, top, width, height = annotation["bbox"]
                assert mask[top : top + height, left : left + width].sum() == annotation["area"] == mask.sum()
            np.testing.assert_array_equal(back, masks)
        assert [entry["name"] for entry in peer.loadCats([1, 2, 3])] == CLASSES
