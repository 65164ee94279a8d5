"""An ONNX file gives the masks of its network and holds its metadata; a wrong one is refused."""

import json

import numpy as np
import onnx
import pytest
import torch

from samcarry.errors import InputError
from samcarry.networks.unet import UNet
from samcarry.predict.onnx_export import check_onnx
from support.paths import ROOT
from support.tiny_models import METADATA

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 32), np.uint8)


def test_the_masks_are_those_of_the_network(models):
    folder, network, metadata = models
    differing, largest = check_onnx(folder / "model.onnx", network, metadata, IMAGES)
    assert differing == 0
    assert largest < 1e-5


def test_any_number_of_images_at_once(models):
    folder, _, _ = models
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(None, {"images": IMAGES})
    assert probabilities.shape == (3, 2, 16, 32)


def test_a_file_of_another_network_is_refused(models):
    folder, _, metadata = models
    torch.manual_seed(1)
    with pytest.raises(InputError, match="masks differ"):
        check_onnx(folder / "model.onnx", UNet(2, width=4, depth=2).eval(), metadata, IMAGES)


def test_the_metadata_hold_the_preprocessing(models):
    folder, _, _ = models
    metadata = {
        entry.key: json.loads(entry.value) for entry in onnx.load(folder / "model.onnx").metadata_props
    }
    assert {key: metadata[key] for key in METADATA} == METADATA
    assert not (folder / "model.onnx.data").exists()


def test_the_file_holds_no_path_of_this_machine(models):
    content = (models[0] / "model.onnx").read_bytes()
    for part in (str(ROOT), "site-packages", ".py", "stack_trace"):
        assert part.encode() not in content
