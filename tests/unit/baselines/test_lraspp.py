"""LR-ASPP on SAM: a frozen encoder, augmented images, and logits at the right pixels."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from samcarry.baselines import lraspp
from samcarry.baselines.lraspp import (
    SamLraspp,
    SegmentBySam,
    embed_batch,
    load_lraspp,
    resample_to_image,
    save_lraspp,
)
from samcarry.baselines.lraspp_prediction import predict_from_embeddings
from samcarry.errors import DamagedError
from samcarry.networks import supervised
from samcarry.networks.augmentation import augment
from samcarry.networks.batches import draw_batch, generator_of
from samcarry.networks.training_data import TrainingData
from samcarry.sam.embedding import embed
from samcarry.sam.inputs import input_size
from support.tiny_lraspp import SETTINGS, STATISTICS, pictures, run
from support.tiny_training import dying_at

HALF = {"atol": 4e-3, "rtol": 4e-3}
"""Tolerance for two roundings to float16 and different orders of sums."""


# ---- network and pixels ---------------------------------------------------------------------


def test_the_paper_s_channels_with_an_official_sam():
    network = SamLraspp(17, 256, 1024).eval()
    high = network.blocks(torch.zeros(1, 256, 64, 64))
    assert high.shape == (1, 512, 32, 32)
    assert network.head.cbr[0].out_channels == 64
    assert network(torch.zeros(1, 256, 64, 64)).shape == (1, 17, 64, 64)


@pytest.mark.parametrize("size", [(96, 96), (96, 56), (56, 96), (33, 47)])
def test_logits_have_the_size_of_the_images(sam, size):
    network = SegmentBySam(sam, SamLraspp(3, 96, 384).eval(), STATISTICS)
    assert network(torch.zeros(2, 1, *size)).shape == (2, 3, *size)


@pytest.mark.parametrize("size", [(96, 48), (48, 96), (96, 96)])
@pytest.mark.parametrize("place", [(5, 3), (12, 9), (2, 14)])
def test_a_hot_cell_is_resampled_to_its_place_in_sams_square(size, place):
    """A 32×32 grid covers the square whose long side is the image's: a cell is 3 pixels of 96."""
    row, column = place
    logits = torch.zeros(1, 1, 32, 32)
    logits[0, 0, row, column] = 1
    found = resample_to_image(logits, SamLraspp(1, 8, 384), size)[0, 0]
    assert divmod(int(found.argmax()), size[1]) == (3 * row + 1, 3 * column + 1)
    assert found.max() == pytest.approx(1)
    # A tent of two cells' width, centred on the cell's middle pixel.
    assert found[3 * row + 1, 3 * column + 2] == pytest.approx(2 / 3, abs=1e-5)
    assert found[3 * row, 3 * column + 1] == pytest.approx(2 / 3, abs=1e-5)
    assert found[3 * row + 1 + 3].abs().max() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("size", [(96, 54), (40, 96), (64, 64), (384, 224)])
def test_logits_are_resampled_as_sams_own_masks(sam, size):
    smooth = torch.nn.functional.interpolate(
        torch.randn(1, 2, 6, 6, generator=torch.Generator().manual_seed(0)), (32, 32), mode="bicubic"
    )
    expected = sam.postprocess_masks(smooth, input_size(sam, *size), size)
    torch.testing.assert_close(
        resample_to_image(smooth, SamLraspp(1, 8, 384), size), expected, atol=0.03, rtol=0
    )


# ---- frozen encoder, augmentation -----------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (48, 28)])
def test_a_batch_is_embedded_as_its_images_one_by_one(sam, size):
    images = np.random.default_rng(0).integers(0, 256, (3, *size), dtype=np.uint8)
    together = embed_batch(sam, images)
    assert together.dtype == torch.float16
    torch.testing.assert_close(together, torch.stack([embed(sam, image) for image in images]), **HALF)


def embedded_in_training(sam, monkeypatch, data, sigma):
    """The images that the encoder gets in one iteration, and their batch."""
    encoded = []

    def spy(sam, images):
        encoded.append(images)
        return embed_batch(sam, images)

    monkeypatch.setattr(lraspp, "embed_batch", spy)
    batch = draw_batch(data, STATISTICS, 2, generator_of(0, 0), "cpu")
    images, _ = augment(batch.images, batch.masks, sigma, generator_of(0, 1))
    SegmentBySam(sam, SamLraspp(2, 96, 384).eval(), STATISTICS)(images)
    return encoded[0], batch


def test_without_augmentation_the_training_uses_the_stored_embedding(sam, monkeypatch):
    data = pictures()
    images, batch = embedded_in_training(sam, monkeypatch, data, sigma=0.0)
    assert np.array_equal(images, data.images[batch.indices])
    stored = torch.stack([embed(sam, data.images[place]) for place in batch.indices])
    torch.testing.assert_close(embed_batch(sam, images), stored, **HALF)


def test_the_encoder_gets_the_warped_image_with_mean_grey_from_outside(sam, monkeypatch):
    bright = TrainingData(np.full((2, 32, 32), 200, np.uint8), np.zeros((2, 2, 32, 32), bool))
    images, _ = embedded_in_training(sam, monkeypatch, bright, sigma=0.3)
    assert images.min() == round(255 * STATISTICS.mean)
    assert images.max() == 200


