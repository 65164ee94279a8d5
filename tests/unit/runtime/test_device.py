"""Devices: number formats that do not change geometry, batch sizes and uploads."""

import numpy as np
import pytest
import torch

from samcarry.networks.augmentation import draw_affine, warp
from samcarry.runtime.device import autocast, batch_size_for, fast_format, upload


def test_an_array_is_uploaded_unchanged():
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    found = upload(values, "cpu")
    assert found.dtype == torch.uint8
    assert found.tolist() == values.tolist()


@pytest.mark.parametrize(
    ("name", "wanted"), [("amx_bf16", "bfloat16"), ("avx512_bf16", "bfloat16"), ("avx2", "float32")]
)
def test_auto_is_bfloat16_on_cpus_that_compute_in_it(monkeypatch, name, wanted):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, name: True})
    assert fast_format("cpu") == wanted
    with autocast("auto", "cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == getattr(torch, wanted)


@pytest.mark.parametrize(("has_it", "wanted"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_on_gpus_that_compute_in_it_without_emulation(monkeypatch, has_it, wanted):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: has_it or including_emulation
    )
    assert fast_format("cuda") == wanted


def test_float32_is_float32_on_every_processor():
    with autocast("float32", "cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_gpu_gets_larger_batches():
    assert (batch_size_for("cpu", cpu=1, gpu=16), batch_size_for("cuda", cpu=1, gpu=16)) == (1, 16)


def test_images_and_masks_are_warped_the_same_way_in_bfloat16():
    images = torch.rand(2, 1, 96, 224)
    theta = draw_affine(2, 0.03, torch.Generator().manual_seed(0))
    with autocast("bfloat16", "cpu"):
        half = warp(images, theta)
    assert torch.equal(half, warp(images, theta))
