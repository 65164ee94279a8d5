"""The same radiograph twice."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from samcarry.audit.twins import Origin, describe_twins, find_twins


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    drawn = gaussian_filter(rng.normal(0, 1, (20, 64, 64)), (0, 2, 2))
    return {f"case {n}": (128 + 300 * image).clip(0, 255).astype(np.uint8) for n, image in enumerate(drawn)}


def origins_of(images, **other):
    return {case: Origin("train", f"p-{case}") for case in images} | other


def test_different_images_are_no_twins(images):
    assert find_twins(images, origins_of(images)) == []


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_copy_under_another_patient_is_found(images, mirrored):
    copy = (images["case 4"] * 0.8 + 20).astype(np.uint8)
    images["copy"] = copy[:, ::-1] if mirrored else copy
    origins = origins_of(images) | {"copy": Origin("test", "somebody")}
    (found,) = find_twins(images, origins)
    assert (found.cases, found.mirrored) == (("case 4", "copy"), mirrored)
    assert found.by_chance < 0.01
    text = describe_twins(found, origins, 0.5)
    assert "two patients, p-case 4 and somebody" in text
    assert "two splits, train and test" in text
    assert "mean Dice of 50 %" in text


def test_two_exposures_of_one_patient_have_to_be_equal(images):
    rng = np.random.default_rng(1)
    noisy = images["case 4"] + rng.normal(0, 4, (64, 64))
    images |= {"again": noisy.clip(0, 255).astype(np.uint8), "equal": images["case 5"]}
    origins = {case: Origin("train", "one patient") for case in images}
    assert [found.cases for found in find_twins(images, origins)] == [("case 5", "equal")]


def test_one_image_and_empty_images_are_no_fault():
    empty = {f"case {n}": np.zeros((32, 32), np.uint8) for n in range(3)}
    assert find_twins(empty, origins_of(empty)) == []
    assert find_twins({"one": np.zeros((32, 32), np.uint8)}, {"one": Origin("train", "p")}) == []
