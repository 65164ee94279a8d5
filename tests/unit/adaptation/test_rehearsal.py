"""The cases by which a tuned SAM is chosen, read from stacks or held out with a made-up P; their score."""

import numpy as np
import pytest

from samcarry.adaptation.labelled_images import labelled_image
from samcarry.adaptation.rehearsal import (
    MOST_CASES,
    RehearsalCase,
    hold_out,
    imagined_case,
    mean_dice,
    read_rehearsal,
)
from samcarry.evaluation.dice import dice
from samcarry.prompting.cleaning import CleaningSettings, clean
from samcarry.prompting.prompts import extract_prompts
from samcarry.sam.zoom import ZoomSettings
from samcarry.storage.stacks import Stack, write_stack
from support.random_sams import small_sam
from support.toy_labels import labelled_toys, toy

CLEANING = CleaningSettings("none", "square", 0)
NETWORK = (48, 36)
P_ITSELF = ZoomSettings(
    first="box", second=None, zoom=3.0, prior="none", fuse=0.0, multimask=False, prompts=1
)


# ---- validation cases -----------------------------------------------------------------------


def write_cases(folder, count, without_object=()):
    """Stacks of P and of masks, at most 8 cases a file; P of case k is its mask moved by a pixel."""
    files = {"probabilities": [], "masks": []}
    names = [f"case{index:02}" for index in range(count)]
    masks = np.zeros((count, 2, *NETWORK), np.uint8)
    for index in range(count):
        if index not in without_object:
            masks[index, 0, 10:30, 4 + index % 8 : 24] = 1
    for start in range(0, count, 8):
        part, cases = masks[start : start + 8], tuple(names[start : start + 8])
        values = {"probabilities": 200 * np.roll(part, 1, axis=2), "masks": part}
        for kind, kinds in (("probabilities", "probability"), ("masks", "mask")):
            files[kind].append(str(folder / f"{kind}{start}.nii.gz"))
            write_stack(files[kind][-1], Stack(values[kind], kinds, cases, ("a", "b")))
    return names, masks.astype(bool), files


def read(files, image_of=lambda case: np.zeros(NETWORK, np.uint8), cleaning=CLEANING):
    return read_rehearsal(files["probabilities"], files["masks"], image_of, cleaning)


def test_a_case_has_its_image_its_p_its_labels_and_the_prompts_of_the_workflow(tmp_path):
    names, masks, files = write_cases(tmp_path, 10)
    cleaning = CleaningSettings("dilation", "square", 3)
    images = {name: np.full((9, 7), index, np.uint8) for index, name in enumerate(names)}
    cases = read(files, images.__getitem__, cleaning)
    assert len(cases) == 10
    for case, image, mask in zip(cases, images.values(), masks, strict=True):
        assert np.array_equal(case.image, image)
        assert np.array_equal(case.reference, mask)
        assert np.array_equal(case.probabilities, 200 * np.roll(mask, 1, axis=1).astype(np.uint8))
        assert case.prompts == extract_prompts(clean(case.probabilities, cleaning))
        assert case.prompts[1] is None


def test_many_cases_are_spread_to_few_and_the_images_of_the_others_are_not_read(tmp_path):
    names, _, files = write_cases(tmp_path, 3 * MOST_CASES)
    read_images = []
    cases = read(files, lambda case: read_images.append(case) or np.zeros(NETWORK, np.uint8))
    assert len(cases) == len(set(read_images)) == MOST_CASES
    assert (read_images[0], read_images[-1]) == (names[0], names[-1])
    gaps = np.diff([names.index(case) for case in read_images])
    assert set(gaps.tolist()) <= {3, 4}


def test_a_case_without_any_object_is_left_out(tmp_path):
    _, _, files = write_cases(tmp_path, 4, without_object=(1, 3))
    assert len(read(files)) == 2


def test_there_may_be_no_validation_case():
    assert read({"probabilities": [], "masks": []}) == []


# ---- held-out cases -------------------------------------------------------------------------


def images_by_case(count, **how):
    return {f"case{index}": image for index, image in enumerate(labelled_toys(count, **how))}


