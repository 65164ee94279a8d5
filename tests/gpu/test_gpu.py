"""Tests that need a GPU: it gives the results of the CPU, and batches shrink when memory runs out."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor

from samcarry.networks import supervised
from samcarry.networks.batches import generator_of
from samcarry.networks.prediction import predict
from samcarry.networks.supervised import supervised_loss, train
from samcarry.networks.training_loop import Checkpoint
from samcarry.networks.unet import UNet
from samcarry.prompting.prompts import extract_prompts
from samcarry.runtime.device import autocast, fast_format
from samcarry.sam.checkpoints import BUILDERS, load_sam
from samcarry.sam.embedding import embed_images
from samcarry.sam.encoder import encode_images
from samcarry.sam.refinement import refine
from support.paths import TINY_SAM as TINY
from support.sam_predictor import ask
from support.tiny_training import SETTINGS as SMALL
from support.tiny_training import STATISTICS, dying_at, pictures

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="NO GPU: none of these tests ran")

SETTINGS = replace(
    SMALL, width=8, depth=3, iterations=150, iterations_per_epoch=10, batch_size=4, precision="auto"
)
PICTURES = pictures(size=64)


def checkpoint(path, seconds=1e9):
    return Checkpoint(path / "c.pt", seconds, "same")


def found(network, data):
    """Masks predicted by a network in float32."""
    return predict(network, data.images, STATISTICS.mean, STATISTICS.std) > 127


@pytest.fixture(scope="module")
def vit():
    """ViT-B with random weights on the GPU, including relative positions, which are zero initially."""
    torch.manual_seed(0)
    sam = BUILDERS["vit_b"]().eval().requires_grad_(False)
    for block in sam.image_encoder.blocks:
        for table in (block.attn.rel_pos_h, block.attn.rel_pos_w):
            torch.nn.init.normal_(table, std=0.2)
    return sam.cuda()


def image(size=(384, 224)):
    y, x = np.mgrid[: size[0], : size[1]]
    return (120 + 60 * np.sin(x / 9) * np.cos(y / 14)).astype(np.uint8)


def squares(size=(384, 224), count=17):
    """Masks of `count` squares that do not touch each other."""
    masks = np.zeros((count, *size), dtype=bool)
    for place, mask in enumerate(masks):
        row, column = divmod(place, 4)
        mask[20 + 70 * row : 60 + 70 * row, 10 + 52 * column : 50 + 52 * column] = True
    return masks


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-3), ("auto", 2e-2)])
@torch.inference_mode()
def test_the_encoder_gives_the_same_results_as_segment_anything(vit, precision, limit):
    images = torch.randn(2, 3, 1024, 1024, generator=torch.Generator().manual_seed(0)).cuda()
    expected = vit.image_encoder(images)
    with autocast(precision, "cuda"):
        found = encode_images(vit.image_encoder, images).float()
    assert (found - expected).norm() / expected.norm() < limit


def test_masks_equal_those_of_the_predictor_prompt_by_prompt():
    sam, size = load_sam("tiny", TINY, device="cuda"), (384, 224)
    prompts = extract_prompts(squares())
    (embedding,) = embed_images("sam", sam, [image()])
    masks = refine(sam, embedding, prompts, size, "box", "pos+neg").masks
    predictor = SamPredictor(sam)
    predictor.set_image(np.repeat(image()[:, :, None], 3, axis=2))
    for mask, prompt in zip(masks, prompts, strict=True):
        _, _, first = ask(predictor, prompt, "box")
        theirs, _, _ = ask(predictor, prompt, "pos+neg", first[None])
        assert (mask != theirs).mean() < 1e-3


def test_when_gpu_memory_runs_out_embedding_continues_with_smaller_batches(vit, caplog):
    images = [np.roll(image(), shift, axis=0) for shift in range(32)]
    expected = list(embed_images("sam", vit, images, "auto", at_once=2))
    torch.cuda.empty_cache()
    share = (torch.cuda.memory_allocated() + 2.5e9) / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        with caplog.at_level(logging.WARNING):
            results = list(embed_images("sam", vit, images, "auto", at_once=32))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "too little memory for a batch of 32: continuing with 16" in caplog.text
    for found, one in zip(results, expected, strict=True):
        assert (found.float() - one.float()).norm() / one.float().norm() < 2e-2


@pytest.mark.parametrize("precision", ["float32", "auto"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_trained_network_finds_the_objects_of_its_training_images(tmp_path, precision, compiled):
    settings = replace(SETTINGS, precision=precision, compile=compiled)
    network, curve = train(
        PICTURES, STATISTICS, settings, seed=0, device="cuda", checkpoint=checkpoint(tmp_path)
    )
    assert curve[-1].loss < 0.2 * curve[0].loss
    assert (found(network, PICTURES) == PICTURES.masks).mean() > 0.98


def test_a_training_step_has_the_same_loss_and_gradients_as_on_the_cpu():
    torch.manual_seed(0)
    network = UNet(2, SETTINGS.width, SETTINGS.depth).train()
    gradients = {}
    for device in ("cpu", "cuda"):
        network.zero_grad()
        network.to(device)
        loss = supervised_loss(network, PICTURES, STATISTICS, SETTINGS, device)(generator_of(0, 0))
        loss.backward()
        gradients[device] = [loss.detach().cpu(), *(p.grad.cpu() for p in network.parameters())]
    for cpu, gpu in zip(gradients["cpu"], gradients["cuda"], strict=True):
        torch.testing.assert_close(gpu, cpu, rtol=2e-2, atol=2e-3)


def test_probabilities_equal_those_of_the_cpu():
    torch.manual_seed(0)
    network, images = UNet(3, 16, 3).eval(), PICTURES.images
    cpu = predict(network, images, 0.3, 0.25).astype(int)
    gpu = predict(network.cuda(), images, 0.3, 0.25).astype(int)
    assert np.abs(cpu - gpu).max() <= 1


def test_a_killed_training_resumes(tmp_path, monkeypatch):
    saving = checkpoint(tmp_path, seconds=0)
    monkeypatch.setattr(supervised, "generator_of", dying_at(70))
    with pytest.raises(KeyboardInterrupt):
        train(PICTURES, STATISTICS, SETTINGS, seed=0, device="cuda", checkpoint=saving)
    monkeypatch.undo()
    network, curve = train(PICTURES, STATISTICS, SETTINGS, seed=0, device="cuda", checkpoint=saving)
    assert [step.iteration for step in curve] == list(range(10, 151, 10))
    assert (found(network, PICTURES) == PICTURES.masks).mean() > 0.98


def test_auto_is_bfloat16_if_the_gpu_computes_in_it():
    assert (fast_format("cuda") == "bfloat16") == (torch.cuda.get_device_capability() >= (8, 0))
