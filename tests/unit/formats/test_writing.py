"""Exported masks come back as they were, by way of other programs' readers."""

import csv
import json
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from pycocotools.coco import COCO

from samcarry.formats.class_pngs import write_class_masks
from samcarry.formats.class_tables import write_class_table
from samcarry.formats.coco import write_coco
from samcarry.formats.label_maps import label_map, write_label_map
from samcarry.formats.nifti import write_nifti
from samcarry.formats.overlays import overlay
from samcarry.formats.run_lengths import encode_image
from samcarry.images.masks import read_mask
from samcarry.storage.stacks import read_stack

CLASSES = ["Radius", "Os capitatum", "Zahn Ⅴ"]
# Any pixels whatever: holes, overlaps, single pixels and empty classes are all among them.
MASKS = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: arrays(bool, (3, *shape), elements=st.booleans(), fill=st.just(False))
)


@settings(max_examples=40)
@given(MASKS)
def test_pngs_come_back(masks):
    with tempfile.TemporaryDirectory() as folder:
        write_class_masks(folder, masks, CLASSES)
        for mask, name in zip(masks, CLASSES, strict=True):
            path = Path(folder) / f"{name}.png"
            assert path.exists() == mask.any()
            if mask.any():
                np.testing.assert_array_equal(read_mask(path), mask)


@settings(max_examples=40)
@given(MASKS)
def test_nifti_comes_back(masks):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nii.gz"
        write_nifti(path, masks, CLASSES, "a")
        np.testing.assert_array_equal(read_stack(path).masks[0], masks)
        assert read_stack(path).classes == tuple(CLASSES)
        values = np.asarray(nib.load(path).dataobj)
        np.testing.assert_array_equal(values[:, :, 0].transpose(2, 1, 0), masks)


@settings(max_examples=40)
@given(st.lists(MASKS, min_size=1, max_size=3))
def test_coco_comes_back(cases):
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


@settings(max_examples=40)
@given(MASKS)
def test_a_label_map_png_holds_the_numbers(masks):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        write_label_map(path, masks)
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), label_map(masks))
        np.testing.assert_array_equal(label_map(masks) > 0, masks.any(axis=0))


def test_the_smaller_class_lies_on_top_wherever_it_stands_in_the_list():
    masks = np.zeros((3, 4, 4), bool)
    masks[0, 0, 0] = masks[1] = masks[2, :2] = True
    assert label_map(masks).tolist() == [[1, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [2, 2, 2, 2]]


def test_of_equal_classes_the_later_lies_on_top():
    assert (label_map(np.ones((2, 2, 2), bool)) == 2).all()


def test_more_than_255_classes_have_a_16_bit_label_map(tmp_path):
    masks = np.eye(300, dtype=bool).reshape(300, 10, 30)
    write_label_map(tmp_path / "a.png", masks)
    assert np.asarray(Image.open(tmp_path / "a.png")).ravel().tolist() == list(range(1, 301))


def test_a_label_map_shows_the_colours_of_the_table(tmp_path):
    masks = np.eye(3, dtype=bool).reshape(3, 1, 3)
    write_label_map(tmp_path / "a.png", masks)
    write_class_table(tmp_path / "classes.csv", CLASSES)
    with (tmp_path / "classes.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["number"], row["class"]) for row in rows[1:]] == [
        (str(number), name) for number, name in enumerate(CLASSES, 1)
    ]
    shown = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))[0]
    assert shown.tolist() == [[int(row[key]) for key in ("red", "green", "blue")] for row in rows[1:]]


def test_an_overlay_colours_the_rim_and_nothing_else():
    image = np.full((7, 9), 100, np.uint8)
    masks = np.zeros((1, 7, 9), bool)
    masks[0, 1:5, 2:7] = True
    picture = overlay(image, masks)
    changed = (picture != 100).any(axis=-1)
    rim = masks[0].copy()
    rim[2:4, 3:6] = False
    np.testing.assert_array_equal(changed, rim)