@pytest.mark.parametrize(("count", "held_out"), [(1, []), (2, []), (3, [0]), (5, [0]), (6, [0, 5])])
def test_every_fifth_of_three_or_more_images_is_held_out(count, held_out):
    images = images_by_case(count)
    before = dict(images)
    cases = hold_out(images, 0, NETWORK, CLEANING)
    names = [f"case{index}" for index in held_out]
    assert list(images) == [case for case in before if case not in names]
    assert [case.image is before[name].image for case, name in zip(cases, names, strict=True)] == [
        True for _ in names
    ]


def test_an_image_without_objects_is_not_held_out():
    empty = labelled_image(toy()[0], np.zeros((2, 120, 90), bool))
    images = {"none": empty, **images_by_case(3)}
    assert len(hold_out(images, 0, NETWORK, CLEANING)) == 1
    assert list(images) == ["none", "case1", "case2"]


def test_the_same_seed_makes_up_the_same_p():
    one, same, other = (hold_out(images_by_case(3), seed, NETWORK, CLEANING)[0] for seed in (4, 4, 5))
    assert np.array_equal(one.probabilities, same.probabilities)
    assert not np.array_equal(one.probabilities, other.probabilities)


@pytest.mark.parametrize("side", [2, 3, 5, 20])
def test_a_made_up_p_has_every_object_however_small(side):
    masks = np.zeros((2, *NETWORK), bool)
    masks[0, 5 : 5 + side, 5 : 5 + side] = masks[1, 30:40, 20:30] = True
    labelled = labelled_image(np.full(NETWORK, 90, np.uint8), masks)
    for seed in range(30):
        case = imagined_case(np.random.default_rng(seed), labelled, NETWORK, CLEANING)
        assert np.array_equal(case.reference, masks)
        assert all(prompt is not None for prompt in case.prompts)


def test_a_made_up_p_has_errors_and_is_about_right():
    (labelled,) = labelled_toys(1, objects=2)
    scores = []
    for seed in range(20):
        case = imagined_case(np.random.default_rng(seed), labelled, NETWORK, CLEANING)
        found = case.probabilities > 127
        scores += [dice(*pair) for pair in zip(case.reference, found, strict=True)]
    assert 0.6 < np.mean(scores) < 0.97
    assert min(scores) < 0.85


def test_a_held_out_case_is_at_network_size_and_its_image_is_not():
    (labelled,) = labelled_toys(1, size=(1500, 900))
    case = imagined_case(np.random.default_rng(0), labelled, NETWORK, CLEANING)
    assert case.image.shape == (1024, 614)
    assert case.reference.shape == case.probabilities.shape == (1, *NETWORK)
    assert case.reference.mean() == pytest.approx(labelled.masks.mean(), rel=0.1)


# ---- the score ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sam():
    return small_sam()


def rehearsal_case(found, reference):
    """A case whose P is sure of `found`, (class, height, width)."""
    probabilities = np.where(found, 250, 2).astype(np.uint8)
    prompts = extract_prompts(clean(probabilities, CLEANING))
    return RehearsalCase(np.full(NETWORK, 90, np.uint8), probabilities, prompts, reference)


def test_the_score_is_the_mean_dice_over_all_present_classes_of_all_cases(sam):
    """SAM has no weight here, so that its answers are P. They score 1, 2/3 and 0."""
    reference = np.zeros((3, *NETWORK), bool)
    reference[0, 10:20, 10:20] = reference[1, 30:34, 10:15] = True
    first = reference.copy()
    first[1, 32:34] = False  # 10 of 20 pixels: a Dice of 20 / 30
    first[2, 2:9, 2:9] = True  # a class that is absent: not scored
    second_reference = np.zeros_like(reference)
    second_reference[2, 20:30, 20:30] = True
    nothing = np.zeros_like(reference)
    cases = [rehearsal_case(first, reference), rehearsal_case(nothing, second_reference)]
    assert mean_dice(sam, cases, P_ITSELF, "float32") == pytest.approx((1 + 20 / 30 + 0) / 3)


def test_the_score_is_that_of_the_sam_that_is_asked(sam):
    cases = [imagined_case(np.random.default_rng(0), labelled_toys(1)[0], NETWORK, CLEANING)]
    asked = ZoomSettings(
        first="box", second="box+pos+neg", zoom=3.0, prior="P", fuse=1.0, multimask=False, prompts=1
    )
    of_sam = mean_dice(sam, cases, asked, "float32")
    assert of_sam != mean_dice(sam, cases, P_ITSELF, "float32")
    assert mean_dice(sam, cases, asked, "float32") == of_sam
