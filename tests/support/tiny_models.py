"""Small trained models for tests of predictions."""

import torch

from samcarry.images.preparation import preparation
from samcarry.networks.unet import UNet, save_unet

METADATA = {
    "classes": ["Zähne", "b"],
    "size": [16, 32],
    "mean": 0.4,
    "std": 0.2,
    "window": [1, 99],
    "preparation": preparation(None),
}


def save_tiny_model(path, **metadata):
    """Write a model file with random weights; return its path. `metadata` overrides entries of METADATA."""
    torch.manual_seed(0)
    save_unet(path, UNet(2, width=4, depth=2), {**METADATA, **metadata})
    return path
