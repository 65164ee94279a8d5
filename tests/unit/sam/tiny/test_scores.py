"""Scores of a SAM: each kind of prompt is scored by Dice, on the same boxes."""

import numpy as np
import pytest
import torch

from samcarry.sam.tiny import scores as module
from samcarry.sam.tiny.model import build_tiny_sam
from samcarry.sam.tiny.scenes import Scene
from samcarry.sam.tiny.scores import score, score_on_scenes

KEYS = {"bare_box", "box", "box_pos_neg", "pos", "quality_error"}


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return build_tiny_sam().requires_grad_(False)


def scene(*areas):
    masks = np.zeros((len(areas), 64, 48), dtype=bool)
    for mask, area in zip(masks, areas, strict=True):
        mask[area] = True
    return Scene(np.random.default_rng(0).integers(0, 256, (64, 48), dtype=np.uint8), masks)


def l_shape():
    """A square of 10×10 without one quarter: its box has a Dice of 150 / 175."""
    drawn = scene(np.s_[10:20, 10:20])
    drawn.masks[0, 15:20, 15:20] = False
    return drawn


def test_each_kind_of_prompt_has_a_score_from_0_to_1(sam):
    scores = score(sam, [scene(np.s_[10:30, 5:25], np.s_[20:50, 15:40])])
    assert set(scores) == KEYS
    assert all(0 <= value <= 1 for value in scores.values())


def test_the_bare_box_of_a_rectangle_is_the_rectangle(sam):
    assert score(sam, [scene(np.s_[10:30, 5:25])], sigma=0.0)["bare_box"] == 1.0


def test_the_bare_box_of_an_l_is_scored_by_its_dice(sam):
    assert score(sam, [l_shape()], sigma=0.0)["bare_box"] == pytest.approx(150 / 175, abs=1e-4)


def test_every_mask_has_the_same_weight_in_any_scene(sam):
    scenes = [l_shape(), scene(np.s_[0:9, 0:9], np.s_[20:40, 20:40], np.s_[50:60, 0:30])]
    expected = (150 / 175 + 3) / 4
    assert score(sam, scenes, sigma=0.0)["bare_box"] == pytest.approx(expected, abs=1e-4)


def test_a_jittered_box_scores_less_than_the_exact_one(sam):
    assert score(sam, [scene(np.s_[10:30, 5:25])], sigma=0.1)["bare_box"] < 1


def test_scores_are_the_same_each_time(sam):
    scenes = [scene(np.s_[10:30, 5:25], np.s_[20:50, 15:40])]
    assert score(sam, scenes) == score(sam, scenes)


def test_a_model_that_draws_the_truth_scores_1(sam, monkeypatch):
    drawn = scene(np.s_[10:30, 5:25])
    monkeypatch.setattr(module, "full_size", lambda sam, logits, size: drawn.masks)
    scores = score(sam, [drawn])
    assert (scores["box"], scores["box_pos_neg"], scores["pos"]) == (1, 1, 1)


def test_the_quality_error_is_that_of_the_iou(sam, monkeypatch):
    drawn = scene(np.s_[10:20, 10:20])
    half = drawn.masks.copy()
    half[0, 15:] = False  # IoU 0.5
    low = torch.zeros(1, 128, 128), torch.tensor([0.8])
    monkeypatch.setattr(module, "decode_prompts", lambda *arguments: low)
    monkeypatch.setattr(module, "full_size", lambda sam, logits, size: half)
    assert score(sam, [drawn])["quality_error"] == pytest.approx(0.3, abs=1e-4)


def test_held_out_scenes_give_the_same_scores_each_time(sam, monkeypatch):
    monkeypatch.setattr(module, "random_aspect", lambda rng: (96, 64))
    first = score_on_scenes(sam, count=2)
    assert set(first) == KEYS
    assert score_on_scenes(sam, count=2) == first
