"""Random walk: equals scikit-image if seeds do not overlap, and a dense solution if they do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.segmentation import random_walker

from samcarry.baselines.random_walk import (
    RandomWalkSettings,
    erode,
    refine_by_random_walk,
    walk_probabilities,
)
from samcarry.prompting.cleaning import apply_morphology, structuring_element

SIGMAS = (1, 3, 20)


def smooth_image(rng, height, width):
    """Slowly changing grey values with noise, so that edges have every strength."""
    rows, columns = np.mgrid[:height, :width]
    values = 120 + 60 * np.sin(rows / 5) + 50 * np.cos(columns / 4) + rng.normal(0, 4, (height, width))
    return values.clip(0, 255).astype(np.uint8)


def scattered_seeds(rng, labels, height, width, share):
    """Disjoint seeds (label, height, width) with at least one pixel per label."""
    drawn = np.where(rng.random((height, width)) < share, rng.integers(0, labels, (height, width)), -1)
    drawn.ravel()[rng.choice(drawn.size, labels, replace=False)] = np.arange(labels)
    return np.stack([drawn == label for label in range(labels)])


def by_skimage(image, seeds, sigma):
    """Probabilities of disjoint seeds by scikit-image, whose weights are exp(-beta Δ² / (10 std)) + 1e-10."""
    grey = image.astype(float)
    markers = (seeds * np.arange(1, len(seeds) + 1)[:, None, None]).sum(axis=0)
    beta = 10 * grey.std() / sigma**2
    return random_walker(grey, markers, beta=beta, mode="bf", return_full_prob=True)


def by_dense_solve(image, seeds, seeded, sigma):
    """Probabilities by a dense system: each unknown pixel is the weighted mean of its neighbours."""
    height, width = image.shape
    pixels = [(row, column) for row in range(height) for column in range(width)]
    matrix = np.eye(len(pixels))
    right = seeds.reshape(len(seeds), -1).T.astype(float)
    for index, (row, column) in enumerate(pixels):
        if seeded[row, column]:
            continue
        around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        near = [(i, j) for i, j in around if 0 <= i < height and 0 <= j < width]
        steps = [int(image[row, column]) - int(image[pixel]) for pixel in near]
        weights = np.array([np.exp(-(step**2) / sigma**2) + 1e-10 for step in steps])
        for (i, j), weight in zip(near, weights / weights.sum(), strict=True):
            matrix[index, i * width + j] = -weight
        right[index] = 0
    return np.linalg.solve(matrix, right).T.reshape(seeds.shape)


def disk_mask(shape, row, column, radius):
    rows, columns = np.indices(shape)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


# ---- probabilities --------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", SIGMAS)
def test_probabilities_equal_skimages_where_seeds_do_not_overlap(sigma):
    rng = np.random.default_rng(0)
    for labels, height, width in [(2, 20, 31), (5, 33, 24), (3, 48, 48)]:
        image, seeds = smooth_image(rng, height, width), scattered_seeds(rng, labels, height, width, 0.02)
        found = walk_probabilities(image, seeds, seeds.any(axis=0), sigma)
        assert np.abs(found - by_skimage(image, seeds, sigma)).max() < 1e-5


@pytest.mark.parametrize("sigma", SIGMAS)
def test_probabilities_equal_a_dense_solve_where_seeds_overlap(sigma):
    rng = np.random.default_rng(1)
    for labels, height, width in [(2, 12, 17), (4, 21, 13), (3, 1, 30), (3, 30, 1)]:
        image, seeds = smooth_image(rng, height, width), rng.random((labels, height, width)) < 0.06
        seeds[:, 0, 0] = True
        seeded = seeds.any(axis=0) | (rng.random((height, width)) < 0.05)
        expected = by_dense_solve(image, seeds, seeded, sigma)
        assert np.abs(walk_probabilities(image, seeds, seeded, sigma) - expected).max() < 1e-5


def test_a_label_does_not_depend_on_other_labels_of_the_seeds():
    rng = np.random.default_rng(2)
    image, seeds = smooth_image(rng, 20, 20), rng.random((3, 20, 20)) < 0.05
    seeded = seeds.any(axis=0)
    together = walk_probabilities(image, seeds, seeded, 10)
    alone = [walk_probabilities(image, seeds[[label]], seeded, 10)[0] for label in range(3)]
    assert np.allclose(together, alone, atol=1e-12)


@settings(max_examples=60)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    st.sampled_from((1e-3, 1, 5, 20, 1e4)),
    st.integers(0, 1000),
)
def test_probabilities_of_disjoint_seeds_are_within_0_and_1_and_sum_to_1(image, sigma, seed):
    rng = np.random.default_rng(seed)
    labels = min(3, image.size)
    seeds = scattered_seeds(rng, labels, *image.shape, 0.1)
    found = walk_probabilities(image, seeds, seeds.any(axis=0), sigma)
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.abs(found.sum(axis=0) - 1).max() < 1e-5
    assert (found[:, seeds.any(axis=0)] == seeds[:, seeds.any(axis=0)]).all()


@settings(max_examples=60)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7))),
    st.sampled_from((1, 5, 20)),
    st.integers(0, 1000),
)
def test_probabilities_of_any_image_and_overlapping_seeds_equal_a_dense_solve(image, sigma, seed):
    rng = np.random.default_rng(seed)
    seeds = rng.random((3, *image.shape)) < 0.15
    seeded = seeds.any(axis=0) | (rng.random(image.shape) < 0.1)
    seeded[0, 0] = True
    found = walk_probabilities(image, seeds, seeded, sigma)
    assert np.abs(found - by_dense_solve(image, seeds, seeded, sigma)).max() < 1e-5


def test_on_a_flat_image_the_probability_falls_evenly_between_two_seeds():
    seeds = np.zeros((1, 1, 11), dtype=bool)
    seeds[0, 0, 0] = True
    seeded = seeds[0].copy()
    seeded[0, 10] = True
    found = walk_probabilities(np.full((1, 11), 77, np.uint8), seeds, seeded, 5)
    assert np.allclose(found[0, 0], np.linspace(1, 0, 11), atol=1e-9)


def test_one_step_down_is_weighted_as_the_paper_of_the_method_says():
    image = np.array([[100, 100, 107]], np.uint8)
    seeds = np.array([[[True, False, False]]])
    seeded = np.array([[True, False, True]])
    found = walk_probabilities(image, seeds, seeded, 7)
    assert found[0, 0, 1] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-9)


def test_missing_seeds_are_an_error():
    with pytest.raises(ValueError, match="at least one seed"):
        walk_probabilities(np.zeros((3, 3), np.uint8), np.zeros((1, 3, 3), bool), np.zeros((3, 3), bool), 5)


# ---- refinement -----------------------------------------------------------------------------


def two_disks():
    """Two bright overlapping disks on a dark background, and components shifted by two pixels."""
    shape = (48, 40)
    true = np.stack([disk_mask(shape, 17, 18, 10), disk_mask(shape, 31, 20, 9)])
    image = (40 + 90 * true.sum(axis=0)).astype(np.uint8)
    return image, true, np.roll(true, (2, -2), axis=(1, 2))


def test_shifted_components_are_moved_to_the_edges_of_the_image():
    image, true, components = two_disks()
    refined = refine_by_random_walk(image, components, RandomWalkSettings(4, 5, 10))
    assert (refined.any(axis=0) == true.any(axis=0)).all()
    assert (components.any(axis=0) != true.any(axis=0)).sum() > 100


@pytest.mark.parametrize("radii", [(0, 0), (1, 0), (0, 3), (2, 1), (8, 16), (16, 2)])
def test_refinement_equals_the_combination_of_its_parts(radii):
    """Seeds by `cleaning.apply_morphology`, probabilities by a dense system, masks above a half."""
    rng = np.random.default_rng(3)
    shape = (24, 21)
    circles = [(8, 8, 6), (13, 11, 5), (23, 20, 5)]
    components = np.stack([disk_mask(shape, *circle) for circle in circles])
    image = smooth_image(rng, *shape)
    disks = [structuring_element("disk", radius) for radius in radii]
    background = apply_morphology(~components.any(axis=0), "erosion", disks[0])
    seeds = np.stack([apply_morphology(component, "erosion", disks[1]) for component in components])
    expected = by_dense_solve(image, seeds, background | seeds.any(axis=0), 8)
    refined = refine_by_random_walk(image, components, RandomWalkSettings(*radii, 8))
    decided = np.abs(expected - 0.5) > 1e-6
    assert decided.mean() > 0.99
    assert (refined == (expected > 0.5))[decided].all()


@settings(max_examples=60)
@given(arrays(bool, (2, 9, 12)), st.integers(0, 16), st.integers(0, 16), st.floats(1, 20))
def test_no_setting_deletes_or_invents_a_class_or_loses_its_seeds(components, outer, inner, sigma):
    image = smooth_image(np.random.default_rng(4), 9, 12)
    refined = refine_by_random_walk(image, components, RandomWalkSettings(outer, inner, sigma))
    assert (refined.any(axis=(1, 2)) == components.any(axis=(1, 2))).all()
    for component, mask in zip(components, refined, strict=True):
        if component.any():
            assert mask[apply_morphology(component, "erosion", structuring_element("disk", inner))].all()


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 5, 8, 16])
def test_seeds_are_eroded_as_masks_are_cleaned_with_a_disk(radius):
    rng = np.random.default_rng(5)
    for _ in range(100):
        mask = rng.random(rng.integers(1, 40, 2)) < rng.choice([0.2, 0.9, 0.99, 0.999, 1])
        mask[: rng.integers(0, 9)] = False
        if mask.any():
            expected = apply_morphology(mask, "erosion", structuring_element("disk", radius))
            assert (erode(mask, radius) == expected).all()


def test_a_class_at_the_border_is_not_eroded_there():
    component = np.zeros((1, 20, 30), dtype=bool)
    component[0, :, :12] = True
    image = np.where(component[0], 200, 50).astype(np.uint8)
    refined = refine_by_random_walk(image, component, RandomWalkSettings(3, 9, 1))
    assert (refined == component).all()


def test_without_any_class_all_masks_are_empty():
    empty = np.zeros((3, 8, 9), dtype=bool)
    assert not refine_by_random_walk(np.zeros((8, 9), np.uint8), empty, RandomWalkSettings(1, 1, 5)).any()


def test_an_absent_class_stays_empty_and_changes_nothing_for_the_others():
    image, _, components = two_disks()
    three = np.stack([components[0], np.zeros_like(components[0]), components[1]])
    refined = refine_by_random_walk(image, three, RandomWalkSettings(3, 3, 10))
    assert not refined[1].any()
    two = refine_by_random_walk(image, components, RandomWalkSettings(3, 3, 10))
    assert (refined[[0, 2]] == two).all()


def test_without_background_a_single_class_fills_the_image():
    image, full = smooth_image(np.random.default_rng(6), 12, 10), np.ones((1, 12, 10), dtype=bool)
    assert refine_by_random_walk(image, full, RandomWalkSettings(4, 4, 5)).all()


def test_without_background_two_classes_share_the_image_at_the_edge_between_them():
    image = np.where(np.arange(20) < 9, 50, 200).astype(np.uint8) * np.ones((16, 1), np.uint8)
    components = np.zeros((2, 16, 20), dtype=bool)
    components[0, :, :11] = components[1, :, 11:] = True
    refined = refine_by_random_walk(image, components, RandomWalkSettings(4, 4, 5))
    assert (refined[0] == (image == 50)).all()
    assert (refined[1] == (image == 200)).all()


def test_a_background_that_the_erosion_would_delete_is_kept():
    component = np.ones((1, 15, 15), dtype=bool)
    component[0, 7, 7] = False
    refined = refine_by_random_walk(np.full((15, 15), 9, np.uint8), component, RandomWalkSettings(16, 0, 5))
    assert (refined == component).all()


def test_if_every_pixel_is_a_seed_the_components_are_unchanged():
    image, _, components = two_disks()
    assert (refine_by_random_walk(image, components, RandomWalkSettings(0, 0, 5)) == components).all()


@pytest.mark.parametrize("sigma", [1e-9, 0.1, 1e6])
def test_no_sigma_is_too_small_or_too_large(sigma):
    image, _, components = two_disks()
    refined = refine_by_random_walk(image, components, RandomWalkSettings(3, 3, sigma))
    assert refined.any(axis=(1, 2)).all()
    assert not refined[:, 0].any()
