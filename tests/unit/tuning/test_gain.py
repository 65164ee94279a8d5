"""What tuning maximises: closed forms, the pipeline's own masks, and nothing computed twice."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from samcarry.baselines.random_walk import RandomWalkSettings, refine_by_random_walk
from samcarry.errors import InputError
from samcarry.evaluation.dice import dice
from samcarry.prompting.cleaning import CleaningSettings, clean
from samcarry.prompting.prompts import extract_prompts
from samcarry.sam.refinement import MEDSAM_PASSES, Passes, refine_case
from samcarry.storage.stacks import Stack, write_stack
from samcarry.tuning import sam_gain
from samcarry.tuning.gain import gain_of_random_walk, initial_dice, mean_gain, read_cases
from samcarry.tuning.sam_gain import clean_prompts, gain_of_medsam, gain_of_sam

SIZE = (40, 30)
NONE = {"operation": "none", "element": None, "radius": 0}
WIDER = {"operation": "dilation", "element": "disk", "radius": 2}
CLEANINGS = [(NONE, CleaningSettings("none", "square", 0)), (WIDER, CleaningSettings("dilation", "disk", 2))]


def bar(first, last):
    mask = np.zeros(SIZE, dtype=bool)
    mask[5:35, first:last] = True
    return mask


EMPTY = bar(0, 0)


def probabilities():
    """Two cases of three classes; f_θ finds classes 0 and 1 of the first, 0 and 2 of the second case."""
    maps = np.zeros((2, 3, *SIZE), dtype=np.uint8)
    maps[0, 0][bar(2, 10)] = 200
    maps[0, 0, 37:, 20:] = 140  # a second, less likely component
    maps[0, 1][bar(12, 20)] = 180
    maps[1, 0][bar(4, 12)] = 250
    maps[1, 2][bar(15, 25)] = 220
    return maps


REFERENCE = np.stack([[bar(2, 12), bar(12, 20), bar(20, 24)], [bar(4, 10), EMPTY, EMPTY]])


def write(folder, maps, masks, mask_cases=("x", "y")):
    write_stack(folder / "p.nii.gz", Stack(maps, "probability", ("x", "y"), ("a", "b", "c")))
    write_stack(folder / "m.nii.gz", Stack(masks.astype(np.uint8), "mask", mask_cases, ("a", "b", "c")))
    return [str(folder / "p.nii.gz")], [str(folder / "m.nii.gz")]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return read_cases(*write(tmp_path_factory.mktemp("shards"), probabilities(), REFERENCE))


@pytest.fixture(scope="module")
def embeddings(cases):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(96, 32, 32, generator=generator).half() for _ in cases]


def test_the_dice_before_counts_what_the_reference_has_and_all_that_f_theta_draws(cases):
    stray = 3 * 10
    expected = (2 * 240 / (300 + 240 + stray), 1.0, 0.0)
    assert cases[0].initial == pytest.approx(expected)
    assert cases[1].initial == (pytest.approx(2 * 180 / (180 + 240)), None, None)
    mean, pairs = initial_dice(cases)
    assert pairs == 4
    assert mean == pytest.approx((sum(expected) + 2 * 180 / 420) / 4)


def test_components_are_the_most_likely_ones(cases):
    assert np.array_equal(cases[0].components, [bar(2, 10), bar(12, 20), EMPTY])
    assert np.array_equal(cases[1].components, [bar(4, 12), EMPTY, bar(15, 25)])


def test_the_gain_of_the_reference_is_what_is_missing_to_1(cases):
    mean, _ = initial_dice(cases)
    assert mean_gain(cases, REFERENCE) == pytest.approx(1 - mean)


def test_a_class_that_the_reference_lacks_does_not_count(cases):
    drawn = [case.components.copy() for case in cases]
    before = mean_gain(cases, drawn)
    drawn[1][1] = True
    drawn[1][2] = False
    assert mean_gain(cases, drawn) == before


def test_a_class_that_the_refiner_loses_costs_its_whole_dice(cases):
    masks = [np.zeros_like(case.components) for case in cases]
    assert mean_gain(cases, masks) == pytest.approx(-initial_dice(cases)[0])


def test_only_labelled_cases_are_read(tmp_path):
    cases = read_cases(*write(tmp_path, probabilities(), REFERENCE[1:], ("y",)))
    assert [case.name for case in cases] == ["y"]
    assert cases[0].initial[0] == pytest.approx(2 * 180 / 420)


@pytest.mark.parametrize("empty", [True, False])
def test_tuning_without_a_labelled_case_says_what_to_do(tmp_path, empty):
    paths = write(tmp_path, probabilities(), np.zeros_like(REFERENCE)) if empty else ([], [])
    with pytest.raises(InputError, match=r"tuning\.trials: 0") as caught:
        read_cases(*paths)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("settings", "cleaning"), CLEANINGS)
def test_prompts_are_those_of_the_cleaned_masks(cases, settings, cleaning):
    for case, maps in zip(cases, probabilities(), strict=True):
        assert clean_prompts(case, cleaning) == extract_prompts(clean(maps, cleaning))


def by_hand(cases, embeddings, sam, cleaning, passes, protocol="sam"):
    gains = []
    for case, maps, embedding in zip(cases, probabilities(), embeddings, strict=True):
        prompts = extract_prompts(clean(maps, cleaning))
        masks = refine_case(protocol, sam, embedding, prompts, SIZE, passes).masks
        for reference, mask, initial in zip(case.reference, masks, maps > 127, strict=True):
            if reference.any():
                gains.append(dice(reference, mask) - dice(reference, initial))
    return np.mean(gains)


@pytest.mark.parametrize(("first", "second"), [("box", "pos+neg"), ("pos+neg", "mask"), ("pos", None)])
@pytest.mark.parametrize(("settings", "cleaning"), CLEANINGS)
def test_the_gain_of_sam_is_that_of_the_workflows_masks(
    sam, cases, embeddings, settings, cleaning, first, second
):
    gain = gain_of_sam(sam, cases, embeddings)
    found = gain({"first": first, "second": second, **settings})
    assert found == pytest.approx(by_hand(cases, embeddings, sam, cleaning, Passes(first, second)), abs=1e-12)


@pytest.mark.parametrize(("settings", "cleaning"), CLEANINGS)
def test_the_gain_of_medsam_is_that_of_the_workflows_masks(sam, cases, embeddings, settings, cleaning):
    found = gain_of_medsam(sam, cases, embeddings)(settings)
    assert found == pytest.approx(by_hand(cases, embeddings, sam, cleaning, MEDSAM_PASSES, "medsam"))


def test_the_gain_of_the_random_walk_is_that_of_the_workflows_masks(cases):
    rng = np.random.default_rng(0)
    images = [
        (60 + 80 * case.reference.any(axis=0) + rng.normal(0, 5, SIZE)).astype(np.uint8) for case in cases
    ]
    settings = {"background_erosion": 3, "mask_erosion": 2, "sigma": 8.0}
    masks = [
        refine_by_random_walk(image, case.components, RandomWalkSettings(**settings))
        for case, image in zip(cases, images, strict=True)
    ]
    gain = gain_of_random_walk(cases, images)
    assert gain(settings) == mean_gain(cases, masks)
    assert gain({**settings, "mask_erosion": 0}) != gain(settings)


@pytest.fixture
def passes(monkeypatch):
    """The kinds that SAM's decoder was asked, in order."""
    asked, decode = [], sam_gain.decode

    def counted(sam, embedding, prompts, kind, size, logits=None):
        asked.append(kind)
        return decode(sam, embedding, prompts, kind, size, logits)

    monkeypatch.setattr(sam_gain, "decode", counted)
    return asked


