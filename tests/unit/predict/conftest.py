"""A model file and the same model as ONNX, for tests that compare the two."""

import pytest

from samcarry.networks.unet import load_unet
from samcarry.predict.onnx_export import write_onnx
from support.tiny_models import save_tiny_model


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The folder of model.safetensors and model.onnx, the network, and its metadata."""
    folder = tmp_path_factory.mktemp("models")
    network, metadata = load_unet(save_tiny_model(folder / "model.safetensors"))
    write_onnx(folder / "model.onnx", network, metadata)
    return folder, network, metadata
