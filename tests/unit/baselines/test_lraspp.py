"""LR-ASPP on SAM: a frozen encoder, honest augmentation, logits at the right pixels."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from samcarry.baselines import lraspp
from samcarry.baselines.lraspp import (
    OnSam,
    SamLraspp,
    embed_batch,
    load_lraspp,
    on_image,
    save_lraspp,
    train_lraspp,
)
from samcarry.baselines.lraspp_prediction import predict_from_embeddings
from samcarry.errors import DamagedError
from samcarry.networks import supervised
from samcarry.networks.batches import augment, draw_batch, generator_of
from samcarry.networks.prediction import in_8_bits
from samcarry.networks.statistics import SubsetStatistics
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, TrainingSettings
from samcarry.networks.unet import normalise
from samcarry.sam.embedding import embed, open_embeddings, write_embeddings
from samcarry.sam.inputs import input_size

SETTINGS = TrainingSettings(4, 2, 4, 1, 2, 1e-2, 1e-4, 0.03, "float32", False)
STATISTICS = SubsetStatistics(("a", "b"), ("left", "top"), 0.3, 0.25, (3.0, 3.0))
HALF = {"atol": 4e-3, "rtol": 4e-3}
"""Two roundings to float16 and the order of sums may lie between embeddings."""


def pictures(height=32, width=32):
    """Two dark pictures with a bright bar each, which is what is to be found."""
    masks = np.zeros((2, 2, height, width), dtype=bool)
    masks[0, 0, :, : width // 4] = True
    masks[1, 1, : height // 4] = True
    noise = np.random.default_rng(0).integers(0, 40, (2, height, width))
    return TrainingData((noise + 200 * masks.any(axis=1)).astype(np.uint8), masks)


def run(sam, folder, data=None, seed=0, checkpoint_seconds=1e9, **changes):
    return train_lraspp(
        data or pictures(),
        STATISTICS,
        dataclasses.replace(SETTINGS, **changes),
        sam,
        seed=seed,
        device="cpu",
        checkpoint=Checkpoint(folder / "checkpoint.pt", checkpoint_seconds, "ours"),
    )


@pytest.fixture(scope="module")
def trained(sam, tmp_path_factory):
    """Pictures that are not square, an LR-ASPP that has learnt them, its curve, and SAM as it was before."""
    before = {name: tensor.clone() for name, tensor in sam.state_dict().items()}
    data = pictures(48, 28)
    network, curve = run(sam, tmp_path_factory.mktemp("trained"), data, iterations=20, learning_rate=2e-2)
    return data, network, curve, before


# ---- network and pixels ---------------------------------------------------------------------


def test_the_paper_s_channels_with_an_official_sam():
    network = SamLraspp(17, 256, 1024).eval()
    high = network.blocks(torch.zeros(1, 256, 64, 64))
    assert high.shape == (1, 512, 32, 32)
    assert network.head.cbr[0].out_channels == 64
    assert network(torch.zeros(1, 256, 64, 64)).shape == (1, 17, 64, 64)


@pytest.mark.parametrize("size", [(96, 96), (96, 56), (56, 96), (33, 47)])
def test_logits_have_the_size_of_the_images(sam, size):
    network = OnSam(sam, SamLraspp(3, 96, 384).eval(), STATISTICS)
    assert network(torch.zeros(2, 1, *size)).shape == (2, 3, *size)


@pytest.mark.parametrize("size", [(96, 48), (48, 96), (96, 96)])
@pytest.mark.parametrize("place", [(5, 3), (12, 9), (2, 14)])
def test_a_hot_cell_lands_where_sam_s_square_has_it(size, place):
    """A 32×32 grid covers the square whose long side is the image's: a cell is 3 pixels of 96."""
    row, column = place
    logits = torch.zeros(1, 1, 32, 32)
    logits[0, 0, row, column] = 1
    found = on_image(logits, 384, size)[0, 0]
    assert divmod(int(found.argmax()), size[1]) == (3 * row + 1, 3 * column + 1)
    assert found.max() == pytest.approx(1)
    # A tent of two cells' width, centred on the cell's middle pixel.
    assert found[3 * row + 1, 3 * column + 2] == pytest.approx(2 / 3, abs=1e-5)
    assert found[3 * row, 3 * column + 1] == pytest.approx(2 / 3, abs=1e-5)
    assert found[3 * row + 1 + 3].abs().max() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("size", [(96, 54), (40, 96), (64, 64), (384, 224)])
