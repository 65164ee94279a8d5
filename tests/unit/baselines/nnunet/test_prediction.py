"""Prediction with nnU-Net: overlaps, mirroring, and damaged model files."""

import dataclasses

import numpy as np
import pytest
import torch

from samcarry.baselines.nnunet.prediction import load_nnunet, predict
from samcarry.baselines.nnunet.training import save_nnunet
from samcarry.errors import DamagedError
from support.tiny_nnunet import CLASSES, SETTINGS, SHORT, fit, model, pictures, plan_of


def test_probabilities_have_the_shape_of_the_images(planned, straight, tmp_path):
    predictor, metadata = model(tmp_path / "model.safetensors", planned, straight)
    values = predict(predictor, pictures(3).images)
    assert metadata["classes"] == list(CLASSES)
    assert metadata["cases"] == planned[1].dataset["samcarry"]["cases"]
    assert values.shape == (3, 4, 64, 64)
    assert values.dtype == np.uint8
    assert values.min() < values.max()


def test_an_overlap_that_no_training_case_has_can_be_predicted(planned, straight, tmp_path):
    """No label code stands for both bars, which never overlap, but both outputs can be positive."""
    head = max(name for name in straight if name.startswith("decoder.seg_layers.") and name.endswith("bias"))
    sure = {**straight, head: torch.tensor([9.0, 9.0, -9.0, -9.0])}
    sure[head.replace("bias", "weight")] = torch.zeros_like(straight[head.replace("bias", "weight")])
    values = predict(model(tmp_path / "model.safetensors", planned, sure)[0], pictures(1).images)
    assert [np.unique(channel).tolist() for channel in values[0]] == [[255], [255], [0], [0]]


@pytest.mark.parametrize("mirroring", [True, False])
def test_mirroring_makes_predictions_the_same_for_a_mirrored_image(planned, straight, tmp_path, mirroring):
    settings = dataclasses.replace(SETTINGS, mirroring=mirroring)
    predictor, _ = model(tmp_path / "model.safetensors", planned, straight, settings)
    images = pictures(1).images
    difference = predict(predictor, images[..., ::-1])[..., ::-1].astype(int) - predict(predictor, images)
    # Not exactly: nnU-Net adds its logits in 16 bits.
    assert (np.abs(difference).mean() < 0.5) == mirroring


def test_one_case_whose_classes_never_overlap_is_enough(tmp_path):
    data = pictures(1, size=32)
    data.masks[:, 2] = False
    planned = (tmp_path, plan_of(tmp_path, data))
    weights = fit(planned, tmp_path / "work", settings=SHORT)
    predictor, _ = model(tmp_path / "model.safetensors", planned, weights, SHORT)
    assert predict(predictor, data.images).shape == (1, 4, 32, 32)


@pytest.mark.parametrize("fault", ["missing", "truncated", "weights of another network"])
def test_a_model_that_cannot_be_read_is_reported_in_one_line(planned, straight, tmp_path, fault):
    path = tmp_path / "model.safetensors"
    if fault != "missing":
        weights = dict(list(straight.items())[fault.startswith("weights") :])
        save_nnunet(path, weights, planned[1], SETTINGS, {})
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DamagedError, match=r"nnU-Net model file|there is no such file") as caught:
        load_nnunet(path, "cpu", 1)
    assert "\n" not in str(caught.value)
