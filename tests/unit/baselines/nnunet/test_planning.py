"""Planning of nnU-Net: nothing is cropped, and the plan is complete and free of paths."""

import json

import numpy as np

from samcarry.baselines.nnunet.environment import DATASET_NAME
from support.tiny_nnunet import CLASSES, pictures, plan_of


def test_black_parts_of_images_are_not_cropped(planned):
    folder, plan = planned
    assert plan.plans["original_median_shape_after_transp"] == [1, 64, 64]
    assert plan.plans["configurations"]["2d"]["use_mask_for_norm"] == [False]
    files = sorted((folder / "preprocessed" / DATASET_NAME).glob("*/*.pkl"))
    key = "shape_after_cropping_and_before_resampling"
    stored = np.array([np.load(file, allow_pickle=True)[key] for file in files])
    np.testing.assert_array_equal(stored, [[1, 64, 64]] * 4)


def test_the_plan_names_cases_and_classes_and_no_path_of_this_machine(planned):
    folder, plan = planned
    assert plan.classes == CLASSES
    assert plan.dataset["samcarry"]["cases"] == [f"case {number}" for number in range(4)]
    assert str(folder) not in json.dumps([plan.plans, plan.dataset])


def test_other_labels_give_another_digest(planned, tmp_path):
    data = pictures(4)
    data.masks[3, 2] = False
    other = plan_of(tmp_path, data, max_batch_size=1)
    assert other.plans["configurations"]["2d"]["batch_size"] == 1
    assert other.dataset["samcarry"]["content"] != planned[1].dataset["samcarry"]["content"]


def test_a_plan_replaces_an_older_one(tmp_path):
    for count in (2, 1):
        plan = plan_of(tmp_path, pictures(count, size=32))
    assert len(plan.dataset["dataset"]) == 1
    assert len(list((tmp_path / "raw" / DATASET_NAME).glob("*_0000.png"))) == 1
    assert len(list((tmp_path / "preprocessed" / DATASET_NAME).glob("*/*.pkl"))) == 1
