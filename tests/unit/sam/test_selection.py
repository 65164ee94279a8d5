"""Selection by SAM: its prompts, and the cases that are kept."""

import numpy as np
import pytest
import torch

from samcarry.sam import selection
from samcarry.sam.embedding import embed
from samcarry.sam.inputs import input_size
from samcarry.sam.refinement import SAM_LOGIT_LIMIT, as_mask_prompt
from samcarry.sam.selection import agreement_with_sam, select_by_sam

SIZE = (64, 48)


@pytest.fixture(scope="module")
def embedding(sam):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return embed(sam, (90 + 50 * np.sin(x / 5) * np.cos(y / 9)).astype(np.uint8))


def logits():
    """Two present classes and an absent one."""
    drawn = torch.full((3, *SIZE), -6.0)
    drawn[0, 10:30, 5:20] = 4.0
    drawn[0, 17, 11] = 9.0
    drawn[0, 60, 40] = -9.0
    drawn[2, 30:50, 20:40] = 3.0
    return drawn


def agreement_with(monkeypatch, sam, embedding, masks):
    """The agreement with a SAM that returns `masks` (K, H, W), and the arguments that it got."""
    given = {}

    def decode_prompts(sam, embedding, prompts, kind, size, dense):
        given.update(prompts=prompts, kind=kind, size=size, dense=dense)
        return torch.zeros(len(prompts), 1, 1), torch.zeros(len(prompts))

    monkeypatch.setattr(selection, "decode_prompts", decode_prompts)
    monkeypatch.setattr(selection, "full_size", lambda sam, logits, size: masks)
    return agreement_with_sam(sam, embedding, logits()), given


def predicted():
    return (logits()[[0, 2]] > 0).numpy()


def test_points_are_where_the_class_is_most_and_least_likely(monkeypatch, sam, embedding):
    _, given = agreement_with(monkeypatch, sam, embedding, predicted())
    assert given["kind"] == "pos+neg"
    assert given["prompts"][0].positive == (11.5, 17.5)
    assert given["prompts"][0].negative == ((40.5, 60.5),)


def test_only_present_classes_have_prompts(monkeypatch, sam, embedding):
    _, given = agreement_with(monkeypatch, sam, embedding, predicted())
    assert len(given["prompts"]) == len(given["dense"]) == 2


def test_agreement_is_the_mean_dice(monkeypatch, sam, embedding):
    assert agreement_with(monkeypatch, sam, embedding, predicted())[0] == 1
    masks = predicted()
    masks[1] = False
    assert agreement_with(monkeypatch, sam, embedding, masks)[0] == 0.5


def test_without_a_present_class_the_agreement_is_1(sam, embedding):
    assert agreement_with_sam(sam, embedding, torch.full((2, *SIZE), -1.0)) == 1.0


def test_a_real_sam_gives_an_agreement_between_0_and_1(sam, embedding):
    assert 0 <= agreement_with_sam(sam, embedding, logits()) <= 1


def test_the_dense_prompt_is_at_the_place_of_the_class_in_sams_padded_input(sam):
    low = as_mask_prompt(sam, logits())
    height, width = sam.prompt_encoder.mask_input_size
    rows, columns = (side / sam.image_encoder.img_size for side in input_size(sam, *SIZE))
    assert low.shape == (3, height, width)
    y, x = (low[2] > 0).nonzero().float().mean(0).tolist()
    assert y == pytest.approx((40 / SIZE[0]) * rows * height, abs=1)
    assert x == pytest.approx((30 / SIZE[1]) * columns * width, abs=1)
    assert (low[:, :, round(columns * width) + 1 :] == -SAM_LOGIT_LIMIT).all()


def test_the_dense_prompt_of_a_ramp_has_its_values_at_the_middles_of_cells(sam):
    y, x = (torch.from_numpy(np.mgrid[: SIZE[0], : SIZE[1]]) + 0.5).float()
    low = as_mask_prompt(sam, (0.2 * x - 0.15 * y)[None])[0]
    (height, width), side = low.shape, sam.image_encoder.img_size
    rows, columns = input_size(sam, *SIZE)
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) * side / height * SIZE[0] / rows,
        (torch.arange(width) + 0.5) * side / width * SIZE[1] / columns,
        indexing="ij",
    )
    known = (x > 1) & (x < SIZE[1] - 1) & (y > 1) & (y < SIZE[0] - 1)
    torch.testing.assert_close(low[known], (0.2 * x - 0.15 * y)[known], atol=1e-4, rtol=0)


def test_only_cases_that_reach_the_agreement_are_kept(monkeypatch, sam):
    scores = {"a": 0.9, "b": 0.85, "c": 0.2}
    monkeypatch.setattr(selection, "agreement_with_sam", lambda sam, embedding, logits: scores[embedding])
    select = select_by_sam(sam, lambda case: case, ["a", "b", "c"], 0.85)
    kept = select(np.array([2, 0, 1, 2]), torch.zeros(4, 1, 2, 2))
    assert kept.tolist() == [False, True, True, False]
