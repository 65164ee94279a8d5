"""Augmentation: images and masks are warped together, and boxes are pasted in both."""

from unittest.mock import Mock

import pytest
import torch

from samcarry.networks import augmentation
from samcarry.networks.augmentation import affine_grid, augment, draw_affine, inverse, strong_view, warp
from samcarry.networks.batches import generator_of

SQUARES = torch.zeros(4, 1, 64, 48)
SQUARES[..., 20:44, 12:36] = 1.0


def moved(sigma, seed=0, images=SQUARES):
    return augment(images, SQUARES, sigma, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(16, 16), (13, 7), (384, 224)])
def test_an_augmentation_of_sigma_0_changes_nothing(size):
    images = torch.randn(2, 1, *size)
    masks = (torch.rand(2, 3, *size) > 0.5).float()
    same_images, same_masks = augment(images, masks, 0.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(same_images, images, atol=1e-3, rtol=0)
    assert torch.equal(same_masks, masks)


def test_masks_stay_binary():
    _, masks = moved(0.1)
    assert set(masks.unique().tolist()) == {0.0, 1.0}


def test_image_and_mask_move_together():
    images, masks = moved(0.1)
    assert ((images > 0.5) != (masks > 0.5)).float().mean() < 0.005
    assert (masks != SQUARES).float().mean() > 0.02


def test_images_and_masks_are_warped_as_if_each_were_alone():
    images = torch.rand(4, 1, 64, 48)
    found = moved(0.1, images=images)
    theta = draw_affine(4, 0.1, torch.Generator().manual_seed(0))
    assert torch.equal(found[0], warp(images, theta))
    assert torch.equal(found[1], warp(SQUARES, theta, "nearest"))


def test_images_and_masks_share_one_grid(monkeypatch):
    counted = Mock(wraps=affine_grid)
    monkeypatch.setattr(augmentation, "affine_grid", counted)
    moved(0.1)
    assert counted.call_count == 1


def test_each_sample_moves_in_its_own_way():
    _, masks = moved(0.1)
    assert not torch.equal(masks[0], masks[1])


def test_all_classes_of_a_sample_move_in_the_same_way():
    masks = SQUARES.repeat(1, 2, 1, 1)
    _, masks = augment(SQUARES, masks, 0.1, torch.Generator().manual_seed(0))
    assert torch.equal(masks[:, 0], masks[:, 1])


def test_pixels_from_outside_have_no_class_and_mean_grey():
    everywhere = torch.ones(1, 1, 32, 32)
    images, masks = augment(everywhere, everywhere, 0.3, torch.Generator().manual_seed(1))
    assert masks.min() == 0
    assert images.min() == 0


def test_the_six_numbers_scatter_by_sigma(monkeypatch):
    thetas = []

    def grid_of(theta, size, align_corners):
        thetas.append(theta)
        return torch.zeros(len(theta), *size[2:], 2)

    monkeypatch.setattr(augmentation.F, "affine_grid", grid_of)
    many = torch.zeros(3000, 1, 2, 2)
    augment(many, many, 0.03, torch.Generator().manual_seed(0))
    scatter = thetas[0] - torch.eye(2, 3)
    assert scatter.std(0).flatten().tolist() == pytest.approx([0.03] * 6, rel=0.05)


def test_an_affine_map_is_undone_by_its_inverse():
    theta = draw_affine(4, 0.05, torch.Generator().manual_seed(0))
    back = warp(warp(SQUARES, theta), inverse(theta))
    assert (back - SQUARES).abs().mean() < 0.02
    assert (warp(SQUARES, theta) - SQUARES).abs().mean() > 0.03


def test_the_inverse_of_an_affine_map_is_exact():
    theta = draw_affine(4, 0.1, torch.Generator().manual_seed(0)).double()
    points = torch.randn(4, 3, 5, dtype=torch.double)
    points[:, 2] = 1
    moved_points = torch.cat([theta @ points, points[:, 2:]], dim=1)
    torch.testing.assert_close(inverse(theta) @ moved_points, points[:, :2])


# ---- strong views ---------------------------------------------------------------------------


def test_predictions_are_pasted_with_their_box():
    """Images and predictions are constants that belong together, also after CutMix."""
    images = torch.tensor([0.0, 100.0, 200.0])[:, None, None, None].expand(3, 1, 40, 30)
    predictions = images.expand(3, 2, 40, 30) / 200
    strong, moved = strong_view(images, predictions, generator_of(0, 0))
    index_of = {0.0: 0, 0.5: 1, 1.0: 2}
    grey = [
        image[0][prediction[0] == own].mean()
        for image, prediction, own in zip(strong, moved, index_of, strict=True)
    ]
    for image, prediction, own in zip(strong, moved, index_of, strict=True):
        pasted = prediction[0] != own
        assert 0.03 < pasted.float().mean() < 0.3
        assert torch.equal(prediction[0] != own, prediction[1] != own)
        (origin,) = prediction[0][pasted].unique().tolist()
        assert image[0][pasted].mean() == pytest.approx(grey[index_of[origin]], abs=0.5)


def test_a_strong_view_differs_from_the_weak_one_but_keeps_its_shape():
    images = torch.randn(2, 1, 16, 16, generator=generator_of(0, 1))
    strong, _ = strong_view(images, images, generator_of(0, 0))
    assert strong.shape == images.shape
    assert (strong - images).abs().mean() > 0.05
    assert torch.equal(strong_view(images, images, generator_of(0, 0))[0], strong)


@pytest.mark.parametrize("count", [1, 2])
def test_small_batches_work(count):
    images = torch.randn(count, 1, 16, 16)
    assert strong_view(images, images, generator_of(0, 0))[0].isfinite().all()
