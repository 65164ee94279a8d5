"""Models are loaded with their preprocessing; files that are damaged or invalid are refused in one line."""

import numpy as np
import pytest
import torch

from samcarry.errors import InputError
from samcarry.images.preparation import preparation
from samcarry.images.training_look import measure_look
from samcarry.networks.unet import load_unet
from samcarry.predict.arrays import predict_masks
from samcarry.predict.models import UNKNOWN, load_model, load_onnx
from support.tiny_models import save_tiny_model


def test_a_model_file_holds_all_that_is_needed(tmp_path):
    path = save_tiny_model(tmp_path / "m.safetensors", classes=["bright", "dark"], window=[0.5, 99.5])
    model = load_model(path, "cpu")
    assert (model.classes, model.size, model.mean, model.std) == (("bright", "dark"), (16, 32), 0.4, 0.2)
    assert model.window == (0.5, 99.5)
    images = np.zeros((3, 16, 32), np.uint8)
    assert model.predict(images).shape == (3, 2, 16, 32)
    assert model.predict(images).dtype == np.uint8


@pytest.mark.parametrize(
    "metadata",
    [
        {"classes": ["a", "../../b"]},
        {"size": None},
        {"size": [15, 32]},
        {"std": 0},
        {"mean": "x"},
        {"preparation": {"version": 1}},
        {"preparation": {"version": 99, "mirrored": None}},
        {"preparation": {"version": 1, "mirrored": "up"}},
        {"preparation": "x"},
        {"training_look": {"images": 5}},
        {"measurements": ["a"]},
        {"measurements": {"gap": {"between": ["b", "c"]}}},
        {"training_look": {"images": 5, "measures": {"grey values": {"mean": [1], "precision": 2}}}},
    ],
)
def test_a_model_with_invalid_metadata_is_refused_in_one_line(tmp_path, metadata):
    path = save_tiny_model(tmp_path / "m.safetensors", **metadata)
    with pytest.raises(InputError) as caught:
        load_model(path, "cpu")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_says_what_its_images_went_through(tmp_path):
    look = measure_look([np.random.default_rng(0).integers(0, 256, (8, 16, 32), np.uint8)])
    for side in (None, "right"):
        metadata = {"preparation": preparation(side), "training_look": look}
        model = load_model(save_tiny_model(tmp_path / "m.safetensors", **metadata), "cpu")
        assert model.mirrored == side
        assert model.training_look.images == 8
        assert not model.text_masked
    masked = preparation("right", text_masked=True)
    model = load_model(save_tiny_model(tmp_path / "m.safetensors", preparation=masked), "cpu")
    assert (model.mirrored, model.text_masked) == ("right", True)
    older = load_model(save_tiny_model(tmp_path / "m.safetensors", preparation=None), "cpu")
    assert (older.mirrored, older.training_look) == (UNKNOWN, None)


def test_metadata_do_not_change_the_weights(tmp_path):
    one, other = (
        load_unet(save_tiny_model(tmp_path / "m.safetensors", preparation=preparation(side)))[0].state_dict()
        for side in (None, "right")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.safetensors: .*not found"):
        load_model(tmp_path / "none.safetensors")


def test_samcarry_predicts_with_either_file(models):
    folder, _, _ = models
    ours, theirs = load_model(folder / "model.safetensors", "cpu"), load_model(folder / "model.onnx")
    assert (ours.classes, ours.size, ours.window) == (theirs.classes, theirs.size, theirs.window)
    image = np.random.default_rng(1).integers(0, 256, (50, 41), np.uint8)
    np.testing.assert_array_equal(predict_masks(ours, image), predict_masks(theirs, image))


def test_an_onnx_model_on_a_gpu_is_refused(models):
    folder, _, _ = models
    with pytest.raises(InputError, match="--device cpu"):
        load_model(folder / "model.onnx", "cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_an_error(models):
    folder, _, _ = models
    with pytest.raises(InputError, match="--device cpu"):
        load_model(folder / "model.safetensors", "cuda")


def test_a_damaged_onnx_file_is_an_error_of_one_line(models, tmp_path):
    folder, _, _ = models
    (tmp_path / "m.onnx").write_bytes((folder / "model.onnx").read_bytes()[:500])
    with pytest.raises(InputError) as caught:
        load_onnx(tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)


def test_a_model_may_list_measurements(tmp_path):
    block = {"gap": {"between": ["Zähne", "b"]}}
    assert load_model(save_tiny_model(tmp_path / "m.safetensors", measurements=block)).measurements == block
    assert load_model(save_tiny_model(tmp_path / "n.safetensors")).measurements == {}


def test_the_number_of_threads_can_be_set(models):
    folder, _, _ = models
    before = torch.get_num_threads()
    try:
        load_model(folder / "model.safetensors", "cpu", threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    image = np.zeros((1, 16, 32), np.uint8)
    assert load_model(folder / "model.onnx", "cpu", threads=1).predict(image).shape == (1, 2, 16, 32)
