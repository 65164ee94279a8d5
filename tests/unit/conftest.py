"""What the unit tests share: one torch thread (their tensors are too small for more), a lively SAM."""

import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def sam():
    """A tiny SAM with random weights, whose answers move with every part of the prompt."""
    import torch

    from samcarry.sam.tiny.model import build_tiny_sam

    torch.manual_seed(0)
    sam = build_tiny_sam().requires_grad_(False)
    # Fresh weights all but ignore the dense prompt; these make the previous mask count.
    convolution, norm, *_, projection = sam.prompt_encoder.mask_downscaling
    convolution.bias.zero_()
    norm.eps = 0.01
    projection.weight *= 20
    return sam
