"""Exported masks fit the user's own image: its size, its orientation and its name."""

import json

import numpy as np
import pytest
from PIL import Image

from samcarry.data.manifest import ManifestRow
from samcarry.formats import FORMATS
from samcarry.images.grey import read_grey, write_grey
from samcarry.images.masks import mask_at_size, read_mask
from samcarry.predict.stage_masks import export_stage, find_originals
from samcarry.storage.stacks import Stack, write_stack
from support.burned_text import burn, radiograph, share_shown


def row(case):
    return ManifestRow(case, "test-0000", "test", case, None, f"images/{case}.png", "", ())


@pytest.fixture
def study(tmp_path):
    """An import of a left and a right hand, the right one mirrored, and a stack that marks the left edge."""
    (tmp_path / "own/monday").mkdir(parents=True)
    (tmp_path / "data/images").mkdir(parents=True)
    for case in ("left", "right"):
        for path in (f"own/monday/{case}.png", f"data/images/{case}.png"):
            Image.new("L", (60, 40)).save(tmp_path / path)
    (tmp_path / "data/cases.csv").write_text("case,split,mirrored\nleft,test,0\nright,test,1\n")
    values = np.zeros((2, 2, 8, 12), np.uint8)
    values[:, 0, :, :3] = 1
    write_stack(tmp_path / "stack.nii.gz", Stack(values, "mask", ("left", "right"), ("edge", "nothing")))
    return tmp_path


def export(study, source_images, formats, text_masked=False):
    rows = [row("left"), row("right")]
    originals = find_originals(study / "data", rows, source_images)
    options = {"window": None, "text_masked": text_masked, "metadata": {"stage": "unet_sam"}}
    export_stage(study / "out", [study / "stack.nii.gz"], originals, formats, **options)
    return json.loads((study / "out/export.json").read_text())


def columns(path):
    return np.flatnonzero(read_mask(path).any(axis=0)).tolist()


def test_a_mirrored_image_is_mirrored_back_and_keeps_the_users_name(study):
    record = export(study, study / "own", ["png", "coco"])
    assert columns(study / "out/masks/left/edge.png") == list(range(15))
    assert columns(study / "out/masks/right/edge.png") == list(range(45, 60))
    coco = json.loads((study / "out/coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["monday/left.png", "monday/right.png"]
    assert [case["mirrored_back"] for case in record["cases"]] == [False, True]


def test_a_folder_of_the_user_is_not_mirrored(study):
    record = export(study, None, ["png"])
    assert columns(study / "out/masks/right/edge.png") == list(range(15))
    assert [case["image"] for case in record["cases"]] == ["left.png", "right.png"]


def test_the_record_lists_every_file_and_the_overlap_rule(study):
    record = export(study, None, [name for name in FORMATS if name != "dicomseg"])
    listed = {file for case in record["cases"] for file in case["files"]} | set(record["files"])
    there = {
        path.relative_to(study / "out").as_posix() for path in (study / "out").rglob("*") if path.is_file()
    }
    assert listed | {"export.json"} == there
    assert "fewer pixels" in record["overlap_rule"]
    assert record["stage"] == "unet_sam"


@pytest.mark.parametrize("text_masked", [False, True])
def test_pictures_show_text_only_if_it_is_not_masked(study, text_masked):
    """Also in the orientation of the user's own image, of which the data set has a mirrored one."""
    plain = radiograph()
    burned = burn(plain, "DOE, Maria\n12.03.1978", (8, 8))
    write_grey(study / "data/images/left.png", plain)
    write_grey(study / "data/images/right.png", np.ascontiguousarray(burned[:, ::-1]))
    record = export(study, study / "own", ["overlay", "nnunet"], text_masked)
    for file in ("overlays/right.png", "nnunet/Dataset001_samcarry/imagesTr/right_0000.png"):
        picture = read_grey(study / "out" / file)[: plain.shape[0], : plain.shape[1]]
        share = share_shown(picture, plain, burned)
        assert share < 0.02 if text_masked else share > 0.98, file
    assert [case["text_filled"] for case in record["cases"]] == ([0, 2] if text_masked else [0, 0])


def test_an_earlier_export_is_replaced_completely(study):
    export(study, None, ["png", "labelmap"])
    export(study, None, ["coco"])
    assert not (study / "out/labelmaps").exists()


def test_probabilities_are_enlarged_before_they_are_thresholded():
    ramp = np.repeat(np.linspace(0, 255, 8).astype(np.uint8)[None], 8, axis=0)
    mask = mask_at_size(ramp, 80, 80)
    first = int(np.argmax(mask[0]))
    assert 38 <= first <= 42  # a mask that was enlarged would begin at 40 with steps of 10 elsewhere
    slope = np.repeat(np.linspace(0, 150, 8).astype(np.uint8)[None], 8, axis=0)
    assert int(np.argmax(mask_at_size(slope, 80, 80)[0])) % 10 != 0


@pytest.mark.parametrize("size", [(8, 8), (9, 11), (80, 80), (3, 3), (1, 1)])
def test_one_pixel_is_kept_and_an_empty_map_stays_empty(size):
    small = np.zeros((8, 8), np.uint8)
    assert not mask_at_size(small, *size).any()
    small[5, 2] = 255
    assert mask_at_size(small, *size).any()
    assert not mask_at_size(np.full((8, 8), 127, np.uint8), *size).any()
