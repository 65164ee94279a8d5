"""nnU-Net accepts the raw data set, and its label maps give the masks back."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from samcarry.formats.class_tables import parse_class_table
from samcarry.formats.label_maps import read_label_map
from samcarry.formats.nnunet_raw import (
    DATASET,
    nnunet_name,
    write_nnunet_case,
    write_nnunet_description,
)
from samcarry.formats.writers import MaskWriter
from support.drawn_annotations import drawn

CLASSES = ("radius", "Os – 骨")
GREY = np.arange(63, dtype=np.uint8).reshape(9, 7)
MASKS = np.zeros((2, 9, 7), bool)
MASKS[0, 1:6, 1:4] = MASKS[1, 6:8, 2:6] = True


def test_nnunet_accepts_the_data_set(tmp_path):
    from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

    writer = MaskWriter(tmp_path / "out", CLASSES, ["nnunet"])
    for case in ("a", "p1/b"):
        writer.add(case, MASKS, GREY, file_name=f"{case}.png", source=tmp_path / f"{case}.png")
    writer.finish()
    folder = tmp_path / "out/nnunet" / DATASET
    assert json.loads((folder / "dataset.json").read_text()) == {
        "channel_names": {"0": "X-ray"},
        "labels": {"background": 0, "radius": 1, "Os – 骨": 2},
        "numTraining": 2,
        "file_ending": ".png",
    }
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "imagesTr/p1__b_0000.png")), GREY)
    verify_dataset_integrity(str(folder), num_processes=1)


SIZES = array_shapes(min_dims=2, max_dims=2, max_side=9)


@settings(max_examples=25)
@given(SIZES.flatmap(lambda size: arrays(np.uint8, size, elements=st.integers(0, 2))))
def test_masks_are_read_back(numbers):
    masks = np.stack([numbers == 1, numbers == 2])
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        _, label = write_nnunet_case(folder, "a", numbers, masks)
        write_nnunet_description(folder, CLASSES, 1)
        labels = json.loads((folder / "dataset.json").read_text())["labels"]
        table = parse_class_table({number: name for name, number in labels.items()}, "here")
        (read,) = read_label_map(folder / label, table=table)
        found = drawn(read)
        for name, mask in zip(CLASSES, masks, strict=True):
            np.testing.assert_array_equal(found.get(name, np.zeros_like(mask)), mask)


@pytest.mark.parametrize("classes", [255, 256])
def test_numbers_of_many_classes_are_kept(tmp_path, classes):
    masks = np.zeros((classes, 2, 3), bool)
    masks[-1, 0, 0] = True
    write_nnunet_case(tmp_path, "a", np.zeros((2, 3), np.uint8), masks)
    assert np.asarray(Image.open(tmp_path / "labelsTr/a.png"))[0, 0] == classes


def test_two_cases_of_one_name_are_a_fault_and_the_first_is_kept(tmp_path):
    writer = MaskWriter(tmp_path / "out", CLASSES, ["nnunet"])
    assert nnunet_name("a/b") == nnunet_name("a__b")
    for case in ("a/b", "a__b"):
        writer.add(case, MASKS, GREY, file_name="b.png", source=tmp_path / f"{case}.png")
    (fault,) = writer.faults
    assert (
        fault == f"{tmp_path}/a__b.png: nnU-Net has no folders, and the name a__b is taken; rename the image"
    )
    writer.finish()
    assert json.loads((tmp_path / f"out/nnunet/{DATASET}/dataset.json").read_text())["numTraining"] == 1
