"""Masks lie where the image says, at the image's own size; folders and models are judged first."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from samcarry.errors import InputError
from samcarry.networks.prediction import predict
from samcarry.networks.unet import UNet, save_unet
from samcarry.predict.models import Model, load_model
from samcarry.predict.new_images import find_new_images, predict_folder, predict_masks

ABOUT = {"classes": ["bright", "dark"], "size": [16, 32], "mean": 0.5, "std": 0.25}


class Threshold(nn.Module):
    """Stands for a U-Net: the first class is what is brighter than grey 128, the second the rest."""

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
def test_the_mask_lies_on_the_bright_square(height, width):
    image = np.zeros((height, width), np.uint8)
    top, bottom, left, right = height // 8, height // 2, width // 4, 7 * width // 8
    image[top:bottom, left:right] = 255
    mask = predict_masks(MODEL, image)[0]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    found = [rows[0], rows[-1] + 1, columns[0], columns[-1] + 1]
    # An edge may move by half a pixel of the network's, and one of the image's for rounding.
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


def test_images_are_found_in_folders_with_their_place_in_the_name(tmp_path):
    (tmp_path / "monday").mkdir()
    for name in ("a.png", "monday/a.jpg", "a.tif", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(b"x")
    found, faults = find_new_images(tmp_path)
    assert sorted(found) == ["a", "monday/a"]
    assert len(faults) == 1
    assert "a.tif" in faults[0]


@pytest.mark.parametrize("inside", ["", "out", ".."])
def test_results_never_lie_in_or_around_the_images(tmp_path, inside):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("L", (8, 8)).save(folder / "a.png")
    with pytest.raises(InputError, match="name a folder elsewhere"):
        predict_folder(MODEL, folder, folder / inside, overwrite=True)
    assert (folder / "a.png").exists()


def save(path, **about):
    torch.manual_seed(0)
    save_unet(path, UNet(2, width=4, depth=2), {**ABOUT, **about})
    return path


def test_a_model_file_tells_all_that_is_needed(tmp_path):
    model = load_model(save(tmp_path / "m.safetensors", window=[0.5, 99.5]), "cpu")
    assert (model.classes, model.size, model.mean, model.std) == (("bright", "dark"), (16, 32), 0.5, 0.25)
    assert model.window == (0.5, 99.5)


@pytest.mark.parametrize(
    "about",
    [{"classes": ["a", "../../b"]}, {"size": None}, {"size": [15, 32]}, {"std": 0}, {"mean": "x"}],
)
def test_a_model_that_cannot_be_is_refused_in_one_line(tmp_path, about):
    path = save(tmp_path / "m.safetensors", **about)
    with pytest.raises(InputError) as caught:
        load_model(path, "cpu")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
