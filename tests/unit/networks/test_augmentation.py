"""Augmentation: images and masks are warped together, by one affine map per sample."""

import pytest
import torch

from samcarry.networks import augmentation
from samcarry.networks.augmentation import augment, draw_affine, inverse, warp

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
