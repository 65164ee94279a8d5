"""Models are loaded with their preprocessing; files that are damaged or invalid are refused in one line."""

import numpy as np
import pytest
import torch

from samcarry.errors import InputError
from samcarry.predict.models import load_model, load_onnx
from samcarry.predict.new_images import predict_masks
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
    [{"classes": ["a", "../../b"]}, {"size": None}, {"size": [15, 32]}, {"std": 0}, {"mean": "x"}],
)
def test_a_model_with_invalid_metadata_is_refused_in_one_line(tmp_path, metadata):
    path = save_tiny_model(tmp_path / "m.safetensors", **metadata)
    with pytest.raises(InputError) as caught:
        load_model(path, "cpu")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


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
