"""Training data gathered from shards: the wanted cases in the wanted order, or a clear error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samcarry.errors import InputError
from samcarry.networks.batches import draw_batch, generator_of
from samcarry.networks.subset_statistics import SubsetStatistics
from samcarry.networks.training_data import disagreement, gather, gather_unlabelled
from samcarry.storage.stacks import Stack

CLASSES = ("bone", "cast")


def images(**grey):
    values = np.stack([np.full((2, 3), value, np.uint8) for value in grey.values()])
    return Stack(values, "image", tuple(grey))


def masks(kind="mask", **value):
    """Stack in which class 'bone' of each case has one value everywhere; 'cast' is empty."""
    values = np.zeros((len(value), 2, 2, 3), np.uint8)
    values[:, 0] = np.array(list(value.values()), np.uint8)[:, None, None]
    return Stack(values, kind, tuple(value), CLASSES)


PAIRS = [(images(a=10, b=20), masks(a=0, b=1)), (images(c=30, d=40), masks(c=1, d=0))]


def test_cases_are_in_the_order_wanted_across_shards(tmp_path):
    data = gather(PAIRS, ["d", "a", "c"], tmp_path)
    assert data.images[:, 0, 0].tolist() == [40, 10, 30]


def test_masks_are_gathered_with_their_images(tmp_path):
    data = gather(PAIRS, ["c", "d", "b", "a"], tmp_path)
    assert data.images[:, 0, 0].tolist() == [30, 40, 20, 10]
    assert data.masks[:, 0, 0, 0].tolist() == [True, False, True, False]
    assert not data.masks[:, 1].any()


def test_masks_follow_names_and_not_places(tmp_path):
    pairs = [(images(a=10, b=20), masks(b=1, a=0))]
    data = gather(pairs, ["a", "b"], tmp_path)
    assert data.masks[:, 0, 0, 0].tolist() == [False, True]


def test_only_the_cases_wanted_are_taken(tmp_path):
    data = gather(PAIRS, ["b"], tmp_path)
    assert data.images.shape == (1, 2, 3)
    assert data.masks.shape == (1, 2, 2, 3)
    assert (data.images == 20).all()


def test_a_case_with_an_image_but_no_mask_is_skipped(tmp_path):
    data = gather([(images(a=10, nolabel=99, b=20), masks(a=0, b=1))], ["a", "b"], tmp_path)
    assert data.images[:, 0, 0].tolist() == [10, 20]


def test_probabilities_become_foreground_above_a_half(tmp_path):
    pairs = [(images(a=1, b=2), masks("probability", a=127, b=128))]
    data = gather(pairs, ["a", "b"], tmp_path)
    assert data.masks[:, 0, 0, 0].tolist() == [False, True]


def test_the_arrays_are_on_disk(tmp_path):
    data = gather(PAIRS, ["a"], tmp_path)
    assert isinstance(data.images, np.memmap)
    assert isinstance(data.masks, np.memmap)


def mapped_megabytes():
    """Resident memory of this process that maps files, in MB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "RssFile" in line)
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="NOT TESTED: needs Linux's /proc")
def test_memory_does_not_grow_with_the_cases_that_are_gathered_and_drawn(tmp_path):
    names = [f"case{index}" for index in range(48)]
    values = np.ones((48, 16, 256, 256), np.uint8)  # 50 MB
    pairs = (
        (
            Stack(values[:8, 0], "image", tuple(names[at : at + 8])),
            Stack(values[:8], "mask", tuple(names[at : at + 8])),
        )
        for at in range(0, 48, 8)
    )
    before = mapped_megabytes()
    data = gather(pairs, names, tmp_path)
    assert mapped_megabytes() < before + 10
    statistics = SubsetStatistics(tuple(names), tuple("abcdefghijklmnop"), 0.5, 0.2, (1.0,) * 16)
    for iteration in range(40):
        batch = draw_batch(data, statistics, 4, generator_of(0, iteration), "cpu")
        assert batch.masks.all()
    assert mapped_megabytes() < before + 10


def test_a_case_in_no_shard_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^case x is in none of the prepared shards"):
        gather(PAIRS, ["a", "x"], tmp_path)


def test_a_wanted_case_without_masks_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^case nolabel is in none"):
        gather([(images(a=1, nolabel=2), masks(a=0))], ["a", "nolabel"], tmp_path)


def test_missing_shards_are_reported(tmp_path):
    with pytest.raises(InputError, match=r"^case a is in none"):
        gather([], ["a"], tmp_path)


def test_an_empty_list_of_cases_is_reported(tmp_path):
    with pytest.raises(InputError, match="no case to train on"):
        gather(PAIRS, [], tmp_path)


UNLABELLED = [images(a=10, b=20), images(c=30, d=40)]


def test_unlabelled_images_are_gathered_in_the_order_wanted_with_empty_masks(tmp_path):
    data = gather_unlabelled(iter(UNLABELLED), ["d", "a"], 5, tmp_path)
    assert data.images[:, 0, 0].tolist() == [40, 10]
    assert isinstance(data.images, np.memmap)
    assert data.masks.shape == (2, 5, 2, 3)
    assert data.masks.dtype == bool
    assert not data.masks.any()


@pytest.mark.parametrize(
    ("stacks", "cases", "message"),
    [
        (UNLABELLED, ["a", "x"], r"^case x is in none of the prepared shards"),
        ([], ["a"], r"^case a is in none"),
        (UNLABELLED, [], "no case to train on"),
    ],
)
def test_missing_unlabelled_cases_are_reported(tmp_path, stacks, cases, message):
    with pytest.raises(InputError, match=message):
        gather_unlabelled(stacks, cases, 5, tmp_path)


def test_p_and_r_disagree_where_sam_changed_a_mask(tmp_path):
    data = gather(PAIRS, ["d", "a"], tmp_path / "labelled")
    initial = masks(a=0, d=1).values.copy()
    initial[0, 0, 1, 2] ^= 1
    stack = replace(masks(a=0, d=1), values=initial)
    unsure = disagreement(data, [stack], ["d", "a"], tmp_path / "unsure")
    expected = stack.masks[[1, 0]] != data.masks
    assert np.array_equal(unsure, expected)
    assert unsure.any()


def test_cases_without_p_disagree_nowhere(tmp_path):
    data = gather(PAIRS, ["a", "b"], tmp_path / "labelled")
    unsure = disagreement(data, [], ["a", "b"], tmp_path / "unsure")
    assert unsure.shape == data.masks.shape
    assert not unsure.any()


def test_probabilities_can_be_learned_themselves(tmp_path):
    images = Stack(np.zeros((2, 4, 4), np.uint8), "image", ("a", "b"))
    values = np.full((1, 1, 4, 4), 51, np.uint8)
    pairs = [
        (images, Stack(values, "probability", ("a",), ("c",))),
        (images, Stack(np.ones((1, 1, 4, 4), np.uint8), "mask", ("b",), ("c",))),
    ]
    soft = gather(pairs, ["a", "b"], tmp_path / "soft", soft=True)
    assert soft.masks.dtype == np.uint8
    assert (soft.masks[0] == 51).all()
    assert (soft.masks[1] == 255).all()
    statistics = SubsetStatistics(("a",), ("c",), 0.0, 1.0, (1.0,))
    batch = draw_batch(soft, statistics, 8, generator_of(0, 0), "cpu")
    assert set(batch.masks.unique().tolist()) <= {np.float32(0.2), 1.0}
    hard = gather(pairs, ["a", "b"], tmp_path / "hard")
    assert not hard.masks[0].any()
    assert hard.masks[1].all()
