"""An ONNX file gives the masks of its network and tells what it takes; one that does not is refused."""

import json

import numpy as np
import onnx
import pytest
import torch

from samcarry.errors import InputError
from samcarry.networks.unet import UNet, load_unet, save_unet
from samcarry.predict.models import load_model, load_onnx
from samcarry.predict.new_images import predict_masks
from samcarry.predict.onnx_export import check_onnx, write_onnx

ABOUT = {"classes": ["Zähne", "b"], "size": [16, 32], "mean": 0.4, "std": 0.2, "window": [1, 99]}
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 32), np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    save_unet(folder / "model.safetensors", UNet(2, width=4, depth=2), ABOUT)
    network, about = load_unet(folder / "model.safetensors")
    write_onnx(folder / "model.onnx", network, about)
    return folder, network, about


def test_the_masks_are_those_of_the_network(models):
    folder, network, about = models
    differing, greatest = check_onnx(folder / "model.onnx", network, about, IMAGES)
    assert differing == 0
    assert greatest < 1e-5


def test_any_number_of_images_at_once(models):
    folder, _, _ = models
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"images": IMAGES})
    assert answer.shape == (3, 2, 16, 32)


def test_a_file_of_another_network_is_refused(models):
    folder, _, about = models
    torch.manual_seed(1)
    with pytest.raises(InputError, match="other masks"):
        check_onnx(folder / "model.onnx", UNet(2, width=4, depth=2).eval(), about, IMAGES)


def test_the_metadata_tell_what_it_takes(models):
    folder, _, _ = models
    told = {entry.key: json.loads(entry.value) for entry in onnx.load(folder / "model.onnx").metadata_props}
    assert {key: told[key] for key in ABOUT} == ABOUT
    assert not (folder / "model.onnx.data").exists()


def test_samcarry_predicts_with_either_file(models):
    folder, _, _ = models
    ours, theirs = load_model(folder / "model.safetensors", "cpu"), load_model(folder / "model.onnx")
    assert (ours.classes, ours.size, ours.window) == (theirs.classes, theirs.size, theirs.window)
    image = np.random.default_rng(1).integers(0, 256, (50, 41), np.uint8)
    np.testing.assert_array_equal(predict_masks(ours, image), predict_masks(theirs, image))


def test_a_damaged_file_is_one_line(models, tmp_path):
    folder, _, _ = models
    (tmp_path / "m.onnx").write_bytes((folder / "model.onnx").read_bytes()[:500])
    with pytest.raises(InputError) as caught:
        load_onnx(tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)