def test_every_iteration_encodes_its_own_warp(sam, tmp_path, monkeypatch):
    encoded = []
    monkeypatch.setattr(
        lraspp, "embed_batch", lambda sam, images: encoded.append(images) or embed_batch(sam, images)
    )
    run(sam, tmp_path, iterations=3)
    assert [len(images) for images in encoded] == [2, 2, 2]
    known = {image.tobytes() for images in encoded for image in images}
    assert len(known) == 6
    assert not known & {image.tobytes() for image in pictures().images}


def test_training_leaves_sam_unchanged_and_without_gradients(sam, trained):
    before = trained[3]
    assert all(torch.equal(tensor, before[name]) for name, tensor in sam.state_dict().items())
    assert all(parameter.grad is None for parameter in sam.parameters())
    assert not any(module.training for module in sam.modules())


def test_no_gradient_reaches_an_encoder_whose_weights_could_have_one(sam):
    network = SamLraspp(2, 96, 384)
    sam.requires_grad_(True)
    try:
        SegmentBySam(sam, network, STATISTICS)(torch.zeros(2, 1, 16, 16)).sum().backward()
        assert all(parameter.grad is None for parameter in sam.parameters())
    finally:
        sam.requires_grad_(False)
    assert all(parameter.grad is not None for parameter in network.parameters())


# ---- training -------------------------------------------------------------------------------


def test_in_bfloat16_the_loss_falls_as_in_float32(sam, tmp_path):
    full, half = (run(sam, tmp_path / name, precision=name)[1] for name in ("float32", "bfloat16"))
    assert half != full  # or it was float32 in disguise
    assert [step.loss for step in half] == pytest.approx([step.loss for step in full], rel=0.1)


def test_a_killed_and_resumed_training_equals_an_uninterrupted_one(sam, tmp_path, monkeypatch):
    """Bit for bit, including the running statistics of the batch normalisation."""
    uninterrupted, curve = run(sam, tmp_path)

    with monkeypatch.context() as patch:
        patch.setattr(supervised, "generator_of", dying_at(2))
        with pytest.raises(KeyboardInterrupt):
            run(sam, tmp_path, checkpoint_seconds=0)
    assert (tmp_path / "checkpoint.pt").exists()
    torch.manual_seed(99)
    resumed, resumed_curve = run(sam, tmp_path)
    assert resumed_curve == curve
    state, other = uninterrupted.state_dict(), resumed.state_dict()
    assert any("running_var" in name for name in state)
    assert state["head.cbr.1.num_batches_tracked"] == SETTINGS.iterations
    assert all(torch.equal(state[name], other[name]) for name in state)


def test_the_loss_falls_on_an_easy_picture(trained):
    curve = trained[2]
    assert curve[-1].loss < 0.5 * curve[0].loss


def test_the_network_finds_what_it_was_shown_with_its_running_statistics(sam, trained):
    data, network, *_ = trained
    assert not network.training
    embeddings = {str(place): embed(sam, image) for place, image in enumerate(data.images)}
    found = predict_from_embeddings(network, embeddings.__getitem__, ["0", "1"], (48, 28)) > 127
    assert 2 * (found & data.masks).sum() / (found.sum() + data.masks.sum()) > 0.6  # all foreground: 0.22


def test_a_batch_of_one_can_be_trained_on(sam, tmp_path):
    _, curve = run(sam, tmp_path, iterations=1, batch_size=1)
    assert np.isfinite(curve[0].loss)


def test_another_seed_gives_another_network(sam, tmp_path):
    one, other = (run(sam, tmp_path, seed=seed, iterations=1)[0] for seed in (0, 1))
    assert not torch.equal(one.head.low_classifier.weight, other.head.low_classifier.weight)


# ---- files ----------------------------------------------------------------------------------


def test_a_saved_network_is_read_with_its_metadata(trained, tmp_path):
    network, path = trained[1], tmp_path / "model.safetensors"
    metadata = {"classes": ["left", "top"], "sam": {"model": "tiny", "sha256": "0"}, "mean": 0.3}
    save_lraspp(path, network, metadata)
    again, known = load_lraspp(path)
    assert known == {**metadata, "embed_dim": 96, "side": 384}
    assert not again.training
    state = network.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in again.state_dict().items())


@pytest.mark.parametrize("fault", ["cut", "no metadata", "a part is missing", "no file"])
def test_a_damaged_model_is_reported_in_one_line(tmp_path, fault):
    path = tmp_path / "model.safetensors"
    save_lraspp(path, SamLraspp(1, 8, 384), {"classes": ["a"]})
    if fault == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif fault == "no metadata":
        save_file(load_file(path), path)
    elif fault == "a part is missing":
        save_lraspp(path, SamLraspp(1, 8, 384), {"classes": ["a", "b"]})
    else:
        path.unlink()
    what = "there is no such file" if fault == "no file" else "LR-ASPP model file"
    with pytest.raises(DamagedError, match=rf"model\.safetensors: .*{what}") as caught:
        load_lraspp(path)
    assert "\n" not in str(caught.value)


def test_a_squeezed_image_fills_the_grid_and_finer_levels_are_not_used(tmp_path):
    network = SamLraspp(2, 8, 96, squeezed=True).eval()
    embedding = torch.randn(1, 32, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(embedding), network(embedding[:, :8]))
    logits = network(embedding)
    expected = torch.nn.functional.interpolate(logits, (40, 24), mode="bilinear", align_corners=False)
    torch.testing.assert_close(resample_to_image(logits, network, (40, 24)), expected)
    save_lraspp(tmp_path / "model.safetensors", network, {"classes": ["a", "b"]})
    assert load_lraspp(tmp_path / "model.safetensors")[0].squeezed