def test_a_first_pass_is_asked_once_for_all_second_passes(sam, cases, embeddings, passes):
    gain = gain_of_sam(sam, cases, embeddings)
    for second in ("pos", None, "mask"):
        gain({"first": "box", "second": second, **NONE})
    assert passes.count("box") == len(cases)
    assert len(passes) == 3 * len(cases)
    gain({"first": "box", "second": None, **WIDER})
    assert passes.count("box") == 2 * len(cases)


def test_memory_for_first_passes_is_bounded(sam, cases, embeddings, passes):
    gain = gain_of_sam(sam, cases, embeddings, kept_bytes=0)
    for cleaning, second in ((NONE, None), (WIDER, None), (NONE, "pos")):
        gain({"first": "box", "second": second, **cleaning})
    assert passes.count("box") == 3 * len(cases)


def test_cleanings_that_come_to_the_same_boxes_are_asked_once(sam, cases, embeddings, passes):
    diamond = {**WIDER, "element": "diamond"}  # as far as the disk to all four sides
    gain = gain_of_sam(sam, cases, embeddings)
    first, second = (gain({"first": "box", "second": None, **cleaning}) for cleaning in (WIDER, diamond))
    assert first == second
    assert len(passes) == len(cases)
    gain({"first": "pos", "second": None, **WIDER})
    assert len(passes) == 2 * len(cases)


@pytest.mark.parametrize("second", ["pos+neg", "box", "mask", None])
def test_what_was_kept_changes_no_gain(sam, cases, embeddings, second):
    settings = [
        {"first": first, "second": other, **cleaning}
        for first in ("box", "pos")
        for other in ("mask", "pos", second)
        for cleaning in (NONE, WIDER)
    ]
    gain = gain_of_sam(sam, cases, embeddings)
    for each in settings:
        assert gain(each) == gain_of_sam(sam, cases, embeddings)(each)


def test_a_case_in_which_nothing_was_found_is_not_asked(sam, cases, embeddings, passes):
    blank = [replace(case, components=np.zeros_like(case.components)) for case in cases]
    gain = gain_of_sam(sam, blank, embeddings)
    assert gain({"first": "box", "second": "pos", **WIDER}) == pytest.approx(-initial_dice(cases)[0])
    assert passes == []


@pytest.mark.parametrize("gain_of", [gain_of_sam, gain_of_medsam])
@pytest.mark.parametrize("threads", [2, 7])
def test_threads_change_no_gain(sam, cases, embeddings, gain_of, threads):
    settings = [
        {"first": "box", "second": second, **cleaning}
        for second in ("pos", None)
        for cleaning in (NONE, WIDER)
    ]
    one, many = (gain_of(sam, cases, embeddings, threads=count) for count in (1, threads))
    assert [many(each) for each in settings] == pytest.approx([one(each) for each in settings], abs=1e-3)
