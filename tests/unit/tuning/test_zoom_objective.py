"""The objective of tuning on crops: the masks of the workflow, within a memory limit."""

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from samcarry.evaluation.dice import dice
from samcarry.prompting.cleaning import CleaningSettings, clean
from samcarry.prompting.prompts import extract_prompts
from samcarry.sam.zoom import ZoomSettings, refine_on_crops
from samcarry.tuning import zoom_objective as module
from samcarry.tuning.objective import initial_dice, mean_gain
from samcarry.tuning.zoom_objective import CropCache, zoom_objective
from support.random_sams import small_sam
from support.tuning_cases import SIZE, probabilities

CLEANING = CleaningSettings("erosion", "disk", 2)  # so that crops are smaller than the image
WEIGHTS = (0.4, 1.0)
ASKED = {
    "first": "box",
    "second": "box+pos+neg",
    "zoom": 1.2,
    "prior": "P",
    "fuse": 0.4,
    "multimask": False,
    "prompts": 1,
}


@pytest.fixture(scope="module")
def sam():
    """A SAM that can propose three masks."""
    return small_sam()


@pytest.fixture(scope="module")
def images():
    """Original images of the two cases, larger than the prepared ones and in other proportions."""
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 255, (90, 80), dtype=np.uint8) for name in ("x", "y")}


@pytest.fixture
def read(images):
    """(a function that returns the image of a case, how often it was called)."""
    count = Counter()

    def image_of(name):
        count[name] += 1
        return images[name]

    return image_of, count


def by_hand(sam, cases, images, settings):
    gains = []
    for case, maps in zip(cases, probabilities(), strict=True):
        prompts = extract_prompts(clean(maps, CLEANING))
        masks = refine_on_crops(sam, images[case.name], prompts, maps, ZoomSettings(**settings)).masks
        for reference, mask, initial in zip(case.reference, masks, maps > 127, strict=True):
            if reference.any():
                gains.append(dice(reference, mask) - dice(reference, initial))
    return np.mean(gains)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"zoom": 1.4, "prior": "none", "fuse": 1.0},
        {"zoom": None, "second": None},
        {"multimask": True, "second": "mask"},
        {"prompts": 3, "first": "box+pos+neg"},
    ],
)
def test_the_objective_is_that_of_the_workflows_masks(sam, cases, images, read, change):
    settings = {**ASKED, **change}
    found = mean_gain(zoom_objective(sam, cases, read[0], CLEANING, WEIGHTS)(settings))
    # Embeddings are kept as float16, which may move single pixels.
    assert found == pytest.approx(by_hand(sam, cases, images, settings), abs=2e-3)


@pytest.mark.parametrize("change", [{}, {"zoom": None}, {"zoom": 1.4}])
def test_further_rounds_are_those_of_the_workflow(sam, cases, images, read, change):
    settings = {**ASKED, "fuse": 1.0, **change}
    found = mean_gain(zoom_objective(sam, cases, read[0], CLEANING, WEIGHTS, rounds=2)(settings))
    assert found == pytest.approx(by_hand(sam, cases, images, {**settings, "rounds": 2}), abs=2e-3)
    assert found != by_hand(sam, cases, images, settings)


def test_another_way_of_asking_has_another_gain(sam, cases, read):
    """Without this, the test above would also pass if settings were ignored."""
    objective = zoom_objective(sam, cases, read[0], CLEANING, WEIGHTS)
    changes = ({}, {"zoom": 1.4}, {"prior": "none"}, {"second": None}, {"multimask": True}, {"prompts": 3})
    gains = [mean_gain(objective({**ASKED, "fuse": 1.0, **change})) for change in changes]
    gains.append(mean_gain(objective(ASKED)))
    assert len(set(gains)) == len(gains)


@pytest.fixture
def asked(monkeypatch):
    """The settings with which SAM was asked, in order."""
    found, ask_for_logits = [], module.ask_for_logits

    def counted(*arguments):
        found.append(arguments[-1])
        return ask_for_logits(*arguments)

    monkeypatch.setattr(module, "ask_for_logits", counted)
    return found


def test_sam_is_asked_once_for_all_weights_and_images_are_read_once_for_each_zoom(sam, cases, read, asked):
    image_of, count = read
    objective = zoom_objective(sam, cases, image_of, CLEANING, WEIGHTS)
    for fuse, second in product(WEIGHTS, ("mask", None)):
        mean_gain(objective({**ASKED, "fuse": fuse, "second": second}))
    assert len(asked) == 2 * len(cases)
    assert count == {"x": 1, "y": 1}
    mean_gain(objective({**ASKED, "zoom": 1.4}))
    assert count == {"x": 2, "y": 2}


def test_crops_that_are_not_kept_are_embedded_again_with_the_same_gain(sam, cases, read):
    image_of, count = read
    ways = [{**ASKED, "second": second} for second in ("mask", None, "box")]
    kept, not_kept = (
        zoom_objective(sam, cases, image_of, CLEANING, WEIGHTS, cache_bytes=limit) for limit in (10**9, 0)
    )
    expected = [mean_gain(kept(each)) for each in ways]
    count.clear()
    assert [mean_gain(not_kept(each)) for each in ways] == expected
    assert count == {"x": 3, "y": 3}


def crops(count):
    return [], torch.zeros(count, dtype=torch.uint8)


def test_crops_of_another_zoom_make_room_and_those_of_the_same_zoom_do_not():
    cache = CropCache(100)
    for case in range(3):
        cache.put(case, 2, crops(40))
    assert [cache.get(case, 2) is not None for case in range(3)] == [True, True, False]
    cache.put(0, 3, crops(50))
    assert [cache.get(case, 2) is not None for case in range(2)] == [False, True]
    assert cache.get(0, 3) is not None
    cache.put(0, None, crops(101))
    assert cache.get(0, None) is None


def test_a_case_without_components_is_not_asked_about(sam, cases, read, asked):
    blank = [replace(case, components=np.zeros_like(case.components)) for case in cases]
    gain = mean_gain(zoom_objective(sam, blank, read[0], CLEANING, WEIGHTS)(ASKED))
    assert gain == pytest.approx(-initial_dice(cases)[0])
    assert asked == []
    assert not read[1]


def test_masks_have_the_size_of_the_prepared_image(cases):
    """The images of these tests differ from it, so that a confusion of the two would be noticed."""
    assert cases[0].reference.shape[1:] == SIZE != (90, 80)


@pytest.mark.parametrize("threads", [2, 7])
def test_threads_do_not_change_the_gain(sam, cases, read, threads):
    one, many = (
        zoom_objective(sam, cases, read[0], CLEANING, WEIGHTS, threads=count) for count in (1, threads)
    )
    ways = [{**ASKED, "zoom": zoom} for zoom in (1.2, 1.4)]
    assert [mean_gain(many(each)) for each in ways] == pytest.approx(
        [mean_gain(one(each)) for each in ways], abs=1e-3
    )
