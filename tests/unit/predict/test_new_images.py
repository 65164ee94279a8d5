"""Masks match the image and have its size; folders and arrays are checked first."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from samcarry.errors import InputError
from samcarry.images.masks import read_mask
from samcarry.networks.prediction import predict
from samcarry.predict.models import Model
from samcarry.predict.new_images import find_new_images, predict_folder, predict_masks


class Threshold(nn.Module):
    """Replaces a U-Net: the first class is brighter than grey 128, the second class is the rest."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(4.0))

    def forward(self, x):
        return torch.cat([x, -x], dim=1) * self.scale


NETWORK = Threshold()
MODEL = Model(
    lambda images: predict(NETWORK, images, 0.5, 0.25),
    ("bright", "dark"),
    (64, 64),
    0.5,
    0.25,
    None,
    "0" * 64,
)


@pytest.mark.parametrize(("height", "width"), [(101, 67), (64, 64), (33, 250), (400, 301), (1, 1)])
def test_masks_have_the_images_size(height, width):
    assert predict_masks(MODEL, np.zeros((height, width), np.uint8)).shape == (2, height, width)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (203, 311), (640, 128), (51, 45)])
def test_the_mask_matches_the_bright_square(height, width):
    image = np.zeros((height, width), np.uint8)
    top, bottom, left, right = height // 8, height // 2, width // 4, 7 * width // 8
    image[top:bottom, left:right] = 255
    mask = predict_masks(MODEL, image)[0]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    found = [rows[0], rows[-1] + 1, columns[0], columns[-1] + 1]
    # An edge may move by half a pixel of the network, plus one pixel of the image for rounding.
    slack = [height / 128 + 1] * 2 + [width / 128 + 1] * 2
    assert (np.abs(np.subtract(found, [top, bottom, left, right])) <= slack).all()


def test_one_component_is_kept_only_if_asked_for():
    image = np.zeros((64, 64), np.uint8)
    image[5:20, 5:20] = image[40:50, 40:50] = 255
    image[40:50, 40:50] = 160
    assert predict_masks(MODEL, image)[0, 45, 45]
    kept = predict_masks(MODEL, image, one_component=True)[0]
    assert kept[10, 10]
    assert not kept[45, 45]


def test_images_in_subfolders_are_named_after_their_path(tmp_path):
    (tmp_path / "monday").mkdir()
    for name in ("a.png", "monday/a.jpg", "a.tif", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(b"x")
    found, faults = find_new_images(tmp_path)
    assert sorted(found) == ["a", "monday/a"]
    assert len(faults) == 1
    assert "a.tif" in faults[0]


@pytest.mark.parametrize("inside", ["", "out", ".."])
def test_results_are_never_written_in_or_around_the_folder_of_the_images(tmp_path, inside):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("L", (8, 8)).save(folder / "a.png")
    with pytest.raises(InputError, match="choose another folder"):
        predict_folder(MODEL, folder, folder / inside, overwrite=True)
    assert (folder / "a.png").exists()


def bright_square(dtype=np.uint8):
    image = np.zeros((90, 70), dtype)
    image[20:60, 10:40] = np.iinfo(dtype).max
    return image


def test_a_list_of_images_of_any_size_gives_a_list_of_masks():
    images = [bright_square(), np.zeros((33, 50), np.uint8)]
    masks = predict_masks(MODEL, images)
    assert [mask.shape for mask in masks] == [(2, 90, 70), (2, 33, 50)]
    np.testing.assert_array_equal(masks[0], predict_masks(MODEL, images[0]))
    assert predict_masks(MODEL, []) == []


def test_16_bits_are_scaled_to_the_full_range():
    np.testing.assert_array_equal(
        predict_masks(MODEL, bright_square(np.uint16)), predict_masks(MODEL, bright_square())
    )


@pytest.mark.parametrize("window", [None, (1.0, 99.0)])
def test_an_array_gives_the_masks_of_the_same_image_in_a_folder(tmp_path, window):
    model = replace(MODEL, window=window)
    image = np.random.default_rng(0).integers(500, 3000, (61, 47)).astype(np.uint16)  # 12 bits, dark
    (tmp_path / "images").mkdir()
    Image.fromarray(image).save(tmp_path / "images/a.png")
    cases, faults = predict_folder(model, tmp_path / "images", tmp_path / "out", ["png"])
    assert (cases, faults) == (["a"], [])
    for name, mask in zip(model.classes, predict_masks(model, image), strict=True):
        file = tmp_path / f"out/masks/a/{name}.png"
        assert file.exists() == mask.any()
        if mask.any():
            np.testing.assert_array_equal(read_mask(file), mask)
    assert predict_masks(model, image)[0].any() == (window is not None)


@pytest.mark.parametrize(
    ("image", "fault"),
    [
        (np.zeros((5, 4, 3), np.uint8), "shape"),
        (np.zeros((0, 4), np.uint8), "shape"),
        (np.zeros((5, 4)), "float64"),
    ],
)
def test_arrays_that_are_not_grey_images_are_refused(image, fault):
    with pytest.raises(InputError, match=fault):
        predict_masks(MODEL, image)
    with pytest.raises(InputError, match=f"image 2: .*{fault}"):
        predict_masks(MODEL, [bright_square(), image])


def test_an_unknown_format_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match=r"'jpeg'.*labelmap"):
        predict_folder(MODEL, tmp_path / "none", tmp_path / "out", ["png", "jpeg"])