def test_logits_come_to_the_image_as_sam_s_own_masks_do(sam, size):
    smooth = torch.nn.functional.interpolate(
        torch.randn(1, 2, 6, 6, generator=torch.Generator().manual_seed(0)), (32, 32), mode="bicubic"
    )
    expected = sam.postprocess_masks(smooth, input_size(sam, *size), size)
    torch.testing.assert_close(on_image(smooth, 384, size), expected, atol=0.03, rtol=0)


# ---- frozen encoder, honest augmentation ----------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (48, 28)])
def test_a_batch_is_embedded_as_its_images_one_by_one(sam, size):
    images = np.random.default_rng(0).integers(0, 256, (3, *size), dtype=np.uint8)
    together = embed_batch(sam, images)
    assert together.dtype == torch.float16
    torch.testing.assert_close(together, torch.stack([embed(sam, image) for image in images]), **HALF)


def embedded_in_training(sam, monkeypatch, data, sigma):
    """Images that the encoder gets in one iteration, and the batch that they come from."""
    seen = []

    def spy(sam, images):
        seen.append(images)
        return embed_batch(sam, images)

    monkeypatch.setattr(lraspp, "embed_batch", spy)
    batch = draw_batch(data, STATISTICS, 2, generator_of(0, 0), "cpu")
    images, _ = augment(batch.images, batch.masks, sigma, generator_of(0, 1))
    OnSam(sam, SamLraspp(2, 96, 384).eval(), STATISTICS)(images)
    return seen[0], batch


def test_without_augmentation_the_training_sees_the_stored_embedding(sam, monkeypatch):
    data = pictures()
    images, batch = embedded_in_training(sam, monkeypatch, data, sigma=0.0)
    assert np.array_equal(images, data.images[batch.chosen])
    stored = torch.stack([embed(sam, data.images[place]) for place in batch.chosen])
    torch.testing.assert_close(embed_batch(sam, images), stored, **HALF)


def test_the_encoder_sees_the_warped_image_with_mean_grey_from_outside(sam, monkeypatch):
    bright = TrainingData(np.full((2, 32, 32), 200, np.uint8), np.zeros((2, 2, 32, 32), bool))
    images, _ = embedded_in_training(sam, monkeypatch, bright, sigma=0.3)
    assert images.min() == round(255 * STATISTICS.mean)
    assert images.max() == 200


def test_every_iteration_encodes_its_own_warp(sam, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        lraspp, "embed_batch", lambda sam, images: seen.append(images) or embed_batch(sam, images)
    )
    run(sam, tmp_path, iterations=3)
    assert [len(images) for images in seen] == [2, 2, 2]
    known = {image.tobytes() for images in seen for image in images}
    assert len(known) == 6
    assert not known & {image.tobytes() for image in pictures().images}


def test_training_leaves_sam_as_it_was_and_without_gradients(sam, trained):
    before = trained[3]
    assert all(torch.equal(tensor, before[name]) for name, tensor in sam.state_dict().items())
    assert all(parameter.grad is None for parameter in sam.parameters())
    assert not any(module.training for module in sam.modules())


def test_no_gradient_reaches_an_encoder_whose_weights_could_have_one(sam):
    network = SamLraspp(2, 96, 384)
    sam.requires_grad_(True)
    try:
        OnSam(sam, network, STATISTICS)(torch.zeros(2, 1, 16, 16)).sum().backward()
        assert all(parameter.grad is None for parameter in sam.parameters())
    finally:
        sam.requires_grad_(False)
    assert all(parameter.grad is not None for parameter in network.parameters())


