"""The objective of tuning SAM and MedSAM: the masks of the workflow, and nothing computed twice."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from samcarry.evaluation.dice import dice
from samcarry.prompting.cleaning import CleaningSettings, clean
from samcarry.prompting.prompts import extract_prompts
from samcarry.sam.refinement import MEDSAM_PASSES, Passes, refine_case
from samcarry.tuning import sam_objective as module
from samcarry.tuning.objective import initial_dice, mean_gain
from samcarry.tuning.sam_objective import clean_prompts, medsam_objective, sam_objective
from support.tuning_cases import SIZE, probabilities

NONE = {"operation": "none", "element": None, "radius": 0}
WIDER = {"operation": "dilation", "element": "disk", "radius": 2}
CLEANINGS = [(NONE, CleaningSettings("none", "square", 0)), (WIDER, CleaningSettings("dilation", "disk", 2))]


@pytest.fixture(scope="module")
def embeddings(cases):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(96, 32, 32, generator=generator).half() for _ in cases]


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
def test_the_objective_of_sam_is_that_of_the_workflows_masks(
    sam, cases, embeddings, settings, cleaning, first, second
):
    objective = sam_objective(sam, cases, embeddings)
    found = mean_gain(objective({"first": first, "second": second, **settings}))
    assert found == pytest.approx(by_hand(cases, embeddings, sam, cleaning, Passes(first, second)), abs=1e-12)


@pytest.mark.parametrize(("settings", "cleaning"), CLEANINGS)
def test_the_objective_of_medsam_is_that_of_the_workflows_masks(sam, cases, embeddings, settings, cleaning):
    found = mean_gain(medsam_objective(sam, cases, embeddings)(settings))
    assert found == pytest.approx(by_hand(cases, embeddings, sam, cleaning, MEDSAM_PASSES, "medsam"))


@pytest.fixture
def passes(monkeypatch):
    """The kinds of prompts that SAM's decoder got, in order."""
    kinds, decode_prompts = [], module.decode_prompts

    def counted(sam, embedding, prompts, kind, size, logits=None):
        kinds.append(kind)
        return decode_prompts(sam, embedding, prompts, kind, size, logits)

    monkeypatch.setattr(module, "decode_prompts", counted)
    return kinds


def test_a_first_pass_is_decoded_once_for_all_second_passes(sam, cases, embeddings, passes):
    objective = sam_objective(sam, cases, embeddings)
    for second in ("pos", None, "mask"):
        mean_gain(objective({"first": "box", "second": second, **NONE}))
    assert passes.count("box") == len(cases)
    assert len(passes) == 3 * len(cases)
    mean_gain(objective({"first": "box", "second": None, **WIDER}))
    assert passes.count("box") == 2 * len(cases)


def test_memory_for_first_passes_is_bounded(sam, cases, embeddings, passes):
    objective = sam_objective(sam, cases, embeddings, cache_bytes=0)
    for cleaning, second in ((NONE, None), (WIDER, None), (NONE, "pos")):
        mean_gain(objective({"first": "box", "second": second, **cleaning}))
    assert passes.count("box") == 3 * len(cases)


def test_cleanings_that_lead_to_the_same_boxes_are_decoded_once(sam, cases, embeddings, passes):
    diamond = {**WIDER, "element": "diamond"}  # as far as the disk to all four sides
    objective = sam_objective(sam, cases, embeddings)
    first, second = (
        mean_gain(objective({"first": "box", "second": None, **cleaning})) for cleaning in (WIDER, diamond)
    )
    assert first == second
    assert len(passes) == len(cases)
    mean_gain(objective({"first": "pos", "second": None, **WIDER}))
    assert len(passes) == 2 * len(cases)


@pytest.mark.parametrize("second", ["pos+neg", "box", "mask", None])
def test_cached_passes_do_not_change_the_gain(sam, cases, embeddings, second):
    settings = [
        {"first": first, "second": other, **cleaning}
        for first in ("box", "pos")
        for other in ("mask", "pos", second)
        for cleaning in (NONE, WIDER)
    ]
    objective = sam_objective(sam, cases, embeddings)
    for each in settings:
        assert mean_gain(objective(each)) == mean_gain(sam_objective(sam, cases, embeddings)(each))


def test_a_case_without_components_is_not_decoded(sam, cases, embeddings, passes):
    blank = [replace(case, components=np.zeros_like(case.components)) for case in cases]
    objective = sam_objective(sam, blank, embeddings)
    assert mean_gain(objective({"first": "box", "second": "pos", **WIDER})) == pytest.approx(
        -initial_dice(cases)[0]
    )
    assert passes == []


@pytest.mark.parametrize("objective_of", [sam_objective, medsam_objective])
@pytest.mark.parametrize("threads", [2, 7])
def test_threads_do_not_change_the_gain(sam, cases, embeddings, objective_of, threads):
    settings = [
        {"first": "box", "second": second, **cleaning}
        for second in ("pos", None)
        for cleaning in (NONE, WIDER)
    ]
    one, many = (objective_of(sam, cases, embeddings, threads=count) for count in (1, threads))
    assert [mean_gain(many(each)) for each in settings] == pytest.approx(
        [mean_gain(one(each)) for each in settings], abs=1e-3
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_cases_are_decoded_only_as_they_are_wanted(sam, cases, embeddings, passes, threads):
    many, of_many = cases * 8, embeddings * 8
    objective = sam_objective(sam, many, of_many, threads=threads)
    gains = objective({"first": "box", "second": None, **WIDER})
    first = [next(gains), next(gains)]
    gains.close()
    objective_of_two = sam_objective(sam, cases, embeddings)
    assert first == list(objective_of_two({"first": "box", "second": None, **WIDER}))
    assert len(passes) <= 2 + 2 * (threads - 1) + len(cases)
