"""Scores on crops: the bare box beside the model, by source and size, presence as an area."""

import numpy as np
import pytest
import torch

from samcarry.sam.small import scores as module
from samcarry.sam.small.model import build_small_sam
from samcarry.sam.small.scores import Question, Score, auroc, by_source, overall, score_boxes, summary
from samcarry.sam.tiny.model import build_tiny_sam


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return build_small_sam(96).requires_grad_(False)


def question(source="drawn", nothing=False):
    masks = np.zeros((2, 80, 100), dtype=bool)
    masks[0, 20:40, 30:50] = True
    masks[1, 60:64, 90:94] = True
    empty = np.zeros((int(nothing), 80, 100), dtype=bool)
    empty[:, 50:70, 10:30] = True
    image = np.random.default_rng(0).integers(0, 256, (80, 100), dtype=np.uint8)
    return Question(source, image, masks, empty)


@pytest.mark.parametrize("zoom", [3.0, None])
def test_every_object_and_every_nothing_gets_a_score(sam, zoom):
    scores = score_boxes(sam, [question(nothing=True)], zoom)
    assert [score.present for score in scores] == [True, True, False]
    assert [score.size for score in scores[:2]] == ["large", "small"]
    assert all(0 <= score.dice <= 1 for score in scores[:2])
    assert np.isnan(scores[2].dice)
    assert np.isfinite([score.presence for score in scores]).all()


def test_the_bare_box_of_a_rectangle_is_the_rectangle(sam):
    assert [score.bare for score in score_boxes(sam, [question()], sigma=0.0)] == [1, 1]


def test_a_model_that_draws_the_truth_on_its_crop_scores_1(sam, monkeypatch):
    asked = question()
    truth = iter(asked.masks)

    def draw(sam, logits, size):
        window = module.window_around(module.bounding_box(mask := next(truth)), 3.0, mask.shape)
        assert window.size == size
        return mask[window.view][None]

    monkeypatch.setattr(module, "full_size", draw)
    assert [score.dice for score in score_boxes(sam, [asked], sigma=0.0)] == [1, 1]


def test_scores_are_the_same_each_time(sam):
    assert str(score_boxes(sam, [question()])) == str(score_boxes(sam, [question()]))


def test_a_model_without_presence_has_no_such_score():
    torch.manual_seed(0)
    tiny = build_tiny_sam().requires_grad_(False)
    found = summary(score_boxes(tiny, [question(nothing=True)]))
    assert "presence" not in found
    assert found["objects"] == 2


def score_of(dice, quality=0.5, presence=1.0, present=True, source="a", size="small"):
    return Score(source, size, 0.5, dice, quality, presence, present)


def test_the_error_of_the_estimate_is_that_of_the_iou():
    assert summary([score_of(2 / 3, quality=0.7)])["iou_error"] == pytest.approx(0.2)


def test_means_are_taken_by_size_and_source():
    scores = [score_of(0.8), score_of(0.6, size="large"), score_of(0.4, source="b")]
    found = by_source(scores)
    assert (found["a"]["dice"], found["a"]["dice_small"], found["a"]["dice_large"]) == (0.7, 0.8, 0.6)
    assert overall(found) == pytest.approx((0.7 + 0.4) / 2)


def test_presence_is_the_share_of_pairs_in_the_right_order():
    assert auroc([2.0, 3.0], [0.0, 1.0]) == 1
    assert auroc([0.0, 3.0], [1.0, 2.0]) == 0.5
    assert np.isnan(auroc([1.0], []))
    scores = [score_of(0.8), score_of(float("nan"), presence=0.0, present=False)]
    assert summary(scores)["presence"] == 1
    assert summary(scores)["dice"] == 0.8
