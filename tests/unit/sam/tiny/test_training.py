"""Training of the tiny SAM: schedule, prompts, windows, and batches that a resumed run repeats."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from samcarry.prompting.prompts import Prompt, bounding_box
from samcarry.sam.inputs import fill_square, to_sam_input
from samcarry.sam.refinement import decode_prompts
from samcarry.sam.tiny.model import IMAGE_SIZE, STRIDE, build_tiny_sam
from samcarry.sam.tiny.scenes import Scene
from samcarry.sam.tiny.training import (
    FIRST_SHARES,
    PROMPT_KINDS,
    SECOND_SHARES,
    WINDOW,
    Recipe,
    SceneBatch,
    SceneBatches,
    batch_loss,
    decode_window,
    draw_prompts,
    jittered_boxes,
    learning_rate,
    low_resolution,
    mask_loss,
    random_aspect,
    to_tiny_sam_input,
    warmup_ema,
)

RECIPE = Recipe(steps=1000, decay_steps=200, learning_rate=2e-3, warmup_steps=100)
WINDOWS_ONLY = Recipe(steps=10, decay_steps=2, window_share=1.0, windows=2, prompts=3)


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return build_tiny_sam()


def squares(*corners, size=10, side=WINDOW):
    """Masks of one square each, its upper left corner at (row, column)."""
    masks = np.zeros((len(corners), side, side), dtype=bool)
    for mask, (row, column) in zip(masks, corners, strict=True):
        mask[row : row + size, column : column + size] = True
    return masks


# ---- schedule -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "share"),
    [(0, 0.01), (49, 0.5), (99, 1), (500, 1), (800, 1), (900, 0.5), (990, 0.05), (999, 0.005)],
)
def test_the_rate_rises_stays_and_falls_in_straight_lines(step, share):
    assert learning_rate(RECIPE, step) == pytest.approx(share * 2e-3)


def test_the_rate_is_never_negative_nor_above_the_recipes():
    rates = [learning_rate(RECIPE, step) for step in range(1000)]
    assert min(rates) > 0
    assert max(rates) == 2e-3


def test_an_extended_training_has_the_same_rates_until_its_first_decay():
    longer = dataclasses.replace(RECIPE, steps=2000)
    assert all(learning_rate(RECIPE, step) == learning_rate(longer, step) for step in range(801))


@pytest.mark.parametrize(("updates", "decay"), [(1, 1 / 10), (10, 10 / 19), (100_001, 0.998)])
def test_the_average_moves_by_its_closed_form(updates, decay):
    moved = warmup_ema(0.998)(torch.tensor([1.0]), torch.tensor([3.0]), updates)
    assert moved.item() == pytest.approx(1 + (1 - decay) * 2)


def test_the_averaged_model_equals_interpolation_step_by_step_bit_for_bit():
    torch.manual_seed(0)
    network = torch.nn.Linear(30, 20)
    average = AveragedModel(network, avg_fn=warmup_ema(0.9))
    average.update_parameters(network)
    expected = [parameter.detach().clone() for parameter in network.parameters()]
    for step in range(120):
        with torch.no_grad():
            for slow, parameter in zip(expected, network.parameters(), strict=True):
                parameter += torch.randn_like(parameter)
                slow.lerp_(parameter, 1 - min(0.9, (step + 1) / (step + 10)))
        average.update_parameters(network)
    assert all(torch.equal(a, b) for a, b in zip(average.module.parameters(), expected, strict=True))


# ---- batches --------------------------------------------------------------------------------


def assert_same(one: SceneBatch, other: SceneBatch):
    assert one.offsets == other.offsets
    for scene, other_scene in zip(one.scenes, other.scenes, strict=True):
        np.testing.assert_array_equal(scene.image, other_scene.image)
        np.testing.assert_array_equal(scene.masks, other_scene.masks)


def test_a_step_has_the_same_batch_after_a_restart():
    assert_same(SceneBatches(WINDOWS_ONLY)[7], SceneBatches(WINDOWS_ONLY, first_step=5)[2])


def test_a_batch_does_not_depend_on_those_drawn_before():
    batches = SceneBatches(WINDOWS_ONLY)
    first = batches[3]
    batches[4]
    assert_same(batches[3], first)


@pytest.mark.parametrize(("seed", "step"), [(0, 4), (1, 3)])
def test_another_seed_or_step_gives_another_batch(seed, step):
    one = SceneBatches(WINDOWS_ONLY)[3]
    other = SceneBatches(dataclasses.replace(WINDOWS_ONLY, seed=seed))[step]
    assert (one.scenes[0].image != other.scenes[0].image).any()


def test_a_restarted_run_has_the_steps_that_are_left():
    assert len(SceneBatches(WINDOWS_ONLY, first_step=4)) == 6


def test_windows_are_on_cells_inside_the_image():
    offsets = [offset for step in range(6) for offset in SceneBatches(WINDOWS_ONLY)[step].offsets]
    assert len(set(offsets)) > 3
    for place in np.ravel(offsets):
        assert place % STRIDE == 0
        assert 0 <= place <= IMAGE_SIZE - WINDOW


def test_windows_have_half_the_side_and_few_objects():
    for scene in SceneBatches(WINDOWS_ONLY)[0].scenes:
        assert scene.image.shape == (WINDOW, WINDOW)
        assert len(scene.masks) <= 3


def test_whole_images_fill_the_input_with_their_long_side():
    whole = dataclasses.replace(WINDOWS_ONLY, window_share=0.0, images=2)
    batch = SceneBatches(whole)[0]
    assert batch.offsets == [(0, 0), (0, 0)]
    assert [max(scene.image.shape) for scene in batch.scenes] == [IMAGE_SIZE, IMAGE_SIZE]


def test_images_are_as_often_high_as_wide():
    rng = np.random.default_rng(0)
    sizes = np.array([random_aspect(rng) for _ in range(300)])
    assert (sizes.max(axis=1) == IMAGE_SIZE).all()
    assert sizes.min() >= 0.55 * IMAGE_SIZE - 1
    assert 100 < (sizes[:, 0] == IMAGE_SIZE).sum() < 200


# ---- prompts --------------------------------------------------------------------------------


def test_boxes_without_jitter_are_those_of_refinement():
    masks = squares((0, 0), (30, 50))
    masks[1, 35:50, 52:54] = True
    boxes = jittered_boxes(masks, np.random.default_rng(0), 0.0)
    assert boxes.tolist() == [list(bounding_box(mask)) for mask in masks]


def test_boxes_are_ordered_however_far_their_sides_move():
    boxes = jittered_boxes(squares(*[(30, 40)] * 200), np.random.default_rng(0), 2.0)
    assert (boxes[:, 0] <= boxes[:, 2]).all()
    assert (boxes[:, 1] <= boxes[:, 3]).all()


def test_the_sides_of_a_box_move_by_a_share_of_its_extent():
    masks = np.zeros((3000, 60, 60), dtype=bool)
    masks[:, 10:20, 10:50] = True  # 10 high, 40 wide
    boxes = jittered_boxes(masks, np.random.default_rng(0), 0.05)
    assert (boxes - [10, 10, 50, 20]).mean(axis=0) == pytest.approx(0, abs=0.2)
    assert boxes.std(axis=0) == pytest.approx([2.0, 0.5, 2.0, 0.5], rel=0.1)


MASKS = squares((10, 20), (60, 70), (100, 30))


def prompts_of(kind, offset=(0, 0), seed=0, masks=MASKS):
    return draw_prompts(masks, offset, kind, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_a_kind_of_prompt_has_its_parts_for_every_mask(kind):
    points, boxes = prompts_of(kind)
    assert (boxes is not None) == ("box" in kind)
    assert (points is not None) == ("pos" in kind)
    if boxes is not None:
        assert boxes.shape == (3, 4)
    if points is not None:
        assert points[0].shape == (3, 3 if "neg" in kind else 1, 2)


def test_the_first_point_is_positive_and_the_others_are_negative():
    (_, labels), _ = prompts_of("pos+neg")
    assert labels.tolist() == [[1, 0, 0]] * 3


def test_a_positive_point_is_on_its_mask_and_negatives_on_the_others():
    for seed in range(20):
        (points, _), _ = prompts_of("pos+neg", seed=seed)
        centres = torch.tensor([[25.0, 15.0], [75.0, 65.0], [35.0, 105.0]])  # (x, y) of the squares
        nearest = torch.cdist(points, centres).argmin(dim=2)
        assert nearest.tolist() == [[0, 1, 2], [1, 0, 2], [2, 0, 1]]


def test_a_single_mask_has_no_negative_points():
    (points, labels), _ = prompts_of("pos+neg", masks=MASKS[:1])
    assert points.shape == (1, 1, 2)
    assert labels.tolist() == [[1]]


def test_prompts_of_a_window_are_in_the_pixels_of_the_full_image():
    (points, _), boxes = prompts_of("box+pos+neg")
    (moved_points, _), moved_boxes = prompts_of("box+pos+neg", offset=(120, 36))
    shift = torch.tensor([120.0, 36.0])
    torch.testing.assert_close(moved_points, points + shift)
    torch.testing.assert_close(moved_boxes, boxes + shift.repeat(2))


@pytest.mark.parametrize("shares", [FIRST_SHARES, SECOND_SHARES])
def test_the_shares_of_the_kinds_add_up_to_one(shares):
    assert len(shares) == len(PROMPT_KINDS)
    assert sum(shares) == pytest.approx(1)


# ---- the same as in inference ---------------------------------------------------------------


def test_images_are_normalised_as_in_refinement(sam):
    image = np.random.default_rng(0).integers(0, 256, (IMAGE_SIZE, 224), dtype=np.uint8)
    expected = to_sam_input(sam, [fill_square(sam, image)])
    torch.testing.assert_close(to_tiny_sam_input(image, IMAGE_SIZE), expected, atol=1e-5, rtol=0)


def test_a_whole_image_is_decoded_as_in_refinement(sam):
    embedding = torch.randn(96, 32, 32, generator=torch.Generator().manual_seed(0))
    prompt = Prompt((30.0, 40.0, 200.0, 300.0), (100.0, 150.0), ((5.0, 6.0),))
    expected, expected_quality = decode_prompts(
        sam, embedding, [prompt], "box+pos+neg", (IMAGE_SIZE, IMAGE_SIZE)
    )
    points = torch.tensor([[prompt.positive, *prompt.negative]]), torch.tensor([[1, 0]])
    with torch.no_grad():
        box = torch.tensor([prompt.box])
        logits, quality = decode_window(sam, embedding[None], (0, 0), points, box, None)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(quality, expected_quality)


@pytest.mark.parametrize("offset", [(0, 0), (120, 36), (192, 192)])
def test_a_window_has_the_positions_that_it_has_in_the_full_image(sam, offset):
    arguments = {}
    box = torch.tensor([[200.0, 200, 300, 300]])
    hook = sam.mask_decoder.register_forward_pre_hook(
        lambda module, args, given: arguments.update(given), with_kwargs=True
    )
    with torch.no_grad():
        decode_window(sam, torch.zeros(1, 96, 16, 16), offset, None, box, None)
    hook.remove()
    centres = (torch.arange(16) + 0.5) * STRIDE
    y, x = torch.meshgrid(centres + offset[1], centres + offset[0], indexing="ij")
    encode = sam.prompt_encoder.pe_layer.forward_with_coords
    expected = encode(torch.stack([x, y], dim=-1), (IMAGE_SIZE, IMAGE_SIZE)).permute(2, 0, 1)
    torch.testing.assert_close(arguments["image_pe"][0], expected, atol=1e-4, rtol=0)


def test_a_window_is_decoded_at_its_own_resolution(sam):
    box = torch.tensor([[10.0, 10, 50, 50]])
    with torch.no_grad():
        logits, quality = decode_window(sam, torch.zeros(1, 96, 16, 16), (24, 0), None, box, None)
        again, _ = decode_window(sam, torch.zeros(1, 96, 16, 16), (24, 0), None, box, logits)
    assert logits.shape == again.shape == (1, 64, 64)
    assert quality.shape == (1,)


# ---- loss -----------------------------------------------------------------------------------


def test_a_low_resolution_cell_is_the_share_that_is_covered():
    masks = np.zeros((1, WINDOW, WINDOW), dtype=bool)
    masks[0, 0:3, 0:4] = True  # one entire cell of 3×3, and a third of the next one
    cells = low_resolution(masks, WINDOW)
    assert cells.shape == (1, 64, 64)
    assert cells[0, 0, :3].tolist() == pytest.approx([1, 1 / 3, 0])


def test_masks_of_a_narrow_image_are_padded_below_and_right():
    cells = low_resolution(np.ones((1, 96, WINDOW), dtype=bool), WINDOW)
    assert cells[0, :32].min() == 1
    assert cells[0, 32:].max() == 0


TARGET = low_resolution(squares((30, 30), size=60), WINDOW)


def loss_of(logits, quality):
    return mask_loss(logits, torch.tensor([quality]), TARGET).item()


def test_a_perfect_mask_with_the_right_quality_costs_almost_nothing():
    assert loss_of(40 * (TARGET - 0.5), 1.0) < 0.01


def test_a_worse_mask_costs_more():
    shifted = TARGET.roll(4, dims=2)
    opposite = 1 - TARGET
    costs = [loss_of(10 * (mask - 0.5), 1.0) for mask in (TARGET, shifted, opposite)]
    assert costs[0] < costs[1] < costs[2]


def test_a_wrong_estimate_of_the_quality_costs_its_square():
    perfect = 40 * (TARGET - 0.5)
    assert loss_of(perfect, 0.6) - loss_of(perfect, 1.0) == pytest.approx(0.16, abs=1e-4)


def small_batch():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (WINDOW, WINDOW), dtype=np.uint8)
    return SceneBatch([Scene(image, squares((30, 30), (100, 90), size=40))], [(24, 48)])


@pytest.mark.parametrize("second_pass_share", [0.0, 1.0])
def test_the_loss_of_a_step_depends_only_on_seed_and_step(sam, second_pass_share):
    recipe = dataclasses.replace(WINDOWS_ONLY, second_pass_share=second_pass_share)
    with torch.no_grad():
        one = batch_loss(sam, small_batch(), recipe, 5).item()
        np.random.default_rng().random()
        torch.manual_seed(1)
        again = batch_loss(sam, small_batch(), recipe, 5).item()
        other = batch_loss(sam, small_batch(), recipe, 6).item()
    assert one == again
    assert one != other


def test_the_loss_reaches_every_part_that_is_trained():
    torch.manual_seed(0)
    sam = build_tiny_sam().train()
    recipe = dataclasses.replace(WINDOWS_ONLY, second_pass_share=1.0)
    sum(batch_loss(sam, small_batch(), recipe, step) for step in range(8)).backward()
    for part in (sam.image_encoder, sam.mask_decoder, sam.prompt_encoder.mask_downscaling):
        assert max(p.grad.abs().max().item() for p in part.parameters() if p.grad is not None) > 0