# ---- training -------------------------------------------------------------------------------


def test_in_bfloat16_the_loss_falls_as_in_float32(sam, tmp_path):
    full, half = (run(sam, tmp_path / name, precision=name)[1] for name in ("float32", "bfloat16"))
    assert half != full  # or it was float32 in disguise
    assert [step.loss for step in half] == pytest.approx([step.loss for step in full], rel=0.1)


def test_a_killed_and_resumed_training_is_the_one_that_was_never_killed(sam, tmp_path, monkeypatch):
    """Bit for bit, the running statistics of the batch normalisation included."""
    straight, curve = run(sam, tmp_path)

    def dying(seed, now):
        if now == 2:
            raise KeyboardInterrupt
        return generator_of(seed, now)

    with monkeypatch.context() as patch:
        patch.setattr(supervised, "generator_of", dying)
        with pytest.raises(KeyboardInterrupt):
            run(sam, tmp_path, checkpoint_seconds=0)
    assert (tmp_path / "checkpoint.pt").exists()
    torch.manual_seed(99)
    resumed, resumed_curve = run(sam, tmp_path)
    assert resumed_curve == curve
    state, other = straight.state_dict(), resumed.state_dict()
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


# ---- prediction and files -------------------------------------------------------------------


def test_predictions_from_stored_embeddings_equal_those_from_images(sam, trained, tmp_path):
    data, network, *_ = trained
    path = tmp_path / "embeddings.safetensors"
    write_embeddings(path, ["x", "y"], [embed(sam, image) for image in data.images], {})
    with open_embeddings(path) as embedding_of:
        stored = predict_from_embeddings(network, embedding_of, ["y", "x"], (48, 28))
    images = normalise(torch.from_numpy(data.images), STATISTICS.mean, STATISTICS.std)
    with torch.no_grad():
        direct = in_8_bits(OnSam(sam, network, STATISTICS)(images))
    assert stored.dtype == np.uint8
    assert stored.shape == (2, 2, 48, 28)
    assert np.ptp(stored) > 100
    assert np.abs(stored[::-1].astype(int) - direct).max() <= 2


def test_the_batch_size_of_a_prediction_does_not_matter(trained):
    network = trained[1]
    embeddings = {str(k): torch.randn(96, 32, 32).half() for k in range(5)}
    one, two = (
        predict_from_embeddings(network, embeddings.__getitem__, list(embeddings), (40, 40), size).astype(int)
        for size in (1, 2)
    )
    assert np.ptp(one) > 10
    assert np.abs(one - two).max() <= 1


def test_a_saved_network_comes_back_with_what_is_to_be_known_about_it(trained, tmp_path):
    network, path = trained[1], tmp_path / "model.safetensors"
    about = {"classes": ["left", "top"], "sam": {"model": "tiny", "sha256": "0"}, "mean": 0.3}
    save_lraspp(path, network, about)
    again, known = load_lraspp(path)
    assert known == {**about, "embed_dim": 96, "side": 384}
    assert not again.training
    state = network.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in again.state_dict().items())


@pytest.mark.parametrize("fault", ["cut", "no about", "a part is missing", "no file"])
def test_a_damaged_model_is_told_in_one_line(tmp_path, fault):
    path = tmp_path / "model.safetensors"
    save_lraspp(path, SamLraspp(1, 8, 384), {"classes": ["a"]})
    if fault == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif fault == "no about":
        save_file(load_file(path), path)
    elif fault == "a part is missing":
        save_lraspp(path, SamLraspp(1, 8, 384), {"classes": ["a", "b"]})
    else:
        path.unlink()
    with pytest.raises(DamagedError, match=r"model\.safetensors: this is no LR-ASPP") as caught:
        load_lraspp(path)
    assert "\n" not in str(caught.value)
